"""Draws how often which values occur in an array."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from runner.tracking.pictures.sheet import FAINT, INK, Sheet, format_number

_BARS = 60
_MOST_VALUES = 4_000_000
# Where more than this share is exactly 0, as after a ReLU, the bar at 0 would dwarf all others.
_MOST_ZEROS = 0.1
_WIDTH, _HEIGHT = 680, 300
_LEFT, _BOTTOM = 64, 40
_FILL = "#3b7dd8"
_TICK_SIZE = 8


@dataclass(frozen=True)
class Summary:
    """An array's values in short.

    Attributes:
        least: The least finite value.
        mean: The mean of the finite ones.
        largest: The largest finite value.
        zeros: The share of all that is exactly 0.
        not_finite: How many are infinite or not a number.
    """

    least: float
    mean: float
    largest: float
    zeros: float
    not_finite: int


def summarize(values: np.ndarray) -> Summary:
    """Returns what the title of a histogram says; NaN where no value is finite."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        return Summary(np.nan, np.nan, np.nan, 0.0, values.size)
    return Summary(
        least=float(finite.min()),
        # Of parts, since the sum of the largest floats is infinite.
        mean=float((finite / finite.size).sum()),
        largest=float(finite.max()),
        zeros=float((values == 0).mean()),
        not_finite=int(values.size - finite.size),
    )


def draw_histogram(name: str, values: np.ndarray) -> bytes:
    """Returns a histogram of all values of an array as PNG.

    Args:
        name: The fetch's name.
        values: Floats of any shape.
    """
    flat = values.reshape(-1)
    step = -(-flat.size // _MOST_VALUES)
    flat = flat[::step]
    summary = summarize(flat)
    notes = [
        f"{values.dtype} of shape {values.shape}",
        f"least {format_number(summary.least)}   mean {format_number(summary.mean)}   "
        f"largest {format_number(summary.largest)}   zeros {summary.zeros:.1%}   "
        f"not finite {summary.not_finite:,}",
    ]
    drawn = flat[np.isfinite(flat)].astype(np.float64)
    if summary.zeros > _MOST_ZEROS:
        drawn = drawn[drawn != 0]
        notes.append("the zeros are left out of the bars")
    if step > 1:
        notes.append(f"1 of {step:,} values of {values.size:,}")
    sheet = Sheet(f"{name}: {values.size:,} values", notes, _WIDTH, _HEIGHT)
    if drawn.size == 0:
        sheet.write(0, _HEIGHT / 2, "nothing is left to draw", colour=FAINT)
        return sheet.to_png()
    bounds = sheet.bounds(_LEFT, 0, _WIDTH - _LEFT, _HEIGHT - _BOTTOM)
    axes = sheet.figure.add_axes(bounds, facecolor="none")
    _draw_bars(axes, drawn, summary.mean)
    return sheet.to_png()


def _draw_bars(axes: Axes, values: np.ndarray, mean: float) -> None:
    counts, edges = count_values(values)
    axes.stairs(counts, edges, fill=True, color=_FILL)
    axes.axvline(mean, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    is_left = mean - edges[0] < edges[-1] - mean
    axes.annotate(
        "mean",
        (mean, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4 if is_left else -4, -2),
        textcoords="offset points",
        horizontalalignment="left" if is_left else "right",
        verticalalignment="top",
        fontsize=_TICK_SIZE,
        color=INK,
    )
    axes.set_ylim(0, 1.15 * counts.max())
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(labelsize=_TICK_SIZE, colors=FAINT)
    axes.xaxis.offsetText.set_fontsize(_TICK_SIZE)
    axes.set_xlabel("value", fontsize=_TICK_SIZE, color=FAINT)
    axes.set_ylabel("count", fontsize=_TICK_SIZE, color=FAINT)


def count_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the counts and the edges of bars of one width, fewer where floats are too coarse."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        pad = abs(low) / 2 or 0.5
        low, high = low - pad, high + pad
    edges = np.unique(np.linspace(low, high, _BARS + 1))
    counts, edges = np.histogram(values, edges)
    return counts, edges
