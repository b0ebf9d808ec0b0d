"""Draws how far the numbers that a model gives are off."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from runner.results import RegressResult
from runner.tracking.pictures.charts import MARK, REST, SMALL, TRAIN, Canvas, Chart, format_tick
from runner.tracking.pictures.sheet import FAINT

_WIDTH, _HEIGHT = 440, 330
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 32, 14, 40
_MOST_POINTS = 800
_FEW_POINTS = 200


def draw_predicted(result: RegressResult, name: str) -> Chart:
    """Returns predicted against actual values of a sample; on the line, both are the same.

    Args:
        result: What was compared.
        name: The chart's.
    """
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = canvas.add_axes(_LEFT, _TOP, _RIGHT, _BOTTOM)
    step = -(-len(result.actual) // _MOST_POINTS) or 1
    actual, predicted = result.actual[::step], result.predicted[::step]
    values = np.concatenate([actual, predicted])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    pad = (high - low) * 0.04 or 0.5
    axes.plot((low, high), (low, high), color=MARK, linewidth=1.2, linestyle=(0, (4, 3)))
    is_few = len(actual) <= _FEW_POINTS
    axes.plot(
        actual,
        predicted,
        "o",
        color=TRAIN,
        markersize=5 if is_few else 3.5,
        alpha=0.6 if is_few else 0.4,
        markeredgewidth=0,
    )
    axes.set_xlim(low - pad, high + pad)
    axes.set_ylim(low - pad, high + pad)
    axes.grid(visible=True, axis="x", color=axes.get_ygridlines()[0].get_color(), linewidth=1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: format_tick(value)))
    axes.set_xlabel(f"{result.label}, actual", fontsize=SMALL, color=FAINT, parse_math=False)
    sample = "" if len(actual) == result.examples else f"{len(actual):,} of "
    shown = f"{sample}{result.examples:,} {result.split} examples"
    canvas.write_legend([(f"predicted, {shown}", TRAIN), ("no error", MARK)])
    alt = f"{result.output} as predicted against {result.label} as it is, {shown}"
    return canvas.to_chart(name, "predicted against actual", f"{alt}; R² {result.r2:.3g}")


def draw_errors(result: RegressResult, name: str) -> Chart:
    """Returns how many examples are how far off, as bars; less than 0 is predicted too low.

    Args:
        result: What was compared.
        name: The chart's.
    """
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = canvas.add_axes(_LEFT, _TOP, _RIGHT, _BOTTOM)
    axes.stairs(result.counts, result.edges, fill=True, color=TRAIN, alpha=0.75)
    axes.axvline(0, color=REST, linewidth=1)
    axes.axvline(result.mean_error, color=MARK, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.set_ylim(0, 1.08 * max(1, int(result.counts.max(initial=0))))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_tick(value)))
    axes.set_xlabel("predicted less actual", fontsize=SMALL, color=FAINT)
    mean = format_tick(result.mean_error)
    canvas.write_legend([("examples", TRAIN), (f"mean {mean}", MARK)])
    alt = f"histogram of the errors of {result.output} over {result.examples:,} examples"
    return canvas.to_chart(name, "errors", f"{alt}; their mean is {mean}")
