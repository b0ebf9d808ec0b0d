"""Draws where the time of a traced step went."""

from runner.results import OTHER_LAYER, TraceResult
from runner.tracking.pictures.sheet import FAINT, INK, Sheet

_ROW = 26
_NAMES, _BARS, _VALUES = 220, 420, 150
_FORWARD, _BACKWARD = "#2b6cb0", "#dd8452"


def draw_times(trace: TraceResult) -> bytes:
    """Returns a chart as PNG: a bar for each of the longest layers, forward and backward."""
    layers = trace.layers[: trace.top]
    rest = len(trace.layers) - len(layers)
    notes = [
        f"{len(trace.operations):,} operations in {trace.microseconds / 1000:.3g} ms; their times "
        "are summed, and some run at once",
        "blue: forward; orange: backward",
    ]
    if rest:
        notes.append(f"{rest} more layers take less")
    height = max(len(layers), 1) * _ROW
    sheet = Sheet(
        f"{trace.name.replace('_', ' ')}: time by layer", notes, _NAMES + _BARS + _VALUES, height
    )
    axes = sheet.figure.add_axes(sheet.bounds(_NAMES, 0, _BARS, height))
    rows = range(len(layers))
    forward = [layer.forward_microseconds for layer in layers]
    backward = [layer.backward_microseconds for layer in layers]
    axes.barh(rows, forward, height=0.7, color=_FORWARD)
    axes.barh(rows, backward, height=0.7, left=forward, color=_BACKWARD)
    axes.set_xlim(0, max((layer.microseconds for layer in layers), default=1) or 1)
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.axis("off")
    for row, layer in enumerate(layers):
        middle = (row + 0.5) * _ROW
        sheet.write(_NAMES - 10, middle, layer.name or OTHER_LAYER, align="right", is_middle=True)
        sheet.write(
            _NAMES + _BARS + 10,
            middle,
            f"{layer.microseconds:,} µs",
            colour=INK,
            is_middle=True,
        )
        sheet.write(
            _NAMES + _BARS + _VALUES - 40,
            middle,
            f"{layer.share:.1%}",
            colour=FAINT,
            is_middle=True,
        )
    return sheet.to_png()
