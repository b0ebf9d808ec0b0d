"""Answers a few examples, as the model that is saved has to answer them."""

import math
from collections.abc import Iterator

from runner.config import ExperimentConfig
from runner.data.examples import Dataset, Examples
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.results import AnswersResult

_MOST_EXAMPLES = 5
# They are kept as text, of some 20 bytes a number.
_MOST_VALUES = 50_000


def answer_examples(
    config: ExperimentConfig, graph: ExperimentGraph, session: GraphSession, dataset: Dataset
) -> Iterator[AnswersResult]:
    """Yields what the model gives for the first examples that were held out, or trained on.

    Nothing where no output is a dense tensor that is computed.

    Args:
        config: The whole experiment.
        graph: The experiment's graph.
        session: An open Session on it.
        dataset: The splits, fitted to the placeholders.
    """
    if graph.answer is None:
        return
    sizes = [one.batch_size for one in config.model.inputs.values() if one.batch_size]
    split, examples = _choose_split(dataset)
    features = examples.take(slice(sizes[0] if sizes else _MOST_EXAMPLES)).features
    if not sizes:
        values = sum(math.prod(array.shape[1:]) for array in features.values())
        most = max(1, _MOST_VALUES // max(1, values))
        features = {name: array[:most] for name, array in features.items()}
    outputs = session.callable(graph.answer)(features)
    has_gpu = any("GPU" in device for device in session.devices)
    yield AnswersResult(split, features, outputs, has_gpu)


def _choose_split(dataset: Dataset) -> tuple[str, Examples]:
    """Returns the first split of those held out that has examples, else what is trained on."""
    for split, examples in (("test", dataset.test), ("validation", dataset.validation)):
        if len(examples):
            return split, examples
    return "train", dataset.train
