"""Lays fetched arrays out as a table that a person can read."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from runner.fetches import nest_fetches
from runner.results import FetchResult

_MOST_COLUMNS = 16
_SPARSE_PARTS = ("indices", "values", "dense_shape")


def format_table(result: FetchResult) -> str:
    """Returns a CSV table: a row an example; its row in the source, its labels, what was fetched.

    A fetch of up to 16 values an example has a column a value; of a longer one come least, mean
    and largest. A fetch with one value a class has its largest's index in front, as the class
    predicted.
    """
    columns = [("row", result.rows), *result.labels.items()]
    for name, values in result.by_example.items():
        if result.classes is not None and values.shape[1:] == (result.classes,):
            columns.append((f"{name}.argmax", values.argmax(axis=-1)))
        columns.append((name, values))
    return format_columns(columns)


def format_columns(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """Returns a CSV table: a row an example, whose values are in (examples, ...) `arrays`.

    An array of up to 16 values an example has a column a value; of a longer one come least, mean
    and largest.
    """
    columns: dict[str, np.ndarray] = {}
    for name, values in arrays:
        columns |= dict(_columns(name, values))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*[map(format_cell, column) for column in columns.values()], strict=True))
    return text.getvalue()


def format_values(result: FetchResult) -> str:
    """Returns a CSV table of the fetches that hold no value for each example: a row a fetch.

    Its shape, its dtype, its values where there are up to 16, else their least, mean and largest.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "shape", "dtype", "values", "min", "mean", "max"])
    for name, values in arrays_of(result).items():
        if name in result.batched:
            continue
        shown = values.ravel() if values.size <= _MOST_COLUMNS else values[:0].ravel()
        is_number = values.size > 0 and values.dtype.kind in "fiub"
        statistics = (values.min(), values.mean(), values.max()) if is_number else ()
        writer.writerow(
            [
                name,
                "x".join(map(str, values.shape)),
                values.dtype.name,
                " ".join(map(format_cell, shown)),
                *map(format_cell, statistics),
            ]
        )
    return text.getvalue()


def format_structure(result: FetchResult) -> str:
    """Returns, as JSON, the fetches as they are nested: the shape and dtype of each array.

    ``array`` is its name in the ``.npz`` file; a sparse value has three, an operation is null.
    """

    def describe(name: str, value: Any) -> Any:
        if value is None:
            return None
        parts = _parts(value)
        described = {
            part or "array": {
                "array": f"{name}.{part}" if part else name,
                "shape": list(array.shape),
                "dtype": array.dtype.name,
            }
            for part, array in parts.items()
        }
        return described.get("array", described)

    flat = {name: describe(name, value) for name, value in result.fetched.items()}
    return json.dumps(nest_fetches(result.structure, flat), indent=1)


def archive_of(result: FetchResult) -> dict[str, np.ndarray]:
    """Returns what is kept of fetches as arrays: the rows, their labels, and all that was fetched.

    What was fetched has its own name, a label that of ``label.digit``.
    """
    labels = {f"label.{name}": array for name, array in result.labels.items()}
    return {"row": result.rows, **labels, **arrays_of(result)}


def arrays_of(result: FetchResult) -> dict[str, np.ndarray]:
    """Returns every fetched array by name; a sparse value's three end in what they are."""
    return {
        f"{name}.{part}" if part else name: array
        for name, value in result.fetched.items()
        for part, array in _parts(value).items()
    }


def _parts(value: Any) -> dict[str, np.ndarray]:
    if value is None:
        return {}
    if isinstance(value, tuple):
        return dict(zip(_SPARSE_PARTS, map(np.asarray, value), strict=True))
    return {"": _readable(np.asarray(value))}


def _readable(array: np.ndarray) -> np.ndarray:
    """Returns `array` in a dtype that NumPy alone can read: bfloat16 and bytes are none."""
    if array.dtype.kind == "V":
        return array.astype(np.float32)
    return array.astype(np.str_) if array.dtype.kind == "O" else array


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


def format_cell(value: np.generic) -> str:
    """Returns a value to six digits if it is a float, else as it is."""
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)
