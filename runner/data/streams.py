"""Reads examples ahead of their use, by tf.data, in batches.

What is in memory is taken from there; what is lazy is read by threads of tf.data while the batches
before are used.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from runner.data.examples import (
    Batch,
    Column,
    Examples,
    LazyColumn,
    count_batches,
    decode_texts,
    read_columns,
)
from runner.data.memory import VARYING_LENGTH
from runner.data.ordering import Order, keep_order
from runner.data.ragged import RaggedReader

_BATCHES_AHEAD = 4
_WINDOWS_AHEAD = 1
# What a text is taken to take in memory, in bytes.
_TEXT_BYTES = 1024


def iterate_batches(
    examples: Examples, batch_size: int, *, drop_remainder: bool = False
) -> Iterator[Batch]:
    """Yields consecutive batches of `examples`, those to come being read ahead.

    The last one is as small as it comes, or left out with `drop_remainder` where it is smaller.

    Raises:
        ConfigError: If an example cannot be read.
    """
    count = count_batches(examples, batch_size, drop_remainder=drop_remainder)
    if examples.lazy:
        rows = min(count * batch_size, len(examples))
        yield from open_stream(examples, keep_order(examples).cut(rows), batch_size)
        return
    for start in range(0, count * batch_size, batch_size):
        yield examples.take(slice(start, start + batch_size))


def iterate_features(
    examples: Examples, names: Sequence[str], batch_bytes: int
) -> Iterator[Mapping[str, np.ndarray]]:
    """Yields batches of the named features of `examples`, each example once, without padding.

    They are consecutive, but where lengths differ: then a batch is of examples of one length, and
    those without any value are left out.

    Args:
        examples: The examples.
        names: The features.
        batch_bytes: About what a batch takes in memory, if it is of more than one example.

    Raises:
        ConfigError: If an example cannot be read.
    """
    named = {name: examples.features[name] for name in names}
    row_bytes = sum(map(_guess_bytes, named.values()))
    narrowed = Examples(features=named, labels={}, rows=examples.rows)
    batch_size = max(batch_bytes // max(row_bytes, 1), 1)
    varying = [column for column in narrowed.lazy.values() if None in column.item_shape]
    if not varying:
        yield from (batch.features for batch in iterate_batches(narrowed, batch_size))
    elif all(isinstance(column.reader, RaggedReader) for column in varying):
        for rows in _cut_by_length(varying, batch_size):
            yield narrowed.take(rows).features
    else:
        # What is read alone is not padded.
        for batch in iterate_batches(narrowed, 1):
            if all(array.size for array in batch.features.values()):
                yield batch.features


def _cut_by_length(columns: Sequence[LazyColumn], batch_size: int) -> Iterator[np.ndarray]:
    """Yields the places of up to `batch_size` examples, whose values are all of one length."""
    lengths = np.stack(
        [
            column.reader.lengths[column.rows]
            for column in columns
            if column.reader.lengths is not None
        ]
    )
    order = np.lexsort(lengths)
    order = order[lengths[:, order].any(axis=0)]
    ends = np.flatnonzero(np.diff(lengths[:, order]).any(axis=0)) + 1
    for rows in np.split(order, ends):
        for start in range(0, len(rows), batch_size):
            yield rows[start : start + batch_size]


def open_stream(examples: Examples, order: Order, batch_size: int) -> Iterator[Batch]:
    """Yields batches of `examples` in an order, the last one as small as it comes.

    Args:
        examples: The examples, of which something is lazy.
        order: Which of them to take.
        batch_size: Examples in a batch.

    Raises:
        ConfigError: If an example cannot be read.
    """
    reading = _Reading(examples, order)
    batches = reading.open(batch_size)
    in_memory = _without(examples, reading.lazy)
    for start in range(0, len(order.rows), batch_size):
        rows = order.rows[start : start + batch_size]
        try:
            read = next(batches)
        except tf.errors.OpError:
            reading.raise_first()
            # TensorFlow does not say which row it was; to read each for itself does.
            for row in rows:
                examples.take(np.array([row]))
            raise
        yield _join(in_memory.take(rows), examples, read)


class StreamFeeder:
    """Feeds the batches of a run's training examples, read from where they are."""

    arrays: Mapping[str, np.ndarray] | None = None

    def __init__(self, examples: Examples) -> None:
        """Reads nothing yet."""
        self.waited_seconds = 0.0
        self._examples = examples
        self._order = Order(np.arange(0))
        self._position = -1
        self._stream: Iterator[Batch] = iter(())

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(self._examples)

    def open(self, order: Order) -> None:
        """Takes the order of the batches to come."""
        self._order, self._position = order, -1

    def iterate(
        self, rows: np.ndarray, start: int, end: int, batch_size: int
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Yields the batches from `start` to `end` of `rows`, the order that was opened."""
        if rows is not self._order.rows:
            self._order, self._position = Order(rows), -1
        if start != self._position:
            ends = self._order.window_ends
            rest = Order(rows[start:], None if ends is None else np.maximum(ends - start, 0))
            self._stream = open_stream(self._examples, rest, batch_size)
        while start < end:
            began = time.perf_counter()
            batch = next(self._stream)
            self.waited_seconds += time.perf_counter() - began
            start = self._position = start + len(batch)
            yield batch.arrays


class _Reading:
    """A tf.data pipeline over what is lazy."""

    def __init__(self, examples: Examples, order: Order) -> None:
        self.lazy = examples.lazy
        self._errors: dict[int, Exception] = {}
        self._order = order

    def raise_first(self) -> None:
        """Raises what went wrong first in the order; several batches are read at once."""
        if self._errors:
            raise self._errors[min(self._errors)]

    def open(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """Returns an iterator over the values of each batch by name."""
        by_reader: dict[int, dict[str, LazyColumn]] = {}
        for name, column in self.lazy.items():
            by_reader.setdefault(id(column.reader), {})[name] = column
        parts = [self._read(together, batch_size) for together in by_reader.values()]
        dataset = tf.data.Dataset.zip(tuple(parts)).prefetch(_BATCHES_AHEAD)
        for values in dataset.as_numpy_iterator():
            yield {name: array for part in values for name, array in part.items()}

    def _read(self, columns: Mapping[str, LazyColumn], batch_size: int) -> Any:
        """Returns the dataset of the batches of the columns of one reader."""
        first = next(iter(columns.values()))
        function = first.reader.by_tensors
        if function is None:
            return self._read_in_python(columns, batch_size)

        def read(row: tf.Tensor) -> dict[str, tf.Tensor]:
            values = function(row)
            return {name: values[column.name] for name, column in columns.items()}

        rows = tf.data.Dataset.from_tensor_slices(first.rows[self._order.rows])
        return rows.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(batch_size)

    def _read_in_python(self, columns: Mapping[str, LazyColumn], batch_size: int) -> Any:
        order, names = self._order, list(columns)
        dtypes = [tf.as_dtype(column.dtype) for column in columns.values()]
        in_windows = order.window_ends is not None
        ends = order.window_ends
        if ends is None:
            ends = np.append(np.arange(batch_size, len(order.rows), batch_size), len(order.rows))
        starts = np.concatenate([[0], ends[:-1]])

        def read(start: np.ndarray, end: np.ndarray) -> list[np.ndarray]:
            try:
                values = read_columns(columns, order.rows[int(start) : int(end)])
            except Exception as error:
                self._errors[int(start)] = error
                raise
            return [values[name] for name in names]

        def read_tensors(start: tf.Tensor, end: tf.Tensor) -> dict[str, tf.Tensor]:
            tensors = tf.numpy_function(read, [start, end], dtypes)
            for tensor, column in zip(tensors, columns.values(), strict=True):
                tensor.set_shape([None, *column.item_shape])
            return dict(zip(names, tensors, strict=True))

        used = starts < ends
        windows = tf.data.Dataset.from_tensor_slices((starts[used], ends[used]))
        if not in_windows:
            return windows.map(read_tensors, num_parallel_calls=tf.data.AUTOTUNE)
        return windows.map(read_tensors).prefetch(_WINDOWS_AHEAD).rebatch(batch_size)


def _guess_bytes(column: Column) -> int:
    """Returns what one value of a column takes in memory, where that varies a guess."""
    item_bytes = _TEXT_BYTES if column.dtype.hasobject else column.dtype.itemsize
    lengths = [VARYING_LENGTH if length is None else length for length in column.shape[1:]]
    return item_bytes * math.prod(lengths)


def _without(examples: Examples, lazy: Mapping[str, LazyColumn]) -> Examples:
    """Returns what of `examples` is in memory."""
    return Examples(
        features={name: one for name, one in examples.features.items() if name not in lazy},
        labels={name: one for name, one in examples.labels.items() if name not in lazy},
        rows=examples.rows,
        columns=examples.columns,
        ids=examples.ids,
    )


def _join(taken: Batch, examples: Examples, read: Mapping[str, np.ndarray]) -> Batch:
    """Returns a batch of what was in memory and what was read."""
    arrays = {**taken.arrays}
    for name, column in examples.lazy.items():
        values = read[name]
        if column.dtype.hasobject:
            # TensorFlow gives text as bytes.
            values = decode_texts(values)
        arrays[name] = column.cast(values)
    return Batch(
        features={name: arrays[name] for name in examples.features},
        labels={name: arrays[name] for name in examples.labels},
        rows=taken.rows,
        columns=taken.columns,
        ids=taken.ids,
    )
