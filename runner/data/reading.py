"""Reads the configured source."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem
from runner.config import (
    SPLIT_FILES,
    ArraysDataConfig,
    BreastCancerDataConfig,
    DataConfig,
    DiabetesDataConfig,
    DigitsDataConfig,
    FileDataConfig,
    ImagesDataConfig,
    IrisDataConfig,
    KerasDataConfig,
    OwnDataConfig,
    RandomDataConfig,
    SeriesDataConfig,
    SyntheticDataConfig,
    TableDataConfig,
    TextDataConfig,
    TFRecordDataConfig,
    WineDataConfig,
)
from runner.data.describing import describe
from runner.data.examples import Examples
from runner.data.labels import encode_labels, with_plain_labels
from runner.data.settling import settle
from runner.data.sources.arrays import read_arrays
from runner.data.sources.breast_cancer import read_breast_cancer
from runner.data.sources.diabetes import read_diabetes
from runner.data.sources.digits import read_digits
from runner.data.sources.iris import read_iris
from runner.data.sources.keras import read_keras
from runner.data.sources.own import read_own
from runner.data.sources.random import draw_random
from runner.data.sources.synthetic import make_synthetic
from runner.data.sources.text import read_text
from runner.data.sources.wine import read_wine
from runner.data.weighing import check_sample_weight


def read_examples(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Examples:
    """Returns all examples of the configured source, and of the files that are splits of it.

    Args:
        config: The source.
        inputs: The model's inputs, whose shapes random examples take.
        seed: Seeds random examples.

    Raises:
        ConfigError: If a file cannot be read, or a value in it is missing or not as declared.
    """
    examples = _settle(config, inputs, seed)
    if not isinstance(config, FileDataConfig):
        return examples
    further: dict[str, Examples] = {}
    end = int(examples.rows[-1]) + 1
    for key in SPLIT_FILES:
        if getattr(config.split, key) is not None:
            read = _read_further(config, key, seed)
            # Counted on from file to file: no row is in two splits. Those of a stream may be of few
            # bits, which have no room for more.
            rows = read.rows.astype(np.int64) + end
            further[key.removesuffix("_file")] = replace(read, rows=rows)
            end = int(rows[-1]) + 1
    return replace(examples, further=further)


def _settle(config: DataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Examples:
    plain = with_plain_labels(config)
    examples = settle(plain, _read(plain, inputs, seed))
    if config.sample_weight is not None:
        check_sample_weight(examples, config.sample_weight)
    return encode_labels(examples, config)


def _read_further(config: FileDataConfig, key: str, seed: int) -> Examples:
    """Returns the examples of a file that is a split, read as that of ``data.file`` was."""
    file = getattr(config.split, key)
    try:
        config = replace(config, file=file)
        describe(config)
        return _settle(config, {}, seed)
    except ConfigError as error:
        name = Path(file).name
        problems = [Problem(f"data.split.{key}", f"in {name}, {one}") for one in error.problems]
        raise ConfigError(problems) from error


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
            from runner.data.sources.pictures import read_images

            return read_images(config)
        case IrisDataConfig():
            return read_iris()
        case KerasDataConfig():
            return read_keras(config)
        case OwnDataConfig():
            return read_own(config, seed)
        case RandomDataConfig():
            return draw_random(config, inputs, seed)
        case SeriesDataConfig():
            # This imports Arrow, as does a table.
            from runner.data.sources.series import read_series

            return read_series(config)
        case SyntheticDataConfig():
            return make_synthetic(config, seed)
        case TFRecordDataConfig():
            # This imports TensorFlow.
            from runner.data.sources.tfrecords import read_records

            return read_records(config)
        case TableDataConfig():
            from runner.data.sources.table import read_table

            return read_table(config)
        case TextDataConfig():
            return read_text(config)
        case WineDataConfig():
            return read_wine()
    raise TypeError(f"no source reads a {type(config).__name__}")
