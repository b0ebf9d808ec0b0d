"""Gives training steps their batches, in an order, from wherever the examples are."""

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Feeder(Protocol):
    """The training examples of a run.

    Attributes:
        arrays: (examples, ...) by the name of each feed; None where they are not in memory.
        waited_seconds: How long steps have waited for their batches so far.
    """

    arrays: Arrays | None
    waited_seconds: float

    def __len__(self) -> int:
        """Returns the number of examples."""

    def iterate(self, rows: np.ndarray, start: int, end: int, batch_size: int) -> Iterator[Arrays]:
        """Yields the batches from `start` to `end` of `rows`, the last as small as it comes.

        Args:
            rows: (taken,) places among the examples; what comes after `end` may be read ahead.
            start: Where the first batch begins in it.
            end: Where the last one ends.
            batch_size: Examples in a batch.

        Raises:
            ConfigError: If an example cannot be read.
        """


class ArrayFeeder:
    """Feeds examples that are in memory."""

    def __init__(self, arrays: Arrays) -> None:
        """Feeds `arrays`, (examples, ...) by the name of each feed, in its dtype."""
        self.arrays: Arrays | None = arrays
        self.waited_seconds = 0.0
        self._arrays = arrays

    def __len__(self) -> int:
        """Returns the number of examples."""
        return len(next(iter(self._arrays.values())))

    def iterate(self, rows: np.ndarray, start: int, end: int, batch_size: int) -> Iterator[Arrays]:
        """Yields the batches from `start` to `end` of `rows`."""
        for first in range(start, end, batch_size):
            began = time.perf_counter()
            taken = rows[first : min(first + batch_size, end)]
            batch = {name: array[taken] for name, array in self._arrays.items()}
            self.waited_seconds += time.perf_counter() - began
            yield batch
