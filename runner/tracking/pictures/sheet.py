"""A white page with a title, on which pictures and text are placed pixel by pixel."""

import io
import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from runner.tracking.pictures.scales import Scale

INK = "#1f2933"
FAINT = "#6b7785"
ALARM = "#b4231f"
LINE_HEIGHT = 17

_DPI = 120
_MARGIN = 20
_LEAST_WIDTH = 680
_TITLE_SIZE = 11.0
_TITLE_LINE = 24
_TEXT_SIZE = 8.0
# Pixels that a letter is wide on average, of the title, of a line of text and of words in capitals.
_TITLE_LETTER = 11.5
_LETTER = 6.6
_WIDE_LETTER = 7.6
_GAP = 12
_BAR_WIDTH, _BAR_HEIGHT = 256, 12
_FRAME = 214

Align = Literal["left", "center", "right"]


class Sheet:
    """A page; places on it are pixels right of and below the corner of its body.

    Text is written as it is: a name with a dollar sign is no formula.
    """

    def __init__(self, title: str, notes: Sequence[str], width: int, height: int) -> None:
        """Opens a page.

        Args:
            title: What the page shows.
            notes: What else is to be known, a line each, or more if long.
            width: Of the body, in pixels.
            height: Of the body, in pixels.
        """
        self.width = max(width, _LEAST_WIDTH)
        titles = textwrap.wrap(title, int(self.width / _TITLE_LETTER))
        lines = [line for note in notes for line in textwrap.wrap(note, self._note_letters())]
        self._top = _MARGIN + len(titles) * _TITLE_LINE + len(lines) * LINE_HEIGHT + _GAP
        full_width, full_height = self.width + 2 * _MARGIN, self._top + height + _MARGIN
        self._pixels = np.full((full_height, full_width, 3), 255, np.uint8)
        # A hair more than the pixels, which matplotlib rounds down to.
        inches = ((full_width + 0.01) / _DPI, (full_height + 0.01) / _DPI)
        self.figure = Figure(figsize=inches, dpi=_DPI)
        y = _MARGIN - self._top
        for line in titles:
            self.write(0, y, line, size=_TITLE_SIZE, weight="bold")
            y += _TITLE_LINE
        for line in lines:
            self.write(0, y, line, colour=FAINT)
            y += LINE_HEIGHT

    def place(self, x: int, y: int, picture: np.ndarray) -> None:
        """Places a (height, width, 3) uint8 picture in a frame, its upper left corner at (x, y)."""
        rows, columns, _ = picture.shape
        top, left = self._top + y, _MARGIN + x
        self._pixels[top - 1 : top + rows + 1, left - 1 : left + columns + 1] = _FRAME
        self._pixels[top : top + rows, left : left + columns] = picture

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = _TEXT_SIZE,
        colour: str = INK,
        weight: str = "normal",
        align: Align = "left",
        is_middle: bool = False,
        is_lower: bool = False,
        rotation: float = 0.0,
    ) -> None:
        """Writes one line, its upper end at (x, y), or its middle, or its lower end."""
        height, width, _ = self._pixels.shape
        self.figure.text(
            (_MARGIN + x) / width,
            1 - (self._top + y) / height,
            text,
            fontsize=size,
            color=colour,
            fontweight=weight,
            fontfamily="DejaVu Sans",
            horizontalalignment=align,
            verticalalignment="center" if is_middle else "bottom" if is_lower else "top",
            rotation=rotation,
            parse_math=False,
        )

    def draw_bar(self, x: int, y: int, scale: Scale) -> None:
        """Draws the colours of `scale` with the values of both ends, ``LINE_HEIGHT`` high."""
        steps = np.linspace(scale.low, scale.high, _BAR_WIDTH)
        low, high = format_number(scale.low), format_number(scale.high)
        left = x + int(len(low) * _WIDE_LETTER) + 8
        middle = y + _BAR_HEIGHT / 2
        self.write(x, middle, low, is_middle=True)
        self.place(left, y, np.tile(scale.paint(steps), (_BAR_HEIGHT, 1, 1)))
        self.write(left + _BAR_WIDTH + 8, middle, high, is_middle=True)

    def bounds(self, x: int, y: int, width: int, height: int) -> tuple[float, float, float, float]:
        """Returns the rectangle at (x, y) as ``Figure.add_axes`` takes it."""
        rows, columns, _ = self._pixels.shape
        bottom = rows - self._top - y - height
        return ((_MARGIN + x) / columns, bottom / rows, width / columns, height / rows)

    def to_png(self) -> bytes:
        """Returns the page as PNG."""
        self.figure.figimage(self._pixels, zorder=-1)
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue()

    def _note_letters(self) -> int:
        return int(self.width / _WIDE_LETTER)


def shorten(text: str, most: int) -> str:
    """Returns `text` in at most so many letters, with an ellipsis where it is cut."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def measure(texts: Iterable[str]) -> int:
    """Returns about how many pixels wide the longest of `texts` is, written as a line."""
    return int(max(map(len, texts), default=0) * _LETTER)


def enlarge(picture: np.ndarray, factor: int) -> np.ndarray:
    """Returns (height, width, 3) with each pixel as a square of `factor` pixels."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def format_number(value: float) -> str:
    """Returns a value to three digits, with a true minus."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def fit_width(parts: Sequence[str], width: int) -> str:
    """Returns as many of `parts` as fit into `width` pixels, or what fits of the first."""
    letters = int(width / _LETTER)
    for count in range(len(parts), 0, -1):
        text = ", ".join(parts[:count])
        if len(text) <= letters:
            return text
    return f"{parts[0][: letters - 1]}…" if parts else ""
