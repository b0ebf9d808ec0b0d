"""Draws which classes are taken for which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runner.results import ClassifyResult
from runner.tracking.confusion import choose_classes, count_confusions
from runner.tracking.pictures.scales import Scale
from runner.tracking.pictures.sheet import (
    FAINT,
    INK,
    LINE_HEIGHT,
    Sheet,
    measure,
    shorten,
)

_MOST_CLASSES = 30
_RIGHT = Scale(-0.08, 1.25, "Blues")
_WRONG = Scale(-0.2, 1.1, "Reds")
_CELL = {10: 52, 20: 40, _MOST_CLASSES: 32}
_LEAST_LEFT, _LABEL = 64, 28
_MOST_LETTERS = 18
_SHARES = 64
_DARK = 0.55
_SMALL = 7.0
_EMPTY = (246, 247, 249)


@dataclass(frozen=True)
class _Grid:
    """Where the cells are: the corner of the first and the side of each, in pixels."""

    left: int
    top: int
    cell: int


def draw_confusion(result: ClassifyResult) -> bytes:
    """Returns the confusion matrix as PNG: a row a class as labelled, a column as predicted.

    Cells are coloured by their share of the row: blue if right, red if not. Of more than 30 classes
    it has those 30 that are in the most mistakes.
    """
    classes = choose_classes(result, _MOST_CLASSES)
    counts = count_confusions(result.actual, result.predicted, classes)
    cell = next(side for most, side in _CELL.items() if len(classes) <= most)
    names = [shorten(result.name_class(one), _MOST_LETTERS) for one in classes]
    width = measure(names)
    left = max(_LEAST_LEFT, _LABEL + width + 8)
    is_upright = width > cell
    top = LINE_HEIGHT + 8 + (width + 8 if is_upright else LINE_HEIGHT)
    total = len(result.actual)
    right = total - result.mistakes
    share = f" ({right / total:.1%})" if total else ""
    sheet = Sheet(
        f"{result.output}: {right:,} of {total:,} {result.split} examples right{share}",
        _notes(result, len(classes)),
        left + len(classes) * cell + _SHARES,
        top + len(classes) * cell + LINE_HEIGHT + 8,
    )
    grid = _Grid(left, top, cell)
    _draw_cells(sheet, counts, grid)
    _name_classes(sheet, result.label, names, grid, is_upright=is_upright)
    _draw_shares(sheet, result, classes, grid)
    return sheet.to_png()


def _notes(result: ClassifyResult, shown: int) -> list[str]:
    notes = [
        "right: the share of each class that is found; below: of each prediction that is right"
    ]
    if shown < result.classes:
        notes.append(f"the {shown} of {result.classes:,} classes that are in the most mistakes")
    if result.left_out:
        notes.append(f"{result.left_out:,} more examples have no class or no finite output")
    return notes


def _draw_cells(sheet: Sheet, counts: np.ndarray, grid: _Grid) -> None:
    cell = grid.cell
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, wrong = _RIGHT.paint(shares), _WRONG.paint(shares)
    for row, column in np.ndindex(counts.shape):
        colours = right if row == column else wrong
        colour = colours[row, column] if counts[row, column] else _EMPTY
        x, y = grid.left + column * cell, grid.top + row * cell
        sheet.place(x, y, np.full((cell - 1, cell - 1, 3), colour, np.uint8))
        if counts[row, column]:
            sheet.write(
                x + cell / 2,
                y + cell / 2,
                f"{counts[row, column]:,}",
                size=8.5 if cell > _CELL[_MOST_CLASSES] else _SMALL,
                colour="white" if shares[row, column] > _DARK else INK,
                align="center",
                is_middle=True,
            )


def _name_classes(
    sheet: Sheet, label: str, names: Sequence[str], grid: _Grid, *, is_upright: bool
) -> None:
    left, top, cell = grid.left, grid.top, grid.cell
    middle = len(names) * cell / 2
    sheet.write(left + middle, 0, "predicted", align="center", colour=FAINT)
    sheet.write(8, top + middle, label, rotation=90, align="center", is_middle=True, colour=FAINT)
    for index, name in enumerate(names):
        at = index * cell + cell / 2
        if is_upright:
            sheet.write(left + at, top - 4, name, align="center", is_lower=True, rotation=90)
        else:
            sheet.write(left + at, top - LINE_HEIGHT, name, align="center")
        sheet.write(left - 8, top + at, name, align="right", is_middle=True)


def _draw_shares(sheet: Sheet, result: ClassifyResult, classes: np.ndarray, grid: _Grid) -> None:
    """Writes recall and precision, over all classes, beside those that are drawn."""
    cell = grid.cell
    is_right = result.actual == result.predicted
    end = len(classes) * cell
    for index, name in enumerate(classes):
        at = index * cell + cell / 2
        recall = _share(is_right[result.actual == name])
        precision = _share(is_right[result.predicted == name])
        y, x = grid.top + at, grid.left + at
        sheet.write(grid.left + end + 8, y, recall, size=_SMALL, colour=FAINT, is_middle=True)
        sheet.write(x, grid.top + end + 8, precision, size=_SMALL, colour=FAINT, align="center")


def _share(is_right: np.ndarray) -> str:
    return f"{is_right.mean():.0%}" if is_right.size else ""
