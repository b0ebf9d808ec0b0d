"""Says what the model is made of and what it costs; nothing is run."""

from collections.abc import Iterator

from runner.config import ExperimentConfig, InspectConfig
from runner.drawing import draw_graph
from runner.engine.inspection import inspect_model
from runner.results import DrawingResult, Result


def inspect(config: ExperimentConfig, task: InspectConfig) -> Iterator[Result]:
    """Yields the cost of each layer, and a drawing of the graph.

    Args:
        config: The whole experiment.
        task: Its task.

    Raises:
        ConfigError: If Keras refuses a layer.
    """
    inspected = inspect_model(config, task.examples)
    yield inspected
    yield DrawingResult("graph", draw_graph(inspected))
