"""The SVG document of a graph."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from runner.drawing import draw_graph
from runner.engine.inspection import inspect_model
from runner.results import InspectResult
from tests.inspected import CONV, INSPECTED

SVG = "{http://www.w3.org/2000/svg}"


def read(drawing):
    """Returns the document, the text of each box and the titles that boxes have."""
    document = ElementTree.fromstring(drawing)
    boxes = [
        [text.text for text in group.iter(f"{SVG}text")]
        for group in document.iter(f"{SVG}g")
        if group.get("class") in ("layer", "end")
    ]
    titles = [title.text for title in document.iter(f"{SVG}title")]
    return document, boxes, titles


def test_a_box_says_name_type_shape_and_parameters():
    document, boxes, titles = read(draw_graph(INSPECTED))
    assert boxes == [
        ["image", "input", "(batch, 8, ?, 1)"],
        ["conv", "Conv2D", "(batch, 8, ?, 32)", "18,560 parameters"],
        ["conv", "output"],
    ]
    assert titles[1] == (
        "block.0.conv: Conv2D\n18,496 trained and 64 frozen parameters\n20,054,016+ FLOPs\n"
        "262,144 bytes of activations\ncost unknown: 2 ResizeBicubic"
    )
    frames = [
        group.find(f"{SVG}text").text
        for group in document.iter(f"{SVG}g")
        if group.get("class") == "block"
    ]
    assert frames == ["block", "block.0"]


def test_what_is_written_is_escaped():
    odd = replace(CONV, name="conv", type="A<B> & 'C' \"D\"", sources=())
    _, boxes, titles = read(draw_graph(replace(INSPECTED, layers=(odd,), outputs={"o": "conv"})))
    assert boxes[1][1] == odd.type
    assert titles[1].startswith(f"conv: {odd.type}")


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=cnn"],
        ["model=resnet"],
        ["model=transformer"],
        ["model=vae"],
        ["model=multitask"],
        ["model=wide_deep", "data=breast_cancer"],
    ],
    ids=str,
)
def test_a_shipped_model_is_drawn_with_every_layer_once(compose, overrides):
    config = compose("task=inspect", *overrides)
    result = inspect_model(config, 2)
    document, boxes, titles = read(draw_graph(result))
    names = [title.partition(":")[0] for title in titles]
    assert names == [
        *(f"input {name}" for name in config.model.inputs),
        *(layer.name for layer in result.layers),
        *(f"output {name}" for name in result.outputs),
    ]
    assert len(boxes) == len(names)
    heads = [path for path in document.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(heads) == sum(len(layer.sources) for layer in result.layers) + len(result.outputs)


def test_text_does_not_leave_its_box():
    document, _, _ = read(draw_graph(INSPECTED))
    for group in document.iter(f"{SVG}g"):
        if group.get("class") in ("layer", "end"):
            width = float(group.find(f"{SVG}rect").get("width"))
            longest = max(len(text.text) for text in group.iter(f"{SVG}text"))
            assert longest * 7 < width


def test_a_thousand_layers_are_drawn():
    layers = tuple(
        replace(CONV, name=f"block.{index}.conv", sources=(source,))
        for index, source in enumerate(["image", *(f"block.{index}.conv" for index in range(999))])
    )
    result = InspectResult(
        batch_size=1,
        inputs={"image": (None, 8)},
        layers=layers,
        outputs={"last": "block.999.conv"},
        flops_by_operation={},
    )
    _, boxes, _ = read(draw_graph(result))
    assert len(boxes) == 1002
