"""Windows over the rows of a table, each with what comes a while after it."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import SeriesDataConfig
from runner.data.description import Description
from runner.data.examples import Blocks, Examples, LazyColumn
from runner.data.memory import is_streamed
from runner.data.sources.columns import NUMBERS
from runner.data.sources.table import describe_table, read_table
from runner.data.splits import PLACES, read_places

SERIES = "series"


class WindowReader:
    """Reads windows of a table in memory, of which none is copied before it is asked for."""

    blocks: Blocks | None = None
    lengths: np.ndarray | None = None
    by_tensors: Callable[[Any], Mapping[str, Any]] | None = None

    def __init__(self, numbers: np.ndarray, starts: np.ndarray, window: int) -> None:
        """Copies nothing.

        Args:
            numbers: (rows, columns) float32, the table.
            starts: (windows,) integers, the first row of each window.
            window: How many rows each has.
        """
        self.item_shape = (window, numbers.shape[1])
        self._numbers = numbers
        self._starts = starts
        windows = np.lib.stride_tricks.sliding_window_view(numbers, window, axis=0)
        self._windows = windows.transpose(0, 2, 1)

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns the windows of `rows`, (rows, window, columns) float32."""
        return dict.fromkeys(names, self._windows[self._starts[rows]])

    def digest(self) -> str:
        """Returns text of the table and the windows on it."""
        digest = hashlib.blake2b(np.ascontiguousarray(self._numbers).data.cast("B"))
        digest.update(f"{self.item_shape} {self._starts.tolist()}".encode())
        return digest.hexdigest()


def describe_series(config: SeriesDataConfig) -> Description:
    """Returns the shape of the windows; the labels are those of the table.

    Raises:
        ConfigError: If the file cannot be read, a column is not as it is declared, or the columns
            are not all numbers.
    """
    problems = list(_check(config))
    if problems:
        raise ConfigError(problems)
    table = describe_table(config)
    others = [name for name in table.features if name != NUMBERS]
    if others:
        what = "columns that all stand in one feature, numbers"
        hint = f"Set data.columns.{others[0]}.type=ignore to leave it out."
        raise ConfigError([expected("data.columns", what, others[0], hint)])
    past = _list_past(config, table)
    tensors = [*table.features.values(), *(table.labels[name] for name in past)]
    width = sum(math.prod(axis or 0 for axis in one.shape) for one in tensors)
    if not width:
        raise ConfigError([Problem("data.file", "expected columns of numbers; there are none.")])
    series = TensorConfig([config.window, width], "float32")
    labels, classes = table.labels, table.classes
    return Description({SERIES: series}, labels, classes, table.class_names, table.columns)


def read_series(config: SeriesDataConfig) -> Examples:
    """Returns the windows that are in one split with their labels, in the order of their starts.

    ``series`` is (windows, window, columns) float32: the numbers of the table in the order of the
    columns, then those of the targets that are numbers. A row is the window's first.
    Windows over a row that is left out as missing are left out too.

    Raises:
        ConfigError: If the file cannot be read, a value is not as declared, or there are fewer rows
            than a window and its label take.
    """
    table = read_table(replace(config, stream=False)).take(slice(None))
    past = _list_past(config, describe_table(config))
    parts = [table.features[name] for name in table.features]
    parts += [table.labels[name].reshape(len(table), -1) for name in past]
    numbers = np.concatenate(parts, axis=1)
    reach = config.window - 1 + config.horizon
    if len(table) <= reach:
        what = f"a table of {reach + 1} rows or more, as a window and its label take"
        raise ConfigError([expected("data.window", what, len(table))])
    starts = np.arange(0, len(table) - reach, config.stride)
    ends = starts + reach
    places = _place(config, table)
    changes = np.cumsum(places[1:] != places[:-1])
    period = np.concatenate([[0], changes])
    is_whole = (table.rows[ends] - table.rows[starts] == reach) & (period[starts] == period[ends])
    starts, ends = starts[is_whole], ends[is_whole]
    reader = WindowReader(numbers, starts, config.window)
    column = LazyColumn(
        reader, SERIES, np.arange(len(starts)), reader.item_shape, np.dtype(np.float32)
    )
    examples = Examples(
        {SERIES: column},
        {name: label[ends] for name, label in table.labels.items()},
        table.rows[starts],
        {PLACES: places[starts]},
        None if table.ids is None else table.ids[starts],
    )
    size = len(starts) * math.prod(reader.item_shape) * numbers.itemsize
    return examples if is_streamed(config, size) else examples.take(slice(None))


def _check(config: SeriesDataConfig) -> Iterator[Problem]:
    for key in ("window", "horizon", "stride"):
        if getattr(config, key) < 1:
            yield expected(f"data.{key}", "a number of 1 or more", getattr(config, key))
    if not config.targets:
        yield expected("data.targets", "a column to predict, or several", list(config.targets))


def _list_past(config: SeriesDataConfig, table: Description) -> list[str]:
    """Returns the targets that are numbers, whose past is part of a window."""
    return [
        name
        for name, label in table.labels.items()
        if label.dtype == "float32" and name != config.sample_weight
    ]


def _place(config: SeriesDataConfig, table: Examples) -> np.ndarray:
    """Returns (rows,) the split that each row of the table is in."""
    column = config.split.column
    if column is not None:
        return read_places(table.columns[column], column)
    places = np.full(len(table), "train", object)
    end = len(table)
    for name in ("test", "validation"):
        start = end - round(getattr(config.split, name) * len(table))
        places[start:end] = name
        end = start
    return places
