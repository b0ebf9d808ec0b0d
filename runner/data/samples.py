"""Looks at some examples of a split, and at their values in short."""

from collections.abc import Mapping

import numpy as np

from runner.data.examples import Examples
from runner.results import ExamplesResult, LabelBalance, TensorSummary

# What is looked at of columns that may be larger than memory.
_MOST_ROWS = 8192
_MOST_BYTES = 64 << 20
# Rows beside one another are read at once, and rows far apart are unlike one another.
_BLOCKS = 16


def sample_examples(
    examples: Examples, balances: tuple[LabelBalance, ...], show: int
) -> ExamplesResult:
    """Returns a few examples and the values of more in short; of a small split, of all.

    Args:
        examples: A split; columns are only read in the rows that are looked at.
        balances: The labels that are counted.
        show: How many examples to return.
    """
    indices = choose_rows(examples.rows, _count_rows(examples, show))
    shown = _spread(len(indices), show)
    features = {name: _read(array, indices) for name, array in examples.features.items()}
    labels = {name: _read(array, indices) for name, array in examples.labels.items()}
    classes = {one.label: len(one.classes) for one in balances if one.classes}
    return ExamplesResult(
        tensors=(
            *(_summarize(name, array) for name, array in features.items()),
            *(_summarize(name, array, classes, is_label=True) for name, array in labels.items()),
        ),
        sampled=len(indices),
        total=len(examples),
        rows=examples.rows[indices[shown]],
        features={name: array[shown] for name, array in features.items()},
        labels={name: array[shown] for name, array in labels.items()},
    )


def choose_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of about `count` of `rows` in the order of the source, in a few blocks.

    Args:
        rows: (rows,) integers, each example's row in its source.
        count: How many to choose; all are where there are no more.
    """
    order = np.argsort(rows, kind="stable")
    if len(order) <= count:
        return order
    blocks = min(_BLOCKS, count)
    starts = np.linspace(0, len(order) - count // blocks, blocks).astype(int)
    places = (starts[:, np.newaxis] + np.arange(count // blocks)).ravel()
    # Blocks of nearly all rows overlap.
    chosen: np.ndarray = order[np.unique(places)]
    return chosen


def _count_rows(examples: Examples, show: int) -> int:
    """Returns how many rows are looked at, by what they take in memory."""
    arrays = [*examples.features.values(), *examples.labels.values()]
    row_bytes = sum(int(np.prod(array.shape[1:])) * array.dtype.itemsize for array in arrays)
    return max(min(_MOST_ROWS, _MOST_BYTES // max(row_bytes, 1)), show, 1)


def _spread(count: int, show: int) -> np.ndarray:
    """Returns `show` of `count` places, evenly spread; all where there are no more."""
    return np.linspace(0, count - 1, min(show, count)).astype(int)


def _read(column: np.ndarray, indices: np.ndarray) -> np.ndarray:
    return np.asarray(column[indices])


def _summarize(
    name: str,
    array: np.ndarray,
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
        shape=array.shape[1:],
        dtype="string" if is_text else array.dtype.name,
        classes=(classes or {}).get(name),
        least=float(finite.min()) if finite.size else np.nan,
        mean=float(finite.mean()) if finite.size else np.nan,
        largest=float(finite.max()) if finite.size else np.nan,
        not_finite=int(numbers.size - finite.size),
    )
