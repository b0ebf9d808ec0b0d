"""Looks at some examples of a split, and at their values in short."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from runner.data.examples import Examples
from runner.data.memory import VARYING_LENGTH
from runner.results import ExamplesResult, LabelBalance, TensorSummary

# What is looked at of columns that may be larger than memory.
_MOST_ROWS = 8192
_MOST_BYTES = 64 << 20
# Rows beside one another are read at once, and rows far apart are unlike one another.
_BLOCKS = 16
# A file may have to be read in large parts, each for the sake of a block.
_LAZY_BLOCKS = 4


def sample_examples(
    examples: Examples,
    balances: tuple[LabelBalance, ...],
    show: int,
    *,
    names: Mapping[str, Sequence[str]] | None = None,
) -> ExamplesResult:
    """Returns a few examples and the values of more in short; of a small split, of all.

    Args:
        examples: A split; columns are only read in the rows that are looked at.
        balances: The labels that are counted.
        show: How many examples to return.
        names: By label, what its classes are called in those; none for the numbers themselves.

    Raises:
        ConfigError: If a row cannot be read.
    """
    blocks = _LAZY_BLOCKS if examples.lazy else _BLOCKS
    indices = spread_rows(examples.rows, _count_rows(examples, show), blocks)
    batch = examples.take(indices)
    shown = _spread(len(indices), show)
    columns = {**examples.features, **examples.labels}
    shapes = {name: column.shape[1:] for name, column in columns.items()}
    classes = {one.label: len(one.classes) for one in balances if one.classes}
    return ExamplesResult(
        tensors=(
            *(_summarize(name, array, shapes[name]) for name, array in batch.features.items()),
            *(
                _summarize(name, array, shapes[name], classes, is_label=True)
                for name, array in batch.labels.items()
            ),
        ),
        sampled=len(indices),
        total=len(examples),
        rows=batch.rows[shown],
        features={name: array[shown] for name, array in batch.features.items()},
        labels={
            name: _name_classes(array[shown], (names or {}).get(name, ()))
            for name, array in batch.labels.items()
        },
    )


def _name_classes(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Returns (shown,) the names of classes, or `values` where they are no classes with names."""
    if not names or values.ndim > 1 or values.dtype.kind not in "iu":
        return values
    named: np.ndarray = np.array(names)[values]
    return named


def spread_rows(rows: np.ndarray, count: int, blocks: int) -> np.ndarray:
    """Returns the places of about `count` of `rows` in the order of the source, in a few blocks.

    Args:
        rows: (rows,) integers, each example's row in its source.
        count: How many to choose; all are where there are no more.
        blocks: In how many blocks of rows beside one another, at the most.
    """
    order = np.argsort(rows, kind="stable")
    if len(order) <= count:
        return order
    blocks = min(blocks, count)
    starts = np.linspace(0, len(order) - count // blocks, blocks).astype(int)
    places = (starts[:, np.newaxis] + np.arange(count // blocks)).ravel()
    # Blocks of nearly all rows overlap.
    chosen: np.ndarray = order[np.unique(places)]
    return chosen


def _count_rows(examples: Examples, show: int) -> int:
    """Returns how many rows are looked at, by what they take in memory."""
    row_bytes = 1
    for column in (*examples.features.values(), *examples.labels.values()):
        sizes = (VARYING_LENGTH if axis is None else axis for axis in column.shape[1:])
        row_bytes += math.prod(sizes) * column.dtype.itemsize
    return max(min(_MOST_ROWS, _MOST_BYTES // row_bytes), show, 1)


def _spread(count: int, show: int) -> np.ndarray:
    """Returns `show` of `count` places, evenly spread; all where there are no more."""
    return np.linspace(0, count - 1, min(show, count)).astype(int)


def _summarize(
    name: str,
    array: np.ndarray,
    shape: tuple[int | None, ...],
    classes: Mapping[str, int] | None = None,
    *,
    is_label: bool = False,
) -> TensorSummary:
    is_text = array.dtype.kind in "OSU"
    numbers = array.astype(np.float64) if array.dtype.kind in "biuf" else np.empty(0)
    finite = numbers[np.isfinite(numbers)]
    return TensorSummary(
        name=name,
        is_label=is_label,
        shape=shape,
        dtype="string" if is_text else array.dtype.name,
        classes=(classes or {}).get(name),
        least=float(finite.min()) if finite.size else np.nan,
        mean=float(finite.mean()) if finite.size else np.nan,
        largest=float(finite.max()) if finite.size else np.nan,
        not_finite=int(numbers.size - finite.size),
    )
