"""Draws a chart once, as SVG that takes its colours from the page it stands in, and as PNG."""

import html
import io
import re
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from runner.tracking.pictures.sheet import FAINT, INK, format_number
from runner.tracking.pictures.styles import plain_style

GRID = "#e3e8ee"
TRAIN, VALIDATION, TEST = "#2b6cb0", "#dd8452", "#55a868"
MARK = "#a8325e"
REST = "#b4bcc6"
BAND = "#9dbfe3"
CATEGORIES = ("#3f7fc4", "#e8935b", "#63b377", "#c2567a", "#8a78c8", "#b8963e", "#45a5a9")
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
SMALL = 10.5

# What the page calls each colour, in light and in dark.
NAMES = {
    INK: "ink",
    FAINT: "faint",
    GRID: "grid",
    TRAIN: "train",
    VALIDATION: "validation",
    TEST: "test",
    MARK: "mark",
    REST: "rest",
    BAND: "backward",
    **{colour: f"c{index}" for index, colour in enumerate(CATEGORIES)},
}
_POINTS_PER_INCH = 72
_THOUSAND, _BILLION = 1e3, 1e9
_PNG_SCALE = 2
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": SMALL,
    "path.simplify_threshold": 0.5,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^)"]+)')
_FONT = re.compile(r"font(?:-family)?: [^;\"]*'DejaVu Sans'[^;\"]*;? ?")
_SIZE = re.compile(r"font: ([\d.]+px) 'DejaVu Sans'[^;\"]*")
_STYLE_SHEET = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
_SPACE = re.compile(r"\s*\n\s*")


def format_tick(value: float) -> str:
    """Returns a value as it stands beside an axis: three digits, or whole thousands."""
    if _THOUSAND <= abs(value) < _BILLION:
        return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")
    return format_number(value)


@dataclass(frozen=True)
class Chart:
    """A chart that is drawn.

    Attributes:
        name: Its file's name, without the ending.
        title: What it shows, in a few words.
        alt: What is to be seen, in words.
        svg: An ``<svg>`` element to stand in a page of HTML, whose colours are CSS variables.
        png: The same as a picture.
    """

    name: str
    title: str
    alt: str
    svg: str
    png: bytes


class Canvas:
    """A figure, measured in the pixels that it has in a page."""

    def __init__(self, width: int, height: int) -> None:
        """Opens one of `width` by `height`."""
        self.width, self.height = width, height
        inches = (width / _POINTS_PER_INCH, height / _POINTS_PER_INCH)
        self.figure = Figure(figsize=inches, dpi=_POINTS_PER_INCH, facecolor="white")

    def add_axes(self, left: int, top: int, right: int, bottom: int) -> Axes:
        """Returns axes with as much room around them."""
        width, height = self.width - left - right, self.height - top - bottom
        bounds = (
            left / self.width,
            bottom / self.height,
            width / self.width,
            height / self.height,
        )
        axes = self.figure.add_axes(bounds, facecolor="none")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(REST)
        axes.tick_params(
            which="both", left=False, bottom=False, labelsize=SMALL, colors=FAINT, pad=5
        )
        axes.grid(visible=True, axis="y", color=GRID, linewidth=1)
        axes.set_axisbelow(True)
        return axes

    def write(
        self, x: float, y: float, text: str, *, colour: str = INK, weight: str = "normal"
    ) -> None:
        """Writes a line, its middle at `y` from above."""
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            color=colour,
            fontsize=SMALL,
            fontweight=weight,
            verticalalignment="center",
            parse_math=False,
        )

    def write_legend(self, entries: list[tuple[str, str]], *, y: float = 10, x: float = 0) -> None:
        """Writes names in a row, each behind a dot of its colour."""
        for name, colour in entries:
            self.write(x, y, "●", colour=colour)
            self.write(x + 13, y, name, colour=FAINT)
            x += 13 + 6.4 * len(name) + 16

    def to_chart(self, name: str, title: str, alt: str) -> Chart:
        """Returns what is drawn."""
        with plain_style({**_STYLE, "svg.hashsalt": name}):
            svg, png = io.StringIO(), io.BytesIO()
            self.figure.savefig(svg, format="svg", metadata=_NO_METADATA, transparent=True)
            self.figure.savefig(png, format="png", dpi=_PNG_SCALE * _POINTS_PER_INCH)
        return Chart(name, title, alt, self._adapt(svg.getvalue(), name, alt), png.getvalue())

    def _adapt(self, svg: str, name: str, alt: str) -> str:
        """Returns an element without what a page of HTML has no use for, its ids its own."""
        body = svg[svg.index(">", svg.index("<svg")) + 1 :]
        body = _STYLE_SHEET.sub("", body)
        referenced = {match[2] for match in _REFERENCE.finditer(body)}
        body = _ID.sub(
            lambda match: f' id="{name}-{match[1]}"' if match[1] in referenced else "", body
        )
        body = _REFERENCE.sub(rf"\1{name}-\2", body)
        body = _SIZE.sub(r"font-size: \1", body)
        body = _FONT.sub("", body)
        body = _COLOUR.sub(_name_colour, body)
        body = _SPACE.sub(" ", re.sub(r"<!--.*?-->", "", body))
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{html.escape(alt)}">{body}'
        )


def _name_colour(match: re.Match[str]) -> str:
    name = NAMES.get(match[0])
    return match[0] if name is None else f"var(--{name}, {match[0]})"
