"""Draws a model's graph as SVG: a box a call of a layer, a frame a block, an arrow a tensor."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from models.shapes import format_shape
from runner.layout import Arrow, Box, Layout, Node, Path, lay_out
from runner.results import InspectResult, LayerCost

_MARGIN = 24.0
_LINE_HEIGHT = 16.0
_PADDING = 10.0
# Of the widest letters of the fonts below at this size, so that no text leaves its box.
_LETTER_WIDTH = 7.2
_STYLE = """
text { font: 12px "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; fill: #1f2933; }
.name { font-weight: bold; }
.detail { fill: #52606d; }
.layer rect { fill: #ffffff; stroke: #486581; }
.end rect { fill: #e3f2e6; stroke: #3f7d58; }
.block rect { fill: #829ab1; fill-opacity: 0.12; stroke: #829ab1; stroke-dasharray: 6 3; }
.block text { fill: #486581; }
.arrow { fill: none; stroke: #627d98; stroke-width: 1.3; }
.head { fill: #627d98; }
""".strip()


@dataclass(frozen=True)
class _Label:
    """What a box says.

    Attributes:
        kind: The class of its style.
        lines: Its text, the name first.
        title: What is shown where the pointer rests on it.
        blocks: The blocks that it is in.
    """

    kind: str
    lines: tuple[str, ...]
    title: str
    blocks: Path = ()


def draw_graph(result: InspectResult) -> str:
    """Returns an SVG document of the graph that `result` tells of."""
    labels = dict(_label_boxes(result))
    nodes = [_measure(key, label) for key, label in labels.items()]
    layout = lay_out(nodes, _edges(result))
    return "\n".join(_write(labels, layout)) + "\n"


def _label_boxes(result: InspectResult) -> Iterator[tuple[str, _Label]]:
    """Yields the box of each input, layer and output; a key of another kind has a space in it."""
    for name, shape in result.inputs.items():
        yield name, _Label("end", (name, "input", format_shape(shape)), f"input {name}")
    for layer in result.layers:
        yield layer.name, _label_layer(layer)
    for name in result.outputs:
        yield f"output {name}", _Label("end", (name, "output"), f"output {name}")


def _label_layer(layer: LayerCost) -> _Label:
    *blocks, own = layer.name.split(".")
    parameters = layer.trained_parameters + layer.frozen_parameters
    lines = [own, layer.type, *map(format_shape, layer.output_shapes)]
    if parameters:
        lines.append(f"{parameters:,} parameters")
    unknown = ", ".join(f"{count} {name}" for name, count in layer.unknown.items())
    title = [
        f"{layer.name}: {layer.type}",
        f"{layer.trained_parameters:,} trained and {layer.frozen_parameters:,} frozen parameters",
        f"{layer.flops:,}{'+' if unknown else ''} FLOPs",
        f"{layer.activation_bytes:,} bytes of activations",
        *([f"cost unknown: {unknown}"] if unknown else []),
    ]
    paths = tuple(".".join(blocks[: depth + 1]) for depth in range(len(blocks)))
    return _Label("layer", tuple(lines), "\n".join(title), paths)


def _measure(key: str, label: _Label) -> Node:
    width = max(map(len, label.lines)) * _LETTER_WIDTH + 2 * _PADDING
    height = len(label.lines) * _LINE_HEIGHT + 2 * _PADDING - 4
    return Node(key, label.blocks, width, height)


def _edges(result: InspectResult) -> Iterator[tuple[str, str]]:
    for layer in result.layers:
        for source in layer.sources:
            yield source, layer.name
    for name, source in result.outputs.items():
        yield source, f"output {name}"


def _write(labels: dict[str, _Label], layout: Layout) -> Iterator[str]:
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{-_MARGIN:.0f} {-_MARGIN:.0f} {width:.0f} {height:.0f}">'
    )
    yield f"<style>{_STYLE}</style>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    )
    yield (
        f'<rect x="{-_MARGIN:.0f}" y="{-_MARGIN:.0f}" width="{width:.0f}" height="{height:.0f}" '
        'fill="#ffffff"/>'
    )
    for path, box in layout.frames.items():
        yield from _write_frame(path, box)
    for arrow in layout.arrows:
        yield _write_arrow(arrow)
    for key, label in labels.items():
        yield from _write_box(label, layout.boxes[key])
    yield "</svg>"


def _write_frame(path: Path, box: Box) -> Iterator[str]:
    yield f'<g class="block">{_rectangle(box)}'
    yield f'<text x="{box.x + 8:.1f}" y="{box.y + 16:.1f}">{escape(path[-1])}</text></g>'


def _write_box(label: _Label, box: Box) -> Iterator[str]:
    yield f"<g class={quoteattr(label.kind)}><title>{escape(label.title)}</title>{_rectangle(box)}"
    x = box.x + box.width / 2
    for index, line in enumerate(label.lines):
        y = box.y + _PADDING + 10 + index * _LINE_HEIGHT
        style = "detail" if index else "name"
        text = escape(line)
        yield f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'
    yield "</g>"


def _rectangle(box: Box) -> str:
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="6"/>'
    )


def _write_arrow(arrow: Arrow) -> str:
    """Returns a path that is straight within a rank and curves between ranks."""
    (x, y), *rest = arrow.points
    parts = [f"M{x:.1f} {y:.1f}"]
    for next_x, next_y in rest:
        if next_x == x or next_y == y:
            parts.append(f"L{next_x:.1f} {next_y:.1f}")
        else:
            middle = (y + next_y) / 2
            parts.append(
                f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
            )
        x, y = next_x, next_y
    head = ' marker-end="url(#head)"' if arrow.has_head else ""
    return f'<path class="arrow" d="{" ".join(parts)}"{head}/>'
