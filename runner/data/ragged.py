"""Values whose lengths differ, padded to the longest of a batch."""

import hashlib
from collections.abc import Sequence

import numpy as np

from runner.data.examples import Blocks, LazyColumn


class RaggedReader:
    """Pads rows that are in memory."""

    blocks: Blocks | None = None
    by_tensors = None

    def __init__(self, rows: Sequence[np.ndarray], dtype: np.dtype, padding: float | str) -> None:
        """Holds `rows`, (length, ...) each, one after the other.

        Args:
            rows: The rows.
            dtype: What they are held in.
            padding: What stands after the end of a shorter one.
        """
        self.lengths: np.ndarray = np.array([len(row) for row in rows])
        self._values = np.concatenate(rows).astype(dtype)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._padding = padding

    @property
    def item_shape(self) -> tuple[int | None, ...]:
        """The shape of a row, whose length varies."""
        return (None, *self._values.shape[1:])

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns `rows`, (rows, longest, ...), by the one name that is asked for."""
        lengths = self.lengths[rows]
        longest = int(lengths.max(initial=0))
        padded = np.full(
            (len(rows), longest, *self._values.shape[1:]), self._padding, self._values.dtype
        )
        is_value = np.arange(longest) < lengths[:, np.newaxis]
        offsets = np.arange(longest) + self._starts[rows][:, np.newaxis]
        padded[is_value] = self._values[offsets[is_value]]
        return dict.fromkeys(names, padded)

    def digest(self) -> str:
        """Returns text that is another where a value or a length is."""
        digest = hashlib.blake2b(np.ascontiguousarray(self._values).data.cast("B"))
        digest.update(self.lengths.data.cast("B"))
        return digest.hexdigest()


def hold_rows(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (rows,) objects, each an array, also where all are of one length."""
    held = np.empty(len(rows), object)
    held[:] = rows
    return held


def ragged_column(name: str, rows: Sequence[np.ndarray], dtype: str, padding: float) -> LazyColumn:
    """Returns a column of rows whose lengths differ, (length, ...) each."""
    reader = RaggedReader(rows, np.dtype(dtype), padding)
    return LazyColumn(reader, name, np.arange(len(rows)), reader.item_shape, np.dtype(dtype))


def pad_rows(
    rows: Sequence[np.ndarray], dtype: str | np.dtype, length: int | None, padding: float | str
) -> np.ndarray:
    """Returns (rows, length, ...), what is longer cut at its end and what is shorter padded.

    Args:
        rows: (own length, ...) each.
        dtype: What is returned.
        length: None for that of the longest.
        padding: What stands after the end of a shorter one.
    """
    reader = RaggedReader([row[:length] for row in rows], np.dtype(dtype), padding)
    padded = reader.read(np.arange(len(rows)), ["rows"])["rows"]
    missing = 0 if length is None else length - padded.shape[1]
    return np.pad(
        padded,
        [(0, 0), (0, missing), *[(0, 0)] * (padded.ndim - 2)],
        constant_values=padding,
    )
