"""Lays fetched arrays out as a table that a person can read."""

import csv
import io
from collections.abc import Iterator

import numpy as np

from runner.results import FetchResult

_MOST_COLUMNS = 16


def format_table(result: FetchResult) -> str:
    """Returns a CSV table: a row an example; its row in the source, its labels, what was fetched.

    A fetch of up to 16 values an example has a column a value; of a longer one come least, mean
    and largest. A fetch with one value a class has its largest's index in front, as the class
    predicted.
    """
    columns: dict[str, np.ndarray] = {"row": result.rows}
    for name, labels in result.labels.items():
        columns |= dict(_columns(name, labels))
    for name, values in result.fetched.items():
        if result.classes is not None and values.shape[1:] == (result.classes,):
            columns[f"{name}.argmax"] = values.argmax(axis=-1)
        columns |= dict(_columns(name, values))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*[map(_format_cell, column) for column in columns.values()], strict=True))
    return text.getvalue()


def _columns(name: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    flat = values.reshape(len(values), -1)
    if values.ndim == 1:
        yield name, values
    elif flat.shape[1] <= _MOST_COLUMNS:
        for index in np.ndindex(values.shape[1:]):
            yield f"{name}[{', '.join(map(str, index))}]", values[:, *index]
    else:
        for statistic in ("min", "mean", "max"):
            yield f"{name}.{statistic}", getattr(flat, statistic)(axis=1)


def _format_cell(value: np.generic) -> str:
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)
