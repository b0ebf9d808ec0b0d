"""Says what the model is made of and what it costs, and what the data look like; nothing is run."""

from collections.abc import Iterator

from runner.config import ExperimentConfig, InspectConfig
from runner.data.balance import measure_balance
from runner.data.examples import Dataset
from runner.data.labels import name_classes
from runner.data.samples import sample_examples
from runner.drawing import draw_graph
from runner.engine.inspection import inspect_model
from runner.results import DataResult, DrawingResult, Result


def inspect(
    config: ExperimentConfig, task: InspectConfig, dataset: Dataset, described: DataResult
) -> Iterator[Result]:
    """Yields what the data look like, the cost of each layer, and a drawing of the graph.

    Args:
        config: The whole experiment.
        task: Its task.
        dataset: The splits.
        described: What is logged of them.

    Raises:
        ConfigError: If Keras refuses a layer.
    """
    yield described
    balance = measure_balance(described, dataset)
    names = {label: name_classes(config.data, label) for label in dataset.train.labels}
    yield sample_examples(dataset.train, balance.labels, task.show, names=names)
    yield balance
    inspected = inspect_model(config, task.examples)
    yield inspected
    yield DrawingResult("graph", draw_graph(inspected))
