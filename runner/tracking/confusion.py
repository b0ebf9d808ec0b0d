"""Counts which classes are taken for which, and lays it out as tables."""

import csv
import io
from collections.abc import Iterator

import numpy as np

from runner.results import ClassifyResult
from runner.tracking.table import format_cell

# A wider table is of no use to a person, and one of every word of a vocabulary of none to a disk.
_MOST_CLASSES = 256
_MOST_VALUES = 16


def count_confusions(actual: np.ndarray, predicted: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns (classes, classes) counts: of each class, a row, how often it was taken for which.

    Args:
        actual: (examples,) integers.
        predicted: (examples,) integers.
        classes: The classes to count, in ascending order; examples of others are left out.
    """
    is_counted = np.isin(actual, classes) & np.isin(predicted, classes)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    rows = np.searchsorted(classes, actual[is_counted])
    columns = np.searchsorted(classes, predicted[is_counted])
    np.add.at(counts, (rows, columns), 1)
    return counts


def choose_classes(result: ClassifyResult, most: int) -> np.ndarray:
    """Returns all classes in ascending order; where there are more, the `most` with mistakes."""
    if result.classes <= most:
        return np.arange(result.classes)
    is_wrong = result.actual != result.predicted
    involved = np.concatenate([result.actual[is_wrong], result.predicted[is_wrong]])
    classes, mistakes = np.unique(involved, return_counts=True)
    return np.sort(classes[np.argsort(-mistakes, kind="stable")][:most])


def format_confusion(result: ClassifyResult) -> str:
    """Returns the confusion matrix as CSV: a row a class as labelled, a column as predicted.

    Of more than 256 classes it has those 256 that are in the most mistakes.
    """
    classes = choose_classes(result, _MOST_CLASSES)
    counts = count_confusions(result.actual, result.predicted, classes)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = list(map(result.name_class, classes))
    writer.writerow([f"{result.label} as labelled, by column as predicted", *names])
    writer.writerows([name, *row] for name, row in zip(names, counts, strict=True))
    return text.getvalue()


def format_mistakes(result: ClassifyResult) -> str:
    """Returns the worst mistakes as CSV, or, without one, the least certain examples.

    A row an example: its row in the source, its class, the one predicted with its probability, and
    the features that are short enough to read.
    """
    shown = result.shown
    columns = [
        ("row", result.rows[shown]),
        (result.label, _name(result, result.actual[shown])),
        ("predicted", _name(result, result.predicted[shown])),
        ("confidence", result.confidence[shown]),
    ]
    for name, values in result.features.items():
        columns += _read_short(name, values)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*[map(format_cell, column) for _, column in columns], strict=True))
    return text.getvalue()


def _name(result: ClassifyResult, classes: np.ndarray) -> np.ndarray:
    return np.array(list(map(result.name_class, classes)), object)


def _read_short(name: str, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields a column a value of an example, where there are no more than 16."""
    indices = list(np.ndindex(values.shape[1:])) if values[:1].size <= _MOST_VALUES else []
    for index in indices:
        place = f"[{', '.join(map(str, index))}]" if index else ""
        yield f"{name}{place}", values[:, *index]
