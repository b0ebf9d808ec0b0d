"""Reads the configured source."""

from collections.abc import Mapping

from models.config import TensorConfig
from models.problems import ConfigError
from runner.config import (
    ArraysDataConfig,
    BreastCancerDataConfig,
    DataConfig,
    DiabetesDataConfig,
    DigitsDataConfig,
    FileDataConfig,
    ImagesDataConfig,
    IrisDataConfig,
    RandomDataConfig,
    TableDataConfig,
    WineDataConfig,
)
from runner.data.arrays import describe_arrays, read_arrays
from runner.data.breast_cancer import read_breast_cancer
from runner.data.description import Description, check_tensors
from runner.data.diabetes import read_diabetes
from runner.data.digits import read_digits
from runner.data.examples import Examples
from runner.data.iris import read_iris
from runner.data.random import draw_random
from runner.data.wine import read_wine


def describe(config: FileDataConfig) -> Description:
    """Returns the schema of the configured files, in which what is declared of it holds.

    Raises:
        ConfigError: If a file cannot be read, or has not what is declared.
    """
    match config:
        case ArraysDataConfig():
            found = describe_arrays(config)
        case ImagesDataConfig():
            # This imports Pillow.
            from runner.data.images import describe_images

            found = describe_images(config)
        case TableDataConfig():
            # This imports Arrow.
            from runner.data.table import describe_table

            found = describe_table(config)
        case _:
            raise TypeError(f"no source describes a {type(config).__name__}")
    problems = [
        *check_tensors("data.features", config.features, found.features),
        *check_tensors("data.labels", config.labels, found.labels),
    ]
    if problems:
        raise ConfigError(problems)
    return found


def read_examples(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Examples:
    """Returns all examples of the configured source.

    Args:
        config: The source.
        inputs: The model's inputs, whose shapes random examples take.
        seed: Seeds random examples.

    Raises:
        ConfigError: If a file cannot be read, or a value in it is missing or not as declared.
    """
    match config:
        case ArraysDataConfig():
            return read_arrays(config)
        case BreastCancerDataConfig():
            return read_breast_cancer()
        case DiabetesDataConfig():
            return read_diabetes()
        case DigitsDataConfig():
            return read_digits()
        case ImagesDataConfig():
            # This imports Pillow.
            from runner.data.images import read_images

            return read_images(config)
        case IrisDataConfig():
            return read_iris()
        case RandomDataConfig():
            return draw_random(config, inputs, seed)
        case TableDataConfig():
            # This imports Arrow.
            from runner.data.table import read_table

            return read_table(config)
        case WineDataConfig():
            return read_wine()
    raise TypeError(f"no source reads a {type(config).__name__}")
