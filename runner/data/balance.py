"""Counts how often which values of the labels are in which split."""

from collections.abc import Iterator, Mapping

import numpy as np

from runner.data.examples import Dataset
from runner.data.provenance import MOST_CLASSES, count_values
from runner.results import BalanceResult, DataResult, LabelBalance

_BARS = 24
_CLASS_AXES = 2


def measure_balance(described: DataResult, dataset: Dataset) -> BalanceResult:
    """Returns the balance of each label in memory that is a class, several classes, or a number.

    Args:
        described: The same data, in which the examples of each class are counted.
        dataset: The splits.
    """
    labels = {
        name: {label: one for label, one in split.labels.items() if isinstance(one, np.ndarray)}
        for name, split in vars(dataset).items()
        if len(split)
    }
    return BalanceResult(
        examples={name: split.examples for name, split in described.splits.items()},
        labels=tuple(_measure(described, labels)),
    )


def _measure(
    described: DataResult, labels: Mapping[str, Mapping[str, np.ndarray]]
) -> Iterator[LabelBalance]:
    counted = {name: split.balance for name, split in described.splits.items()}
    for label, column in next(iter(labels.values()), {}).items():
        if all(label in balance for balance in counted.values()):
            yield _take_counts(label, {name: each[label] for name, each in counted.items()})
        elif column.ndim <= _CLASS_AXES:
            balance = _count(label, {name: _flatten(each[label]) for name, each in labels.items()})
            if balance is not None:
                yield balance


def _flatten(array: np.ndarray) -> np.ndarray:
    """Returns `array`; of one value an example, without an axis of its own."""
    return array.reshape(len(array)) if array.shape[1:] == (1,) else array


def _count(label: str, arrays: Mapping[str, np.ndarray]) -> LabelBalance | None:
    """Returns how often the values of a label are in each split; None where it is no number."""
    every = list(arrays.values())
    if all(_is_indicator(array) for array in every):
        return _count_indicators(label, arrays)
    if any(array.ndim > 1 or array.dtype.kind not in "biuf" for array in every):
        return None
    if all(array.dtype.kind in "biu" and len(np.unique(array)) <= MOST_CLASSES for array in every):
        return _take_counts(label, {name: count_values(array) for name, array in arrays.items()})
    return _count_numbers(label, arrays)


def _take_counts(label: str, counted: Mapping[str, Mapping[str, int]]) -> LabelBalance:
    """Returns counts that are there by the class's value, in the order of the values."""
    classes = sorted({value for counts in counted.values() for value in counts}, key=_order)
    counts = {
        split: np.array([counts.get(value, 0) for value in classes])
        for split, counts in counted.items()
    }
    return LabelBalance(label, tuple(classes), np.empty(0), counts)


def _order(value: str) -> tuple[bool, int, str]:
    is_number = value.lstrip("-").isdigit()
    return (not is_number, int(value) if is_number else 0, value)


def _is_indicator(array: np.ndarray) -> bool:
    """Returns whether `array` has a 1 for each class that an example is of, among zeros."""
    is_number = array.ndim == _CLASS_AXES and array.dtype.kind in "biuf"
    return is_number and bool(((array == 0) | (array == 1)).all())


def _count_indicators(label: str, arrays: Mapping[str, np.ndarray]) -> LabelBalance:
    counts = {split: (array != 0).sum(axis=0) for split, array in arrays.items()}
    classes = tuple(map(str, range(len(next(iter(counts.values()))))))
    return LabelBalance(label, classes, np.empty(0), counts)


def _count_numbers(label: str, arrays: Mapping[str, np.ndarray]) -> LabelBalance:
    """Returns the counts between edges that are the same for all splits."""
    finite = {split: array[np.isfinite(array)].astype(float) for split, array in arrays.items()}
    filled = [array for array in finite.values() if len(array)]
    low = min((float(array.min()) for array in filled), default=0.0)
    high = max((float(array.max()) for array in filled), default=0.0)
    if low == high:
        pad = abs(low) / 2 or 0.5
        low, high = low - pad, high + pad
    # Where floats are too coarse for as many, there are fewer.
    edges = np.unique(np.linspace(low, high, _BARS + 1))
    counts = {split: np.histogram(array, edges)[0] for split, array in finite.items()}
    return LabelBalance(label, (), edges, counts)
