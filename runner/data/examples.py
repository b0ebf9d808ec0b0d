"""Examples: named features and labels, row by row, in memory or read when they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np

# Of TensorFlow's tensors, in bytes.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Blocks:
    """How the rows of a reader lie in blocks, each of which is read as a whole.

    Attributes:
        ends: (blocks,) integers, the row after the last one of each block, in order.
        runs: (blocks,) integers, the run that each is part of; blocks of a run are read in order.
        together: How many blocks in a row may be held at once.
    """

    ends: np.ndarray
    runs: np.ndarray
    together: int


class Reader(Protocol):
    """Reads values by row: from files that memory may not hold, or of lengths that differ."""

    @property
    def blocks(self) -> Blocks | None:
        """How its rows lie in blocks; None where each row is read for itself."""

    @property
    def lengths(self) -> np.ndarray | None:
        """The length of each row, (rows,) integers, of which a batch takes the longest, or None."""

    @property
    def by_tensors(self) -> Callable[[Any], Mapping[str, Any]] | None:
        """A function of a row's number to its values, both tensors; None where Python reads."""

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns the values of `rows` by the name of what is read, (rows, ...) each.

        Raises:
            ConfigError: If a row cannot be read, or is not as declared.
        """

    def digest(self) -> str:
        """Returns text that is another where the content is."""


@dataclass(frozen=True)
class LazyColumn:
    """A feature whose values are read when they are asked for.

    Attributes:
        reader: What reads it, with other columns of the same reader in one go.
        name: What the reader calls it.
        rows: (rows,) integers, the reader's rows that it has.
        item_shape: The shape of one value, None where it varies.
        dtype: What is returned.
    """

    reader: Reader
    name: str
    rows: np.ndarray
    item_shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(rows, ...), None where it varies."""
        return (len(self.rows), *self.item_shape)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.rows)

    def __getitem__(self, indices: np.ndarray | slice) -> np.ndarray:
        """Reads the values at `indices`, (indices, ...)."""
        return self.cast(self.reader.read(self.rows[indices], [self.name])[self.name])

    def astype(self, dtype: Any, *, copy: bool = True) -> "LazyColumn":
        """Returns the column whose values are cast to `dtype` when they are read."""
        return replace(self, dtype=np.dtype(dtype))

    def cast(self, values: np.ndarray) -> np.ndarray:
        """Returns what the reader gave in the dtype of the column."""
        return values.astype(self.dtype, copy=False)


Column: TypeAlias = np.ndarray | LazyColumn


@dataclass(frozen=True)
class Examples:
    """Rows of named features and labels.

    Attributes:
        features: (rows, ...) columns by input name.
        labels: (rows, ...) columns by label name; empty where there are none.
        rows: (rows,) integers, each example's row in its source.
        columns: (rows,) arrays by name, of what ``data.split`` is made by.
        ids: (rows,) what the source calls each example; None where it has no names.
        further: Examples of files that are a split each, by its name; they are not among the rows.
    """

    features: Mapping[str, Column]
    labels: Mapping[str, Column]
    rows: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    ids: np.ndarray | None = None
    further: Mapping[str, "Examples"] = field(default_factory=dict)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.rows)

    @property
    def lazy(self) -> dict[str, LazyColumn]:
        """The features and labels that are read when they are asked for, by name."""
        every = {**self.features, **self.labels}
        return {name: column for name, column in every.items() if isinstance(column, LazyColumn)}

    def select(self, indices: np.ndarray | slice) -> "Examples":
        """Returns the examples at `indices`, in that order; what is lazy is not read.

        Arrays are copied where `indices` are integers.
        """
        # Columns of one reader share their rows, by which they are known to be read together.
        chosen = self._select_rows(indices)
        shared = {id(self.rows): chosen["rows"]}
        for column in self.lazy.values():
            if id(column.rows) not in shared:
                shared[id(column.rows)] = column.rows[indices]

        def select(columns: Mapping[str, Column]) -> dict[str, Column]:
            return {
                name: replace(column, rows=shared[id(column.rows)])
                if isinstance(column, LazyColumn)
                else take_rows(column, indices)
                for name, column in columns.items()
            }

        return Examples(select(self.features), select(self.labels), **chosen)

    def take(self, indices: np.ndarray | slice) -> "Batch":
        """Returns the examples at `indices`, in that order, in memory.

        Raises:
            ConfigError: If one cannot be read.
        """
        read = read_columns(self.lazy, indices)

        def take(columns: Mapping[str, Column]) -> dict[str, np.ndarray]:
            return {
                name: read[name] if isinstance(column, LazyColumn) else take_rows(column, indices)
                for name, column in columns.items()
            }

        return Batch(take(self.features), take(self.labels), **self._select_rows(indices))

    def _select_rows(self, indices: np.ndarray | slice) -> dict[str, Any]:
        return {
            "rows": self.rows[indices],
            "columns": {name: array[indices] for name, array in self.columns.items()},
            "ids": None if self.ids is None else self.ids[indices],
        }


@dataclass(frozen=True)
class Batch(Examples):
    """Examples of which all is in memory."""

    features: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Features and labels by name."""
        return {**self.features, **self.labels}


@dataclass(frozen=True)
class Dataset:
    """The splits of a source's examples; no row is in two."""

    train: Examples
    validation: Examples
    test: Examples


def read_columns(
    columns: Mapping[str, LazyColumn], indices: np.ndarray | slice
) -> dict[str, np.ndarray]:
    """Returns the values of columns at `indices`, those of one reader read in one go."""
    read: dict[str, np.ndarray] = {}
    for name, column in columns.items():
        if name in read:
            continue
        together = {
            other: one
            for other, one in columns.items()
            if one.reader is column.reader and one.rows is column.rows
        } or {name: column}
        values = column.reader.read(
            column.rows[indices], list(dict.fromkeys(one.name for one in together.values()))
        )
        read |= {other: one.cast(values[one.name]) for other, one in together.items()}
    return read


def decode_texts(values: np.ndarray) -> np.ndarray:
    """Returns an array of bytes, as TensorFlow gives texts, as one of texts in objects."""
    texts = np.empty(values.shape, object)
    texts.reshape(-1)[:] = [value.decode() for value in values.reshape(-1)]
    return texts


def count_batches(examples: Examples, batch_size: int, *, drop_remainder: bool = False) -> int:
    """Returns how many batches there are, a smaller last one left out with `drop_remainder`."""
    return len(examples) // batch_size if drop_remainder else -(-len(examples) // batch_size)


def take_rows(array: np.ndarray, indices: np.ndarray | slice) -> np.ndarray:
    """Returns rows of an array; a copy, in memory that a graph can share, of integers."""
    if isinstance(indices, slice) or array.dtype.hasobject:
        return array[indices]
    taken = _allocate((len(indices), *array.shape[1:]), array.dtype)
    np.take(array, indices, axis=0, out=taken, mode="clip")
    return taken


def _allocate(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Returns an array whose memory begins where a tensor's does, so that a graph can share it."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
