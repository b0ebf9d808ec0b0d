"""What the schema of models holds of each layer of Keras."""

import inspect

import keras
import pytest

from models.registry import APPLICATION, names_of, signature_of
from tests.models.layer_table import ALIASES, CASES, type_of
from tests.runner.schema.reading import read_schema, tell

DEFINITIONS = read_schema("definitions")["definitions"]
LAYERS = names_of("layers")


def tell_of_layer(spec):
    return tell("definitions.json#/definitions/entry", spec)


def properties_of(layer):
    return DEFINITIONS[f"layers.{layer}"]["properties"]


@pytest.mark.parametrize("name", CASES)
def test_every_declaration_of_the_table_of_layers_is_accepted(name):
    spec = {"type": type_of(name), **CASES[name].arguments}
    if CASES[name].source is not None:
        spec["from"] = CASES[name].source
    assert tell_of_layer(spec) == []


def test_the_table_and_the_schema_know_the_same_layers():
    own = {name for name in LAYERS if not name.startswith(APPLICATION)}
    assert {type_of(name) for name in CASES} | set(ALIASES) == own
    assert {name for name in LAYERS if f"layers.{name}" in DEFINITIONS} == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_described_by_the_first_line_of_its_documentation(name):
    module = keras.applications if name.startswith(APPLICATION) else keras.layers
    cls = getattr(module, name.removeprefix(APPLICATION))
    described = DEFINITIONS[f"layers.{name}"]["description"]
    assert described
    assert inspect.getdoc(cls).strip().startswith(described)
    assert properties_of(name)["type"] == {"const": name, "description": described}


@pytest.mark.parametrize("name", LAYERS)
def test_the_arguments_of_a_layer_are_those_of_its_signature(name):
    arguments = {*signature_of("layers", name).arguments, "trainable"}
    assert set(properties_of(name)) == {*arguments, "type", "name", "from"}


@pytest.mark.parametrize(
    "name", ["Dense", "Conv2D", "LSTM", "MultiHeadAttention", "BatchNormalization", "Embedding"]
)
def test_the_defaults_of_a_layer_are_those_of_its_constructor(name):
    parameters = inspect.signature(getattr(keras.layers, name)).parameters.values()
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD or parameter.name == "name":
            continue
        described = properties_of(name)[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            assert "default" not in described
            assert f": '{parameter.name}' is a required property" in str(
                tell_of_layer({"type": name})
            )
        else:
            default = parameter.default
            written = list(default) if isinstance(default, tuple) else default
            assert described["default"] == written


@pytest.mark.parametrize(
    ("layer", "argument", "description"),
    [
        ("Dense", "units", "Positive integer, dimensionality of the output space."),
        ("Dropout", "rate", "Float between 0 and 1. Fraction of the input units to drop."),
        ("LSTM", "kernel_initializer", None),
        ("BatchNormalization", "momentum", "Momentum for the moving average."),
        ("applications.MobileNet", "include_top", None),
    ],
)
def test_an_argument_is_described_by_its_documentation(layer, argument, description):
    described = properties_of(layer)[argument]["description"]
    assert described
    assert description in (None, described)
