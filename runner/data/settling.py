"""Settles what every source leaves open: lengths that differ, and classes out of range."""

from collections.abc import Iterator

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import DataConfig, PadConfig
from runner.data.examples import Column, Examples
from runner.data.ragged import pad_rows, ragged_column

_SHOWN = 3
_UNPADDED = PadConfig()


def settle(config: DataConfig, examples: Examples) -> Examples:
    """Returns `examples` with rows of differing lengths padded, its classes checked.

    Raises:
        ConfigError: If a class is not one of ``data.classes``.
    """
    problems = list(_check_classes(config, examples))
    if problems:
        raise ConfigError(problems)
    features = {
        name: _pad(name, column, config.features.get(name), config.pad.get(name, _UNPADDED))
        for name, column in examples.features.items()
    }
    return Examples(features, examples.labels, examples.rows, examples.columns, examples.ids)


def _pad(name: str, column: Column, tensor: TensorConfig | None, pad: PadConfig) -> Column:
    """Returns a feature as it is, or where its rows are arrays of their own, padded."""
    if not isinstance(column, np.ndarray) or not column.dtype.hasobject:
        return column
    if tensor is None or tensor.dtype == "string":
        return column
    rows = [np.asarray(row) for row in column]
    if pad.length is not None:
        return pad_rows(rows, tensor.dtype, pad.length, pad.value)
    return ragged_column(name, rows, tensor.dtype, pad.value)


def _check_classes(config: DataConfig, examples: Examples) -> Iterator[Problem]:
    """Yields that the first label has values that are none of the classes."""
    if config.classes is None or not examples.labels:
        return
    name, labels = next(iter(examples.labels.items()))
    if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iu":
        return
    wrong = np.flatnonzero((labels < 0) | (labels >= config.classes))
    if len(wrong):
        rows = ", ".join(map(str, examples.rows[wrong[:_SHOWN]].tolist()))
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        what = f"a class from 0 to {config.classes - 1} in each row of {name!r}"
        hint = f"It stands in row {rows}{more}, counted from 0."
        yield expected("data.classes", what, int(labels[wrong[0]]), hint)
