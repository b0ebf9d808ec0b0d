"""Draws what was measured, for the README."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.forward import Forward
from benchmarks.measuring import OURS, Measured
from benchmarks.training import Training

# The colours are of a palette that the colour-blind can tell apart (Okabe and Ito, 2008).
_MARKS = {
    "keras fit": ("#d55e00", "o"),
    "keras fit, steps_per_execution": ("#e69f00", "o"),
    "keras predict": ("#d55e00", "o"),
    "keras predict_on_batch": ("#e69f00", "o"),
    "tf.function": ("#f0c800", "s"),
    "pytorch eager": ("#cc79a7", "D"),
    "pytorch compile": ("#882255", "D"),
    "jax jit": ("#56b4e9", "^"),
    "jax scan": ("#0072b2", "^"),
    "onnx runtime": ("#009e73", "v"),
}
_OTHER = ("#777777", "x")
_TICKS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
_ROW_HEIGHT = 0.7  # of the marks of a model, so that none hides another
_DOTS_PER_INCH = 150
_LABEL = "times as long as Feedfetch (right of 1: slower)"

Measurement = Training | Forward


def draw_chart(trainings: Sequence[Training], forwards: Sequence[Forward]) -> bytes:
    """Returns a PNG: a panel for each batch size, a row a model, a mark a peer."""
    panels = [*_panels("training", trainings), *_panels("forward", forwards)]
    if not panels:
        raise ValueError("nothing to draw; ask for training or forward.")
    heights = [1.4 * len(measurements) + 0.6 for _, measurements in panels]
    figure = Figure(figsize=(8, 0.5 * sum(heights) + 1.4), layout="constrained", facecolor="white")
    axes = figure.subplots(len(panels), squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    for axis, (title, measurements) in zip(axes, panels, strict=True):
        _draw_panel(axis, title, measurements)
    axes[-1].set_xlabel(_LABEL)
    marks = {
        handle.get_label(): handle
        for axis in axes
        for handle in axis.get_legend_handles_labels()[0]
    }
    figure.legend(marks.values(), marks.keys(), loc="outside right upper", frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
    return file.getvalue()


def _panels(
    what: str, measurements: Sequence[Measurement]
) -> list[tuple[str, Sequence[Measurement]]]:
    sizes = sorted({one.task.batch_size for one in measurements})
    return [
        (f"{what}, batch {size}", [one for one in measurements if one.task.batch_size == size])
        for size in sizes
    ]


def _draw_panel(axis: Axes, title: str, measurements: Sequence[Measurement]) -> None:
    axis.set_facecolor("white")
    axis.set_title(title, loc="left", fontsize="medium")
    axis.set_xscale("log")
    axis.set_xticks(_TICKS)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.axvline(1, color="black")
    axis.grid(visible=True, axis="x", color="#dddddd")
    for row in range(1, len(measurements)):
        axis.axhline(row - 0.5, color="#dddddd", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.set_yticks(range(len(measurements)), [one.task.model for one in measurements])
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(measurements) - 0.5, -0.5)
    for row, measurement in enumerate(measurements):
        peers = [one for one in measurement.measured if one.name != OURS]
        for place, one in enumerate(peers):
            _draw_mark(axis, row + _ROW_HEIGHT * ((place + 0.5) / len(peers) - 0.5), one)


def _draw_mark(axis: Axes, row: float, one: Measured) -> None:
    color, marker = _MARKS.get(one.name, _OTHER)
    axis.plot([min(one.ratios), max(one.ratios)], [row, row], color=color, linewidth=1)
    axis.plot(one.ratio, row, marker, color=color, label=one.name, linestyle="none", markersize=5)
