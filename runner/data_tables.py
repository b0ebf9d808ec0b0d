"""Lays out what the data look like, for the console."""

from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table

from models.shapes import format_shape
from runner.results import BalanceResult, ExamplesResult, LabelBalance, TensorSummary

_MOST_CLASSES = 20


def lay_out_tensors(result: ExamplesResult) -> Table:
    """Returns a row a feature and a label: what it is, and its values in short."""
    table = open_table(["data", "is", "shape", "dtype"], ["min", "mean", "max"])
    for tensor in result.tensors:
        cells = [tensor.name, _describe_kind(tensor), format_shape(tensor.shape), tensor.dtype]
        # The mean of classes says nothing.
        if tensor.classes is None:
            cells += map(_format, (tensor.least, tensor.mean, tensor.largest))
        table.add_row(*cells)
    return table


def lay_out_balance(result: BalanceResult, balance: LabelBalance) -> Table:
    """Returns a row a class and a column a split: how many examples there are.

    Of many classes those that are rarest and most frequent among the examples to train on; of a
    number, nothing but how many examples there are.
    """
    table = open_table([balance.label], list(result.examples))
    for index in _choose_classes(balance):
        counts = (f"{balance.counts[split][index]:,}" for split in result.examples)
        table.add_row(balance.classes[index], *counts)
    totals = (f"{count:,}" for count in result.examples.values())
    table.add_row("examples", *totals, style="bold")
    return table


def describe_sample(result: ExamplesResult) -> Iterator[str]:
    """Yields what the values in short are of, where it is not all of the training split."""
    if result.sampled < result.total:
        yield f"sampled  min, mean and max are of {result.sampled:,} of {result.total:,} train rows"
    for tensor in result.tensors:
        if tensor.not_finite:
            yield f"data     {tensor.name}: {tensor.not_finite:,} values are not finite"


def _describe_kind(tensor: TensorSummary) -> str:
    if not tensor.is_label:
        return "feature"
    return "label" if tensor.classes is None else f"label, {tensor.classes:,} classes"


def _choose_classes(balance: LabelBalance) -> list[int]:
    count = len(balance.classes)
    if count <= _MOST_CLASSES:
        return list(range(count))
    order = np.argsort(next(iter(balance.counts.values())), kind="stable")
    half = _MOST_CLASSES // 2
    return [*order[:half].tolist(), *order[-half:].tolist()]


def open_table(columns: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns an empty table of columns of text, then of numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _format(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"
