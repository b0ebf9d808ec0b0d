"""Lays small pictures of examples out in a grid, each with two lines of caption."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from runner.results import Arrays
from runner.tracking.pictures.scales import Scale
from runner.tracking.pictures.sheet import ALARM, FAINT, LINE_HEIGHT, Sheet, enlarge, fit_width

MOST_EXAMPLES = 32

_SIDE = 120
_MOST_SIDE = 256
_PAGE_WIDTH, _PAGE_HEIGHT = 1050, 1200
_GAP = 12
_CAPTION_HEIGHT = 2 * LINE_HEIGHT


@dataclass(frozen=True)
class Caption:
    """What stands above a picture.

    Attributes:
        first: The upper line.
        second: The parts of the lower line, of which those are left out that do not fit.
        is_wrong: Whether the upper line tells of a mistake.
    """

    first: str
    second: Sequence[str]
    is_wrong: bool = False


def caption_examples(rows: np.ndarray, labels: Arrays) -> list[Caption]:
    """Returns the row and the labels of each example.

    Args:
        rows: (examples,) integers, each one's row in its source.
        labels: (examples, ...) arrays by name, as many or more.
    """
    return [Caption(f"row {row}", list(_labels(labels, index))) for index, row in enumerate(rows)]


def _labels(labels: Arrays, index: int) -> Iterator[str]:
    for name, values in labels.items():
        if values.ndim == 1:
            value = values[index]
            yield f"{name} {value:.3g}" if isinstance(value, np.floating) else f"{name} {value}"


def draw_tiles(
    title: str, notes: Sequence[str], images: np.ndarray, captions: Sequence[Caption], scale: Scale
) -> bytes:
    """Returns a page of pictures as PNG, each pixel enlarged to a square.

    Args:
        title: What the page shows.
        notes: What else is to be known.
        images: (examples, height, width, 1, 3 or 4) numbers.
        captions: One for each.
        scale: The colours of their values; shown as a bar where there is one channel.
    """
    shrunk, step = shrink(images)
    _, height, width, channels = shrunk.shape
    factor = enlargement(height, width, _SIDE)
    step_x, step_y = _steps(height, width)
    columns = min(len(images), _count_columns(step_x))
    rows = -(-len(images) // columns)
    notes = [*notes, *note_shrinking(images, step), *note_not_finite(images)]
    has_bar = channels == 1
    top = 2 * LINE_HEIGHT if has_bar else 0
    sheet = Sheet(title, notes, columns * step_x - _GAP, top + rows * step_y - _GAP)
    if has_bar:
        sheet.draw_bar(0, 0, scale)
    painted = scale.paint(shrunk[..., 0]) if has_bar else scale.paint_channels(shrunk)
    for index, (tile, caption) in enumerate(zip(painted, captions, strict=True)):
        x, y = index % columns * step_x, top + index // columns * step_y
        colour = ALARM if caption.is_wrong else FAINT
        sheet.write(x, y, fit_width([caption.first], step_x - _GAP), colour=colour)
        sheet.write(x, y + LINE_HEIGHT - 2, fit_width(caption.second, step_x - _GAP))
        sheet.place(x, y + _CAPTION_HEIGHT, enlarge(tile, factor))
    return sheet.to_png()


def choose_first(images: np.ndarray) -> np.ndarray:
    """Returns as many of the first images as fit on a page, 32 at the most."""
    step_x, step_y = _steps(*shrink(images)[0].shape[1:3])
    fitting = _count_columns(step_x) * max(1, _PAGE_HEIGHT // step_y)
    return images[: min(fitting, MOST_EXAMPLES)]


def _steps(height: int, width: int) -> tuple[int, int]:
    """Returns how far the corners of two pictures are apart."""
    factor = enlargement(height, width, _SIDE)
    return max(width * factor, _SIDE) + _GAP, height * factor + _CAPTION_HEIGHT + _GAP


def _count_columns(step: int) -> int:
    return max(1, (_PAGE_WIDTH + _GAP) // step)


def enlargement(height: int, width: int, side: int) -> int:
    """Returns by how much to enlarge a pixel for a picture to be about `side` pixels long."""
    return max(1, round(side / max(height, width)))


def shrink(images: np.ndarray, most: int = _MOST_SIDE) -> tuple[np.ndarray, int]:
    """Returns (examples, height, width, ...), no more than `most` a side: each nth pixel, and n."""
    step = -(-max(images.shape[1:3]) // most)
    return images[:, ::step, ::step], step


def note_shrinking(images: np.ndarray, step: int) -> list[str]:
    """Returns a note where only each `step`-th pixel is drawn."""
    return [f"of {step} pixels each way, 1 is drawn"] if step > 1 else []


def note_not_finite(values: np.ndarray) -> list[str]:
    """Returns a note where values are drawn in magenta."""
    count = int(values.size - np.isfinite(values).sum())
    return [f"{count:,} values not finite: magenta"] if count else []
