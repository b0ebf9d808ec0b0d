"""Sources of the user's own: called once, trusted, and held to what they return."""

import sys

import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.composition import PROJECT
from runner.data.reading import read_examples
from runner.data.sources.own import read_own

SOURCE = """
from dataclasses import dataclass
import numpy as np

CALLS = []
NUMBER = 3

def read(rows, seed=7, dtype="float32"):
    CALLS.append(seed)
    return {"numbers": np.full((rows, 2), seed, dtype)}, {"y": np.arange(rows) % 3}

class Table:
    def __init__(self, rows: int = 4):
        self.features = {"text": np.array(["a"] * rows, object)}
        self.labels = {}

def vary(what):
    def hold(*rows):
        held = np.empty(len(rows), object)
        held[:] = [np.asarray(row) for row in rows]
        return held
    rows = hold([1, 2], [], [3, 4, 5], [6])
    return {
        "integers": ({"tokens": rows}, {"y": np.arange(4) % 2}),
        "pairs": ({"tokens": hold([[1.5, 2]], [[3, 4], [5, 6]])}, {}),
        "label": ({"x": np.zeros(4)}, {"tokens": rows}),
        "shapes": ({"tokens": hold([1, 2], [[3, 4]])}, {}),
        "number": ({"tokens": hold(1, 2)}, {}),
        "texts": ({"tokens": hold(["a"], ["a", "b"])}, {}),
    }[what]

def give(what):
    x = np.zeros((4, 2))
    return {
        "array": x,
        "three": ({"x": x}, {}, {}),
        "list": ({"x": [1, 2]}, {}),
        "number": ({"x": np.array(3.0)}, {}),
        "lengths": ({"x": x}, {"y": np.zeros(3)}),
        "nothing": ({}, {"y": np.zeros(3)}),
        "none": ({"x": x[:0]}, {}),
        "objects": ({"x": np.array([{}, {}, {}, {}])}, {}),
        "negative": ({"numbers": x}, {"y": np.array([0, 1, -1, 1])}),
    }[what]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_source.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_source", raising=False)
    return "my_source"


@pytest.fixture
def compose_own(compose, module):
    def compose_source(name, *overrides):
        given = [f"data.source.class={module}.{name}", f"trusted_modules=[{module}]"]
        return compose("model=tabular", "data=own", *given, *overrides)

    return compose_source


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.fixture(autouse=True)
def forget():
    from runner.data.sources import own

    own._call_once.cache_clear()


def test_a_function_is_called_once_with_arguments_and_the_seed(compose_own, module):
    config = compose_own("read", "data.source.rows=6", "seed=5")
    data = config.data
    assert (data.features["numbers"].shape, data.features["numbers"].dtype) == ([2], "float32")
    assert (data.labels["y"].dtype, data.classes) == ("int64", 3)
    examples = read_examples(data, {}, 5)
    np.testing.assert_array_equal(examples.features["numbers"], np.full((6, 2), 5))
    assert examples.labels["y"].tolist() == [0, 1, 2, 0, 1, 2]
    assert examples.rows.tolist() == list(range(6))
    assert sys.modules[module].CALLS == [5]
    again = compose_own("read", "data.source={rows:6,seed:1,dtype:float64}").data
    again.source["class"] = data.source["class"]
    assert read_own(again, 5).features["numbers"].dtype == np.float64


def test_a_class_has_features_and_labels(compose_own):
    data = compose_own("Table", "data.source.rows=3", "model=letters", "data.classes=2").data
    assert (data.features["text"].shape, data.features["text"].dtype) == ([], "string")
    assert dict(data.labels) == {}


def test_only_trusted_modules_are_imported(compose, module):
    assert error_of(compose, "model=tabular", "data=own", f"data.source.class={module}.read") == (
        "data.source.class: expected a function or a class of a trusted module (models); "
        "received 'my_source.read' (str). "
        "Add it, if you trust its code: trusted_modules=[my_source]."
    )
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "reed",
            "data.source.class: expected a function or a class of my_source; "
            "received 'reed' (str). Did you mean 'read'?",
        ),
        ("NUMBER", "data.source.class: expected a function or a class of my_source; received "),
        (
            "sub.read",
            "data.source.class: expected a module that is there in 'my_source.sub.read'; "
            "received 'my_source.sub' (str).",
        ),
    ],
)
def test_what_is_not_there_is_named(compose_own, name, message):
    assert error_of(compose_own, name).startswith(message)


def test_a_source_has_a_module(compose):
    assert error_of(compose, "data=own", "data.source.class=read") == (
        "data.source.class: expected a function or a class such as "
        "my_package.my_module.read_flowers; received 'read' (str)."
    )


def test_arguments_are_those_that_it_takes(compose_own):
    assert error_of(compose_own, "read", "data.source.row=3") == (
        "data.source: the arguments do not fit: missing a required argument: 'rows'. "
        "It takes rows, dtype."
    )


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "array",
            "data.source: expected features and labels, two mappings of names to arrays, from "
            "my_source.give; received 'an array of shape (4, 2)' (str).",
        ),
        (
            "three",
            "data.source: expected features and labels, two mappings of names to arrays, from "
            "my_source.give; received ",
        ),
        (
            "list",
            "data.source: expected a NumPy array with an axis of examples as 'x' from "
            "my_source.give; received [1, 2] (list).",
        ),
        (
            "number",
            "data.source: expected a NumPy array with an axis of examples as 'x' from "
            "my_source.give; received 'an array of shape ()' (str).",
        ),
        (
            "lengths",
            "data.source: expected as many rows in each array from my_source.give; they have: "
            "x 4, y 3.",
        ),
        (
            "nothing",
            "data.source: expected a feature or more from my_source.give; received {} (dict).",
        ),
        ("none", "data.source: expected examples; my_source.give returns no row."),
        (
            "objects",
            "data.source: expected an array of a dtype that TensorFlow has as 'x' from "
            "my_source.give; received 'object' (str).",
        ),
    ],
)
def test_what_is_no_examples_is_refused(compose_own, what, message):
    assert error_of(compose_own, "give", f"data.source.what={what}").startswith(message)


ROWS = [[1, 2], [], [3, 4, 5], [6]]
TOKENS = "model.inputs.numbers.shape=${data.features.tokens.shape}"


def test_rows_of_differing_lengths_are_padded_by_batch(compose_own):
    data = compose_own("vary", "data.source.what=integers", "data.pad.tokens.value=9", TOKENS).data
    tokens = data.features["tokens"]
    assert (tokens.shape, tokens.dtype) == ([None], "int64")
    column = read_examples(data, {}, 0).features["tokens"]
    assert column.reader.lengths.tolist() == [2, 0, 3, 1]
    for rows in ([0, 1], [3, 2], [1]):
        padded = keras.utils.pad_sequences(
            [ROWS[row] for row in rows], None, "int64", "post", value=9
        )
        np.testing.assert_array_equal(column[np.array(rows)], padded)


def test_rows_of_differing_lengths_are_padded_to_one(compose_own):
    data = compose_own("vary", "data.source.what=integers", "data.pad.tokens.length=2", TOKENS).data
    assert data.features["tokens"].shape == [2]
    padded = keras.utils.pad_sequences(ROWS, 2, "int64", "post", "post")
    np.testing.assert_array_equal(read_examples(data, {}, 0).features["tokens"], padded)


def test_rows_of_differing_lengths_may_have_further_axes(compose_own):
    data = compose_own("vary", "data.source.what=pairs", "data.classes=2", TOKENS).data
    assert (data.features["tokens"].shape, data.features["tokens"].dtype) == ([None, 2], "float64")
    column = read_examples(data, {}, 0).features["tokens"]
    expected = [[[1.5, 2], [0, 0]], [[3, 4], [5, 6]]]
    np.testing.assert_array_equal(column[np.arange(2)], expected)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            "label",
            "expected an array whose rows are of one length as the label 'tokens' from "
            "my_source.vary; received 'arrays of their own lengths' (str).",
        ),
        (
            "shapes",
            "expected rows that differ in their first axis alone as 'tokens' from "
            "my_source.vary; received '(2,) and (1, 2)' (str).",
        ),
        (
            "number",
            "expected rows that differ in their first axis alone as 'tokens' from "
            "my_source.vary; received '() and ()' (str).",
        ),
        (
            "texts",
            "expected rows of numbers of a dtype that TensorFlow has as 'tokens' from "
            "my_source.vary; received 'str32' (str).",
        ),
    ],
)
def test_rows_that_cannot_be_padded_are_refused(compose_own, what, message):
    error = error_of(compose_own, "vary", f"data.source.what={what}")
    assert error == f"data.source: {message}"


def test_a_negative_class_is_refused_by_its_row(compose_own):
    data = compose_own("give", "data.source.what=negative").data
    assert error_of(read_examples, data, {}, 0) == (
        "data.classes: expected a class from 0 to 1 in each row of 'y'; received -1 (int). "
        "It stands in row 2, counted from 0."
    )


def test_the_source_of_the_page_on_data_is_that_of_the_sample():
    page = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    sample = (PROJECT / "tests" / "samples" / "own.py").read_text(encoding="utf-8")
    assert sample.partition('"""\n\n')[2].rstrip() in page
