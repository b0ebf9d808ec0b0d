"""Reads the configured source."""

from collections.abc import Mapping

from models.config import TensorConfig
from runner.config import (
    ArraysDataConfig,
    BreastCancerDataConfig,
    DataConfig,
    DiabetesDataConfig,
    DigitsDataConfig,
    ImagesDataConfig,
    IrisDataConfig,
    RandomDataConfig,
    TableDataConfig,
    TFRecordDataConfig,
    WineDataConfig,
)
from runner.data.arrays import read_arrays
from runner.data.breast_cancer import read_breast_cancer
from runner.data.diabetes import read_diabetes
from runner.data.digits import read_digits
from runner.data.examples import Examples
from runner.data.iris import read_iris
from runner.data.random import draw_random
from runner.data.settling import settle
from runner.data.wine import read_wine


def read_examples(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Examples:
    """Returns all examples of the configured source.

    Args:
        config: The source.
        inputs: The model's inputs, whose shapes random examples take.
        seed: Seeds random examples.

    Raises:
        ConfigError: If a file cannot be read, or a value in it is missing or not as declared.
    """
    return settle(config, _read(config, inputs, seed))


def _read(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Examples:
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
            from runner.data.pictures import read_images

            return read_images(config)
        case IrisDataConfig():
            return read_iris()
        case RandomDataConfig():
            return draw_random(config, inputs, seed)
        case TFRecordDataConfig():
            # This imports TensorFlow.
            from runner.data.tfrecords import read_records

            return read_records(config)
        case TableDataConfig():
            # This imports Arrow.
            from runner.data.table import read_table

            return read_table(config)
        case WineDataConfig():
            return read_wine()
    raise TypeError(f"no source reads a {type(config).__name__}")
