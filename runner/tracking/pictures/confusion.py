"""Draws which classes are taken for which."""

import numpy as np

from runner.results import ClassifyResult
from runner.tracking.confusion import choose_classes, count_confusions
from runner.tracking.pictures.scales import Scale
from runner.tracking.pictures.sheet import FAINT, INK, LINE_HEIGHT, Sheet

_MOST_CLASSES = 30
_RIGHT = Scale(-0.08, 1.25, "Blues")
_WRONG = Scale(-0.2, 1.1, "Reds")
_CELL = {10: 52, 20: 40, _MOST_CLASSES: 32}
_LEFT, _TOP = 64, 2 * LINE_HEIGHT + 8
_SHARES = 64
_DARK = 0.55
_SMALL = 7.0
_EMPTY = (246, 247, 249)


def draw_confusion(result: ClassifyResult) -> bytes:
    """Returns the confusion matrix as PNG: a row a class as labelled, a column as predicted.

    Cells are coloured by their share of the row: blue if right, red if not. Of more than 30 classes
    it has those 30 that are in the most mistakes.
    """
    classes = choose_classes(result, _MOST_CLASSES)
    counts = count_confusions(result.actual, result.predicted, classes)
    cell = next(side for most, side in _CELL.items() if len(classes) <= most)
    total = len(result.actual)
    right = total - result.mistakes
    share = f" ({right / total:.1%})" if total else ""
    sheet = Sheet(
        f"{result.output}: {right:,} of {total:,} {result.split} examples right{share}",
        _notes(result, len(classes)),
        _LEFT + len(classes) * cell + _SHARES,
        _TOP + len(classes) * cell + LINE_HEIGHT + 8,
    )
    _draw_cells(sheet, counts, cell)
    _name_classes(sheet, result.label, classes, cell)
    _draw_shares(sheet, result, classes, cell)
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


def _draw_cells(sheet: Sheet, counts: np.ndarray, cell: int) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right, wrong = _RIGHT.paint(shares), _WRONG.paint(shares)
    for row, column in np.ndindex(counts.shape):
        colours = right if row == column else wrong
        colour = colours[row, column] if counts[row, column] else _EMPTY
        x, y = _LEFT + column * cell, _TOP + row * cell
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


def _name_classes(sheet: Sheet, label: str, classes: np.ndarray, cell: int) -> None:
    middle = len(classes) * cell / 2
    sheet.write(_LEFT + middle, 0, "predicted", align="center", colour=FAINT)
    sheet.write(8, _TOP + middle, label, rotation=90, align="center", is_middle=True, colour=FAINT)
    for index, name in enumerate(classes):
        at = index * cell + cell / 2
        sheet.write(_LEFT + at, _TOP - LINE_HEIGHT, str(name), align="center")
        sheet.write(_LEFT - 8, _TOP + at, str(name), align="right", is_middle=True)


def _draw_shares(sheet: Sheet, result: ClassifyResult, classes: np.ndarray, cell: int) -> None:
    """Writes recall and precision, over all classes, beside those that are drawn."""
    is_right = result.actual == result.predicted
    end = len(classes) * cell
    for index, name in enumerate(classes):
        at = index * cell + cell / 2
        recall = _share(is_right[result.actual == name])
        precision = _share(is_right[result.predicted == name])
        y, x = _TOP + at, _LEFT + at
        sheet.write(_LEFT + end + 8, y, recall, size=_SMALL, colour=FAINT, is_middle=True)
        sheet.write(x, _TOP + end + 8, precision, size=_SMALL, colour=FAINT, align="center")


def _share(is_right: np.ndarray) -> str:
    return f"{is_right.mean():.0%}" if is_right.size else ""
