"""What the texts among the fetches ask for, and how they nest."""

import pytest

from runner.fetches import (
    Fetch,
    flatten_fetches,
    match_names,
    nest_fetches,
    parse_call,
    parse_fetch,
)


@pytest.mark.parametrize(
    ("text", "fetch"),
    [
        ("conv1", Fetch("value", "conv1")),
        ("conv1/Relu:0", Fetch("value", "conv1/Relu:0")),
        ("conv1.kernel", Fetch("value", "conv1.kernel")),
        ("loss", Fetch("loss", "")),
        ("loss:digit", Fetch("loss", "digit")),
        ("loss:0", Fetch("value", "loss:0")),
        ("grad:0", Fetch("value", "grad:0")),
        ("metric:accuracy", Fetch("metric", "accuracy")),
        ("grad:image", Fetch("grad", "image")),
        ("grad:conv1/Relu:0", Fetch("grad", "conv1/Relu:0")),
        ("grad(logits):image", Fetch("grad", "image", "logits")),
        ("grad(loss):image", Fetch("grad", "image")),
        ("metric(logits):accuracy", Fetch("value", "metric(logits):accuracy")),
    ],
)
def test_a_text_asks_for(text, fetch):
    assert parse_fetch(text) == fetch


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("conv1", False),
        ("loss", True),
        ("metric:accuracy", True),
        ("grad:image", True),
        ("grad(logits):image", False),
    ],
)
def test_labels_are_needed_to_compare(text, needs):
    assert parse_fetch(text).needs_labels is needs


@pytest.mark.parametrize(
    ("text", "call"),
    [("conv1@2", ("conv1", 2)), ("b.0.a@1", ("b.0.a", 1)), ("conv1@0", None), ("conv1", None)],
)
def test_a_call_of_a_shared_layer_has_a_number(text, call):
    assert parse_call(text) == call


NAMES = ["conv1", "conv2", "conv1.kernel", "conv2.kernel", "block.0.conv", "block.0.conv.kernel"]


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("conv*", ["conv1", "conv2"]),
        ("conv?", ["conv1", "conv2"]),
        ("*.kernel", ["conv1.kernel", "conv2.kernel"]),
        ("**.kernel", ["conv1.kernel", "conv2.kernel", "block.0.conv.kernel"]),
        ("block.*.conv", ["block.0.conv"]),
        ("conv[12]*", []),
    ],
)
def test_a_pattern_matches(pattern, matched):
    assert match_names(pattern, NAMES) == matched


NESTED = {"all": ["a", {"last": "b"}], "one": "c", "maps": "conv*"}
FLAT = {"all.0": 1, "all.1.last": 2, "one": 3, "maps.conv1": 4, "maps.conv2": 5}


def test_the_structure_is_kept():
    assert list(flatten_fetches(NESTED)) == ["all.0", "all.1.last", "one", "maps"]
    assert nest_fetches(NESTED, FLAT) == {
        "all": [1, {"last": 2}],
        "one": 3,
        "maps": {"conv1": 4, "conv2": 5},
    }
