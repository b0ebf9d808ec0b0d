"""Draws how long a model takes to answer, over sizes of batches."""

from runner.results import BenchmarkResult
from runner.tracking.pictures.sheet import Sheet

_HALF, _GAP, _HEIGHT = 400, 110, 280
_LEFT, _BOTTOM = 80, 40
_SMALL = 8
_COLOURS = {50: "#2b6cb0", 90: "#7aa6d6", 99: "#dd8452"}


def draw_latencies(result: BenchmarkResult) -> bytes:
    """Returns two charts as PNG: percentiles of the latency, and examples a second."""
    notes = [
        f"batch {each.batch_size}: {each.plan}; {len(each.microseconds):,} calls"
        for each in result.latencies
    ]
    width = _LEFT + 2 * _HALF + _GAP
    sheet = Sheet("latency and throughput by size of batch", notes, width, _HEIGHT + _BOTTOM)
    sizes = [each.batch_size for each in result.latencies]
    latency = sheet.figure.add_axes(sheet.bounds(_LEFT, 0, _HALF, _HEIGHT))
    for percent, colour in _COLOURS.items():
        values = [each.percentile(percent) for each in result.latencies]
        latency.plot(sizes, values, color=colour, marker="o", label=f"{percent} % of the calls")
    latency.set_ylabel("microseconds at the most")
    latency.legend(frameon=False, fontsize=_SMALL)
    throughput = sheet.figure.add_axes(sheet.bounds(_LEFT + _HALF + _GAP, 0, _HALF, _HEIGHT))
    rates = [each.examples_per_second for each in result.latencies]
    throughput.plot(sizes, rates, color=_COLOURS[50], marker="o")
    throughput.set_ylabel("examples a second")
    for axes in (latency, throughput):
        axes.set_xlabel("examples in a batch", fontsize=_SMALL)
        axes.yaxis.label.set_fontsize(_SMALL)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, labels=[str(size) for size in sizes])
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_minor_formatter("{x:,.0f}")
        axes.tick_params(labelsize=_SMALL, which="both")
        axes.grid(visible=True, which="major", color="#e5e9ee")
    return sheet.to_png()
