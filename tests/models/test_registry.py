"""The signatures that are checked without TensorFlow against the installed Keras."""

import json

import pytest

from models.declarations import check_call
from models.registry import SIGNATURES_FILE
from models.signatures import read_signatures


def test_signatures_are_those_of_the_installed_keras():
    kept = json.loads(SIGNATURES_FILE.read_text(encoding="utf-8"))
    assert kept == read_signatures(), "write it anew: python -m models.signatures"


def test_check_call_accepts_a_layer_within_a_layer():
    spec = {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3}}
    assert check_call("model.layers.steps", "layers", spec) == []


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        (
            {"type": "Conv2d", "filters": 3},
            ["at.type: expected a layer; received 'Conv2d' (str). Did you mean 'Conv2D'?"],
        ),
        (
            {"type": "Blurb"},
            ["at.type: expected a layer; received 'Blurb' (str)."],
        ),
        (
            {"units": 3},
            ["at.type: expected a layer; received None (NoneType). Name one of keras.layers."],
        ),
        (
            "Dense",
            ["at: expected a mapping with the type of a layer; received 'Dense' (str)."],
        ),
        (
            {"type": "Conv2D", "filters": 3, "kernel_sise": 3},
            [
                "at: Conv2D has no argument 'kernel_sise'; did you mean 'kernel_size'?",
                "at: Conv2D needs the argument 'kernel_size'.",
            ],
        ),
        (
            {"type": "Flatten", "zzz": 3},
            [
                "at: Flatten has no argument 'zzz'; it takes data_format, activity_regularizer, "
                "trainable, dtype, autocast, name."
            ],
        ),
        (
            {"type": "Dense", "units": 3, "name": "other"},
            ["at.name: the key is the name; remove this argument."],
        ),
        (
            {"type": "TimeDistributed", "layer": {"type": "Dense", "unit": 3}},
            [
                "at.layer: Dense has no argument 'unit'; did you mean 'units'?",
                "at.layer: Dense needs the argument 'units'.",
            ],
        ),
    ],
)
def test_check_call_reports(spec, messages):
    assert [str(problem) for problem in check_call("at", "layers", spec, named=True)] == messages
