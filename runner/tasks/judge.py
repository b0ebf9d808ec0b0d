"""Compares what a model gives for the examples of a split with their labels."""

from collections.abc import Iterator

from models.classifiers import read_classifiers
from models.regressors import read_regressors
from runner.config import EvaluateConfig, ExperimentConfig, TrainConfig
from runner.data.examples import Examples
from runner.data.streams import iterate_batches
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.example_weights import list_targets
from runner.results import ClassifyResult, RegressResult
from runner.tasks.classify import Classes
from runner.tasks.regress import Numbers


def judge_examples(
    config: ExperimentConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    examples: Examples,
    *,
    split: str,
) -> Iterator[ClassifyResult | RegressResult]:
    """Yields how each output that is a class classifies `examples`, and how far numbers are off.

    Nothing where no output is either. They are fed in batches where they are evaluated so,
    otherwise all at once.

    Args:
        config: The whole experiment.
        graph: The experiment's graph.
        session: An open Session on it.
        examples: What to feed.
        split: The split they are of.
    """
    if graph.judge is None:
        return
    step = session.callable(graph.judge)
    targets, known = list_targets(config.data), graph.judge.fetches
    classifiers = read_classifiers(config.model, targets)
    regressors = read_regressors(config.model, targets)
    pending: list[Classes | Numbers] = [
        *(Classes(one, len(examples)) for one in classifiers if one.output in known),
        *(Numbers(one, len(examples)) for one in regressors if one.output in known),
    ]
    is_batched = isinstance(config.task, TrainConfig | EvaluateConfig)
    size = config.data.batch_size if is_batched else len(examples)
    drop = is_batched and config.data.drop_remainder
    seen = 0
    for batch in iterate_batches(examples, size, drop_remainder=drop):
        outputs = step(batch.features)
        pending = [one for one in pending if one.add(outputs, batch.arrays)]
        if not pending:
            return
        seen += len(batch)
    if seen:
        for one in pending:
            yield from one.conclude(examples, split, config)
