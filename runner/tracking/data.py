"""Lays out as tables what the data of a run look like."""

from collections.abc import Iterator, Sequence

import numpy as np

from runner.results import BalanceResult, ExamplesResult, LabelBalance
from runner.tracking.pictures.kinds import choose_kinds
from runner.tracking.rows import format_rows
from runner.tracking.table import format_columns

_MOST_LETTERS = 80


def format_balance(result: BalanceResult) -> str:
    """Returns a CSV table: a row a class, or a range of numbers, and how many of each split."""
    splits = list(result.examples)
    rows = (row for balance in result.labels for row in _list_counts(balance, splits))
    return format_rows(["label", "class", "from", "to", *splits], rows)


def _list_counts(balance: LabelBalance, splits: Sequence[str]) -> Iterator[list[object]]:
    for index in range(len(balance.classes) or len(balance.edges) - 1):
        counts = [balance.counts[split][index] for split in splits]
        if balance.classes:
            yield [balance.label, balance.classes[index], "", "", *counts]
        else:
            low, high = balance.edges[index : index + 2]
            yield [balance.label, "", f"{low:.6g}", f"{high:.6g}", *counts]


def format_schema(result: ExamplesResult) -> str:
    """Returns a CSV table: a row a feature and a label, and its values in short."""
    header = ["name", "is", "shape", "dtype", "classes", "min", "mean", "max", "not_finite", "rows"]
    rows = (
        [
            tensor.name,
            "label" if tensor.is_label else "feature",
            "x".join("?" if axis is None else str(axis) for axis in tensor.shape),
            tensor.dtype,
            "" if tensor.classes is None else tensor.classes,
            *(
                "" if np.isnan(value) else f"{value:.6g}"
                for value in (tensor.least, tensor.mean, tensor.largest)
            ),
            tensor.not_finite,
            result.sampled,
        ]
        for tensor in result.tensors
    )
    return format_rows(header, rows)


def format_examples(result: ExamplesResult) -> str:
    """Returns a CSV table: a row an example; its row in the source, its labels, its features.

    Of a value that is a picture the table has nothing, of a long one its least, mean and largest,
    and of a long text the beginning.
    """
    shown = {
        name: values
        for name, values in result.features.items()
        if choose_kinds(values, len(values)) != ("images",)
    }
    named = [*result.labels.items(), *shown.items()]
    columns = [("row", result.rows), *((name, _shorten(values)) for name, values in named)]
    return format_columns(columns)


def _shorten(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "OSU":
        return values
    texts = np.asarray(values.astype(np.str_))
    return (
        texts.astype(f"<U{_MOST_LETTERS}") if texts.dtype.itemsize // 4 > _MOST_LETTERS else texts
    )
