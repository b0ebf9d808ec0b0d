"""Measures a model on held-out data."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.objectives import BATCH_LOSS
from runner.config import EvaluateConfig, ExperimentConfig
from runner.data.examples import Batch, Examples
from runner.data.streams import iterate_batches
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.results import Metrics, Result, SplitResult
from runner.tasks.forward import fetch_examples
from runner.tasks.judge import judge_examples
from runner.tasks.watch import find_fault


@dataclass(frozen=True)
class Measured:
    """What came of measuring a model on examples.

    Attributes:
        metrics: The loss and the configured metrics over all of them; none where there are none.
        broken: The first batch whose loss is not finite, which is the last measured.
    """

    metrics: Metrics
    broken: Batch | None = None


class Meter:
    """Measures a model on examples, batch by batch."""

    def __init__(
        self, config: ExperimentConfig, graph: ExperimentGraph, session: GraphSession
    ) -> None:
        """Prepares the steps that evaluate in `session`."""
        if graph.evaluation is None:
            raise ValueError("the graph was built for a task that does not evaluate")
        self._data = config.data
        self._checks = config.debug.check_finite
        self._evaluate = session.callable(graph.evaluation.evaluate)
        self._reset = session.callable(graph.evaluation.reset)

    def measure(self, examples: Examples) -> Measured:
        """Returns the metrics over `examples`."""
        self._reset({})
        values: Mapping[str, float] = {}
        data = self._data
        for batch in iterate_batches(examples, data.batch_size, drop_remainder=data.drop_remainder):
            values = self._evaluate(batch.arrays)
            if self._checks and not math.isfinite(values[BATCH_LOSS]):
                return Measured({}, batch)
        return Measured(
            {name: float(value) for name, value in values.items() if name != BATCH_LOSS}
        )


def evaluate(
    config: ExperimentConfig,
    task: EvaluateConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    splits: Mapping[str, Examples],
) -> Iterator[Result]:
    """Yields of each split the metrics, fetches for some examples, and how all are judged.

    Args:
        config: The whole experiment.
        task: Its task.
        graph: The experiment's graph, with the steps of evaluation.
        session: An open Session on it.
        splits: What to evaluate on by name, fitted to the placeholders.

    Raises:
        NotFiniteError: If a value is not finite and ``debug.check_finite`` is true.
    """
    meter = Meter(config, graph, session)
    for split, examples in splits.items():
        measured = meter.measure(examples)
        if measured.broken is not None:
            raise find_fault(
                config,
                measured.broken.arrays,
                session.read(graph.variables),
                name=split,
                rows=measured.broken.rows,
                is_training=False,
            )
        yield SplitResult(split, 0, 0, measured.metrics)
    for split, examples in splits.items():
        shown = examples.take(slice(task.examples))
        yield from fetch_examples(config, graph, session, shown, split=split)
        yield from judge_examples(config, graph, session, examples, split=split)
