"""Draws how the labels are balanced in each split."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator, PercentFormatter

from runner.results import BalanceResult, LabelBalance
from runner.tracking.pictures.sheet import FAINT, INK, LINE_HEIGHT, Sheet, format_number

_COLOURS = {"train": "#2b6cb0", "validation": "#dd8452", "test": "#55a868"}
_MOST_LABELS = 8
# Of more classes than these no bar could be told from its neighbours.
_MOST_BARS = 40
_MOST_NAMED = 20
_MOST_LETTERS = 14
_LETTERS = 90
_WIDTH, _HEIGHT = 860, 210
_LEFT, _BOTTOM, _NAMES = 64, 24, 56
_GAP = 26
_LEGEND, _LEGEND_STEP = 34, 110
_SMALL = 8
_GROUP = 0.8


def draw_balance(result: BalanceResult) -> bytes:
    """Returns a chart for each label as PNG: the share that a class has of each split, as bars.

    Of a number it is the share of a range of values. What a bar stands for in examples is in the
    table beside it; a line above each chart says what is rare.
    """
    shown = result.labels[:_MOST_LABELS]
    counts = ", ".join(f"{split} {count:,}" for split, count in result.examples.items())
    notes = ["what share of each split has which label"]
    if len(shown) < len(result.labels):
        notes.append(f"the first {len(shown)} of {len(result.labels)} labels")
    heights = [_measure(balance) for balance in shown]
    sheet = Sheet(f"labels: {counts} examples", notes, _WIDTH, _LEGEND + sum(heights) - _GAP)
    _draw_legend(sheet, list(result.examples))
    y = _LEGEND
    for balance, height in zip(shown, heights, strict=True):
        _draw_label(sheet, y, balance)
        y += height
    return sheet.to_png()


def _measure(balance: LabelBalance) -> int:
    names = _NAMES if _is_turned(balance) else 16 * (len(balance.classes) > _MOST_BARS)
    return LINE_HEIGHT + 8 + _HEIGHT + _BOTTOM + names + _GAP


def _is_turned(balance: LabelBalance) -> bool:
    """Returns whether the names of the classes are too long to stand beside one another."""
    return len(balance.classes) <= _MOST_NAMED and sum(map(len, balance.classes)) > _LETTERS


def _draw_label(sheet: Sheet, y: int, balance: LabelBalance) -> None:
    sheet.write(0, y, _describe(balance))
    bounds = sheet.bounds(_LEFT, y + LINE_HEIGHT + 8, _WIDTH - _LEFT, _HEIGHT)
    axes = sheet.figure.add_axes(bounds, facecolor="none")
    shares = {split: counts / max(counts.sum(), 1) for split, counts in balance.counts.items()}
    if not balance.classes:
        _draw_curves(axes, balance.edges, shares)
    elif len(balance.classes) <= _MOST_BARS:
        _draw_bars(axes, shares)
        _name_classes(axes, balance)
    else:
        _draw_ranks(axes, shares)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=True, axis="y", color="#e5e9ee")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(labelsize=_SMALL, colors=INK, length=0)


def _draw_legend(sheet: Sheet, splits: Sequence[str]) -> None:
    x = 0
    for split in splits:
        colour = np.array(to_rgb(_COLOURS[split])) * 255
        sheet.place(x + 1, 2, np.full((10, 22, 3), np.rint(colour), np.uint8))
        sheet.write(x + 30, 7, split, is_middle=True)
        x += _LEGEND_STEP


def _draw_bars(axes: Axes, shares: dict[str, np.ndarray]) -> None:
    width = _GROUP / len(shares)
    for index, (split, values) in enumerate(shares.items()):
        places = np.arange(len(values)) + (index - (len(shares) - 1) / 2) * width
        axes.bar(places, values, width * 0.92, color=_COLOURS[split])


def _draw_curves(axes: Axes, edges: np.ndarray, shares: dict[str, np.ndarray]) -> None:
    for split, values in shares.items():
        if split == "train":
            axes.stairs(values, edges, fill=True, color=_COLOURS[split], alpha=0.25)
        width = 1.5 if len(values) <= _MOST_BARS else 0.8
        axes.stairs(values, edges, color=_COLOURS[split], linewidth=width)
    axes.margins(x=0.01)


def _draw_ranks(axes: Axes, shares: dict[str, np.ndarray]) -> None:
    """Draws the classes in the order of how frequent they are in the first split."""
    order = np.argsort(-next(iter(shares.values())), kind="stable")
    edges = np.arange(len(order) + 1) + 0.5
    _draw_curves(axes, edges, {split: values[order] for split, values in shares.items()})
    axes.set_xlabel("classes, the most frequent first", fontsize=_SMALL, color=FAINT)


def _name_classes(axes: Axes, balance: LabelBalance) -> None:
    names = list(map(_cut, balance.classes))
    step = -(-len(names) // _MOST_NAMED)
    is_turned = _is_turned(balance)
    axes.set_xticks(
        range(0, len(names), step),
        labels=names[::step],
        rotation=30 if is_turned else 0,
        horizontalalignment="right" if is_turned else "center",
        parse_math=False,
    )
    axes.set_xlim(-0.6, len(names) - 0.4)


def _describe(balance: LabelBalance) -> str:
    """Returns what is rarest and most frequent among the examples to train on, in a line."""
    counts = balance.counts.get("train")
    if counts is None:
        return balance.label
    if not balance.classes:
        low, high = balance.edges[0], balance.edges[-1]
        return f"{balance.label}: a number from {format_number(low)} to {format_number(high)}"
    rare, frequent = int(counts.argmin()), int(counts.argmax())
    return (
        f"{balance.label}: {len(balance.classes):,} classes; the rarest in train is "
        f"{_cut(balance.classes[rare])} ({counts[rare]:,} examples), the most frequent "
        f"{_cut(balance.classes[frequent])} ({counts[frequent]:,})"
    )


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
