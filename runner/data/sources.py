"""Reads the configured source and splits it."""

from collections.abc import Mapping

from models.config import TensorConfig
from runner.config import (
    BreastCancerDataConfig,
    DataConfig,
    DigitsDataConfig,
    RandomDataConfig,
)
from runner.data.breast_cancer import read_breast_cancer
from runner.data.digits import read_digits
from runner.data.examples import Dataset
from runner.data.random import draw_random
from runner.data.splits import split_examples


def load_dataset(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Dataset:
    """Returns the splits of the configured source.

    Args:
        config: The source, its batches and its splits.
        inputs: The model's inputs, whose shapes random examples take.
        seed: Seeds the splits and random examples.
    """
    match config:
        case BreastCancerDataConfig():
            examples = read_breast_cancer()
        case DigitsDataConfig():
            examples = read_digits()
        case RandomDataConfig():
            examples = draw_random(config, inputs, seed)
        case _:
            raise TypeError(f"no source reads a {type(config).__name__}")
    return split_examples(examples, config, seed)
