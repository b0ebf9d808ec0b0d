"""Says what the model is made of and what it costs; nothing is run."""

from collections.abc import Iterator

from runner.config import ExperimentConfig, InspectConfig
from runner.engine.inspection import inspect_model
from runner.results import Result


def inspect(config: ExperimentConfig, task: InspectConfig) -> Iterator[Result]:
    """Yields the cost of each layer.

    Args:
        config: The whole experiment.
        task: Its task.

    Raises:
        ConfigError: If Keras refuses a layer.
    """
    yield inspect_model(config, task.examples)
