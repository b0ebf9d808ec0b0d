"""Orders the examples of an epoch, the same way on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.config import ExperimentConfig
from runner.data.examples import Blocks, Examples


@dataclass(frozen=True)
class Order:
    """The order in which examples are taken.

    Attributes:
        rows: (taken,) integers, places among the examples.
        window_ends: (windows,) integers, the ends of stretches of it that are read in one go; None
            where each batch is.
    """

    rows: np.ndarray
    window_ends: np.ndarray | None = None

    def cut(self, count: int) -> "Order":
        """Returns the first `count` of it."""
        if self.window_ends is None:
            return Order(self.rows[:count])
        return Order(self.rows[:count], np.minimum(self.window_ends, count))


def order_training(config: ExperimentConfig, examples: Examples, epoch: int) -> Order:
    """Returns the order of an epoch of training, all examples in it; epochs count from 1."""
    return order_epoch(
        examples,
        config.seed,
        epoch,
        buckets=config.data.buckets,
        batch_size=config.data.batch_size,
    )


def keep_order(examples: Examples) -> Order:
    """Returns the examples' own order."""
    rows = np.arange(len(examples))
    found = _find_blocks(examples)
    if found is None:
        return Order(rows)
    blocks, source_rows = found
    block = np.searchsorted(blocks.ends, source_rows, side="right")
    return Order(rows, _end_windows(block, blocks.together))


def order_epoch(
    examples: Examples, seed: int, epoch: int, *, buckets: Sequence[int] = (), batch_size: int = 1
) -> Order:
    """Returns an order of the examples that is drawn from the seed and the epoch.

    What can be read row by row is shuffled as a whole. What is read in blocks is shuffled by
    blocks, and within windows of blocks that are read together.

    Args:
        examples: The examples.
        seed: The run's seed.
        epoch: Counted from 1.
        buckets: Lengths, ascending: those up to the same one come in batches of their own.
        batch_size: Examples in a batch, for `buckets`.
    """
    generator = np.random.default_rng([seed, epoch])
    found = _find_blocks(examples)
    if found is not None:
        return _shuffle_windows(*found, generator)
    rows = generator.permutation(len(examples))
    lengths = _find_lengths(examples) if buckets else None
    if lengths is None:
        return Order(rows)
    return Order(_sort_into_buckets(rows, lengths[rows], buckets, batch_size, generator))


def _find_blocks(examples: Examples) -> tuple[Blocks, np.ndarray] | None:
    """Returns the blocks that examples are read in, and the reader's row of each example."""
    for column in examples.lazy.values():
        if column.reader.blocks is not None:
            return column.reader.blocks, column.rows
    return None


def _find_lengths(examples: Examples) -> np.ndarray | None:
    """Returns the length of each example, the longest one of its features."""
    found = [
        column.reader.lengths[column.rows]
        for column in examples.lazy.values()
        if column.reader.lengths is not None
    ]
    return np.maximum.reduce(found) if found else None


def _shuffle_windows(
    blocks: Blocks, source_rows: np.ndarray, generator: np.random.Generator
) -> Order:
    runs = generator.permutation(blocks.runs.max() + 1)
    # Stable, so that the blocks of a run stay in order.
    block_order = np.argsort(np.argsort(runs)[blocks.runs], kind="stable")
    window_of_block = (np.argsort(block_order) // blocks.together).astype(np.int32)
    window = window_of_block[np.searchsorted(blocks.ends, source_rows, side="right")]
    # There may be very many.
    rows = np.lexsort((generator.random(len(source_rows), np.float32), window)).astype(np.int32)
    return Order(rows, _end_windows(window[rows], 1))


def _end_windows(block: np.ndarray, together: int) -> np.ndarray:
    """Returns where each stretch of `together` values of `block`, which ascend, ends."""
    window = block // together
    return np.append(np.flatnonzero(np.diff(window)) + 1, len(block))


def _sort_into_buckets(
    rows: np.ndarray,
    lengths: np.ndarray,
    buckets: Sequence[int],
    batch_size: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Returns `rows` in batches of one bucket each, these in random order.

    What is left of each bucket, less than a batch, comes last, the shortest first.
    """
    bucket = np.searchsorted(np.asarray(buckets), lengths)
    whole, left = [], []
    for index in range(len(buckets) + 1):
        within = rows[bucket == index]
        count = len(within) // batch_size * batch_size
        whole += list(within[:count].reshape(-1, batch_size))
        left.append(within[count:])
    drawn = generator.permutation(len(whole))
    return np.concatenate([*(whole[index] for index in drawn), *left]).astype(rows.dtype)
