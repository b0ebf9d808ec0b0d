"""Examples in memory: named features and labels, row by row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

# Of TensorFlow's tensors, in bytes.
_ALIGNMENT = 64


@dataclass(frozen=True)
class Examples:
    """Rows of named features and labels.

    Attributes:
        features: (rows, ...) arrays by input name.
        labels: (rows, ...) arrays by label name; empty where there are none.
        rows: (rows,) integers, each example's row in its source.
        columns: (rows,) arrays by name, of what ``data.split`` is made by.
    """

    features: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    rows: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.rows)

    def take(self, indices: np.ndarray | slice) -> "Examples":
        """Returns the examples at `indices`, in that order; a copy where they are integers."""
        return Examples(
            features={name: _take(array, indices) for name, array in self.features.items()},
            labels={name: _take(array, indices) for name, array in self.labels.items()},
            rows=self.rows[indices],
            columns={name: array[indices] for name, array in self.columns.items()},
        )


@dataclass(frozen=True)
class Dataset:
    """The splits of a source's examples; no row is in two."""

    train: Examples
    validation: Examples
    test: Examples


def count_batches(examples: Examples, batch_size: int, *, drop_remainder: bool = False) -> int:
    """Returns how many batches ``iterate_batches`` yields."""
    return len(examples) // batch_size if drop_remainder else -(-len(examples) // batch_size)


def iterate_batches(
    examples: Examples, batch_size: int, *, drop_remainder: bool = False
) -> Iterator[Examples]:
    """Yields consecutive batches of `examples`.

    The last one is as small as it comes, or left out with `drop_remainder` where it is smaller.
    """
    for index in range(count_batches(examples, batch_size, drop_remainder=drop_remainder)):
        start = index * batch_size
        yield examples.take(slice(start, start + batch_size))


def order_epoch(count: int, seed: int, epoch: int) -> np.ndarray:
    """Returns (count,) the rows of an epoch in an order drawn from the seed and the epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def _take(array: np.ndarray, indices: np.ndarray | slice) -> np.ndarray:
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
