"""Labels that are classes: their names, and in what form they are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.config import TensorConfig
from runner.config import DataConfig
from runner.data.examples import Examples

_MATRIX_AXES = 2


def describe_labels(
    label_format: str, labels: Mapping[str, TensorConfig], classes: int | None
) -> dict[str, TensorConfig]:
    """Returns `labels` with the first, of `classes`, as it is fed: with ``one_hot`` a vector."""
    described = dict(labels)
    if label_format == "one_hot" and classes is not None and labels:
        described[next(iter(labels))] = TensorConfig([classes], "float32")
    return described


def with_plain_labels(config: DataConfig) -> DataConfig:
    """Returns `config` with the first label as its source has it, an integer an example."""
    if config.label_format != "one_hot" or not config.labels:
        return config
    first = next(iter(config.labels))
    return replace(config, labels={**config.labels, first: TensorConfig([], "int64")})


def encode_labels(examples: Examples, config: DataConfig) -> Examples:
    """Returns `examples`, whose classes are in range, with labels as ``data.label_format`` says."""
    if config.label_format != "one_hot" or config.classes is None or not examples.labels:
        return examples
    name, labels = next(iter(examples.labels.items()))
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iub":
        return examples
    vectors = np.zeros((len(labels), config.classes), np.float32)
    vectors[np.arange(len(labels)), labels.astype(np.int64)] = 1
    return replace(examples, labels={**examples.labels, name: vectors})


def read_classes(name: str, examples: Examples, config: DataConfig) -> np.ndarray | None:
    """Returns the (examples,) class of each, integers; None where the label `name` is none."""
    labels = examples.labels[name]
    if not isinstance(labels, np.ndarray):
        return None
    if labels.ndim == 1 and labels.dtype.kind in "iub":
        return labels
    is_first = name == next(iter(examples.labels))
    if is_first and config.label_format == "one_hot" and labels.ndim == _MATRIX_AXES:
        return decode_classes(labels)
    return None


def decode_classes(labels: np.ndarray) -> np.ndarray:
    """Returns (rows,) int64 classes of labels that are (rows,), (rows, 1) or one of many ones."""
    if labels.ndim > 1:
        labels = labels[:, 0] if labels.shape[-1] == 1 else labels.argmax(axis=-1)
    return np.round(labels).astype(np.int64)


def name_classes(config: DataConfig, label: str) -> Sequence[str]:
    """Returns the names of a label's classes; none where they are unknown."""
    return config.class_names if label in list(config.labels)[:1] else ()
