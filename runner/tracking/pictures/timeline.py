"""Draws what ran when in a traced step."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from runner.results import OTHER_LAYER, OperationTime, TraceResult
from runner.tracking.pictures.charts import CATEGORIES, REST, SMALL, Canvas, Chart
from runner.tracking.pictures.plan import name_file
from runner.tracking.pictures.sheet import FAINT, INK, shorten

_WIDTH = 900
_LEFT, _RIGHT = 84, 14
_TOP, _BOTTOM = 38, 40
_LANE = 22
# A longer legend would not fit in a row.
_MOST_NAMED = 6
_MOST_OPERATIONS = 500
_MOST_LANES = 12
_MOST_LETTERS = 14
_MILLISECOND = 1000.0
_LEAST_SHARE = 5e-4

Lanes = dict[tuple[str, int], list[OperationTime]]


def draw_timeline(trace: TraceResult) -> Chart:
    """Returns the operations of a step over time, a row for each that runs at once on a device.

    Of very many, the longest are drawn; the layers that take the most time have colours.
    """
    operations = sorted(trace.operations, key=lambda one: -one.microseconds)[:_MOST_OPERATIONS]
    lanes = arrange_lanes(operations)
    canvas = Canvas(_WIDTH, _TOP + _BOTTOM + _LANE * max(1, len(lanes)))
    axes = canvas.add_axes(_LEFT, _TOP, _RIGHT, _BOTTOM)
    axes.grid(visible=True, axis="x", color=axes.get_ygridlines()[0].get_color(), linewidth=1)
    axes.grid(visible=False, axis="y")
    colours = _choose_colours(trace)
    for index, lane in enumerate(lanes.values()):
        _draw_lane(axes, index, lane, colours, trace.microseconds)
    _name_lanes(axes, list(lanes))
    axes.set_xlim(0, trace.microseconds / _MILLISECOND or 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("milliseconds", fontsize=SMALL, color=FAINT)
    shares = {layer.name: layer.share for layer in trace.layers}
    legend = [
        (f"{shorten(name or OTHER_LAYER, _MOST_LETTERS)} {shares[name]:.0%}", colour)
        for name, colour in colours.items()
    ]
    rest = 1 - sum(shares[name] for name in colours)
    if len(shares) > len(colours):
        legend.append((f"others {rest:.0%}", REST))
    canvas.write_legend(legend, x=_LEFT)
    named = ", ".join(text for text, _ in legend)
    alt = f"{len(operations):,} operations of {trace.name} over time; of their time: {named}"
    return canvas.to_chart(f"timeline_{name_file(trace.name)}", "operations over time", alt)


def arrange_lanes(operations: Iterable[OperationTime]) -> Lanes:
    """Returns the operations by device and lane, such that those of a lane follow one another.

    Where more run at once than there is room for, the last lane of a device takes the rest.
    """
    lanes: Lanes = {}
    by_device: dict[str, list[OperationTime]] = {}
    for one in sorted(operations, key=lambda one: (one.device, one.start_microseconds)):
        by_device.setdefault(one.device, []).append(one)
    for device, queue in by_device.items():
        ends: list[tuple[int, int]] = []
        for one in queue:
            if ends and ends[0][0] <= one.start_microseconds:
                _, lane = heapq.heappop(ends)
            else:
                lane = min(len(ends), _MOST_LANES - 1)
            heapq.heappush(ends, (one.start_microseconds + one.microseconds, lane))
            lanes.setdefault((device, lane), []).append(one)
    return dict(sorted(lanes.items()))


def _choose_colours(trace: TraceResult) -> dict[str, str]:
    """Returns a colour for each of the layers that take the most time."""
    names = [layer.name for layer in trace.layers if layer.name][:_MOST_NAMED]
    return dict(zip(names, CATEGORIES, strict=False))


def _draw_lane(
    axes: Axes,
    index: int,
    lane: Sequence[OperationTime],
    colours: Mapping[str, str],
    total: int,
) -> None:
    for colour in (REST, *CATEGORIES):
        spans = [
            (
                one.start_microseconds / _MILLISECOND,
                max(one.microseconds, total * _LEAST_SHARE) / _MILLISECOND,
            )
            for one in lane
            if colours.get(one.layer, REST) == colour
        ]
        if spans:
            axes.broken_barh(spans, (index - 0.38, 0.76), facecolors=colour, linewidth=0)


def _name_lanes(axes: Axes, lanes: Sequence[tuple[str, int]]) -> None:
    names = [device if lane == 0 else "" for device, lane in lanes]
    axes.set_yticks(range(len(lanes)), names, parse_math=False, color=INK)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
