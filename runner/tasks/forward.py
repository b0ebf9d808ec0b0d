"""Feeds a batch of held-out examples, fetches, and traces the call."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from runner.config import ExperimentConfig, ForwardConfig
from runner.data.examples import Dataset, Examples
from runner.engine.faults import is_finite
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.results import FetchResult, Result
from runner.tasks.feeds import replace_feeds
from runner.tasks.judge import judge_examples
from runner.tasks.watch import find_fault


def forward(
    config: ExperimentConfig,
    task: ForwardConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    dataset: Dataset,
) -> Iterator[Result]:
    """Yields fetches for test examples and how they are classified; else for training ones.

    Args:
        config: The whole experiment.
        task: Its task.
        graph: The experiment's graph.
        session: An open Session on it.
        dataset: The splits, fitted to the placeholders.
    """
    split = "test" if len(dataset.test) else "train"
    examples = getattr(dataset, split).take(slice(task.examples))
    is_traced = bool(config.trace.steps)
    yield from fetch_examples(config, graph, session, examples, split=split, is_traced=is_traced)
    if not graph.fed:  # the data's labels are not those of what is fed
        yield from judge_examples(config, graph, session, examples, split=split)


def fetch_examples(
    config: ExperimentConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    examples: Examples,
    *,
    split: str,
    step: int | None = None,
    is_traced: bool = False,
) -> Iterator[Result]:
    """Yields the configured fetches for `examples`, computed in one call, and its trace if asked.

    Args:
        config: The whole experiment.
        graph: The experiment's graph.
        session: An open Session on it.
        examples: What to feed.
        split: The split they are of.
        step: The training step that it follows; None at the end.
        is_traced: Whether to trace the call.
    """
    predict = session.callable(graph.predict)
    fed = replace_feeds(graph, examples)
    # In training a call moves the seeds of dropout.
    variables = session.read(graph.variables) if config.debug.check_finite else {}
    if is_traced:
        fetched, trace = predict.trace(fed.values, "forward", config.trace)
        yield trace
    else:
        fetched = predict(fed.values)
    yield FetchResult(
        split=split,
        fetched=fetched,
        batched=graph.predict.batched,
        structure=config.fetches,
        rows=fed.rows,
        labels=fed.labels,
        classes=config.data.classes,
        step=step,
    )
    if config.debug.check_finite and not all(map(_is_finite, fetched.values())):
        is_training = isinstance(config.task, ForwardConfig) and config.task.training
        raise find_fault(
            config,
            {**fed.labels, **{name: fed.values[name] for name in graph.features}},
            variables,
            name="forward",
            rows=fed.rows,
            is_training=is_training,
        )


def _is_finite(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return all(part is None or is_finite(np.asarray(part)) for part in parts)
