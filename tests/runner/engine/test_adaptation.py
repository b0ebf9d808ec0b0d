"""Layers behind inputs have the statistics that eager Keras adapts to the training split alone."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import InputConfig, ModelConfig
from models.factory import build_model
from models.problems import ConfigError
from models.validation import validate_model
from runner.data.examples import Examples, LazyColumn
from runner.data.ragged import ragged_column
from runner.data.streams import iterate_features
from runner.engine.adaptation import adapt_layers
from runner.engine.feeds import open_placeholder
from runner.tasks.adapt import adapt
from tests.datasets import load_dataset
from tests.opening import open_experiment

RNG = np.random.default_rng(0)
NUMBERS = RNG.normal([3.0, -200.0, 0.5], [1.0, 40.0, 0.0], (50, 3)).astype(np.float32)
IMAGES = RNG.random((50, 4, 5, 2)).astype(np.float32)
COUNTS = RNG.integers(1, 9, 50)
WORDS = np.array([["ab", "c", "d", "é", ""][index] for index in RNG.integers(0, 5, 50)], object)
TEXTS = np.array(
    [" ".join(RNG.choice(["The", "cat", "sat!", "dog", "ran"], 4)) for _ in range(50)], object
)
TRAIN, HELD_OUT = slice(0, 40), slice(40, 50)


def declare(values, stack, outputs=None):
    """Returns a model of one input that gives what its stack gives."""
    dtype = "string" if values.dtype == object else values.dtype.name
    config = ModelConfig(
        name="model",
        inputs={"x": InputConfig(shape=list(values.shape[1:]), dtype=dtype)},
        layers={"given": {"type": "Identity"}},
        outputs=outputs or "given",
        preprocess={"x": stack},
    )
    assert validate_model(config) == []
    return config


def reader(batch_size=7, **features):
    """Returns what reads features in batches."""

    def read(names):
        for start in range(0, len(features[names[0]]), batch_size):
            yield {name: features[name][start : start + batch_size] for name in names}

    return read


def adapt_to(values, stack, **options):
    return adapt_layers(declare(values, stack), reader(x=values[TRAIN], **options))


def run(config, values):
    """Returns what the model gives in a Session, in inference."""
    with tf.Graph().as_default():
        placeholders = {"x": open_placeholder("x", config.inputs["x"])}
        model = build_model(config)
        outputs = model.call(placeholders, training=False)
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            session.run(tf.compat.v1.tables_initializer())
            (found,) = session.run(outputs, {placeholders["x"]: values}).values()
    return found


@pytest.mark.parametrize(
    ("values", "kind", "arguments"),
    [
        (NUMBERS, "Normalization", {}),
        (NUMBERS, "Normalization", {"axis": None}),
        (NUMBERS, "Normalization", {"invert": True}),
        (IMAGES, "Normalization", {}),
        (IMAGES, "Normalization", {"axis": [1, 3]}),
        (NUMBERS, "Discretization", {"num_bins": 4}),
        (NUMBERS[:, :1], "Discretization", {"num_bins": 3, "output_mode": "one_hot"}),
        (COUNTS, "IntegerLookup", {}),
        (COUNTS, "IntegerLookup", {"max_tokens": 5, "num_oov_indices": 2, "mask_token": 3}),
        (COUNTS, "IntegerLookup", {"output_mode": "multi_hot"}),
        (WORDS, "StringLookup", {}),
        (WORDS, "StringLookup", {"mask_token": "", "output_mode": "one_hot"}),
        (WORDS[:, None], "StringLookup", {"output_mode": "tf_idf"}),
        (TEXTS, "TextVectorization", {"output_sequence_length": 6, "max_tokens": 5}),
        (TEXTS, "TextVectorization", {"split": "character", "standardize": "lower"}),
        (TEXTS, "TextVectorization", {"output_mode": "tf_idf", "ngrams": 2}),
        (
            TEXTS,
            "TextVectorization",
            {"output_mode": "tf_idf", "max_tokens": 20, "pad_to_max_tokens": True},
        ),
        (TEXTS, "TextVectorization", {"output_mode": "count", "max_tokens": 4}),
    ],
)
def test_an_adapted_layer_gives_what_its_eager_twin_gives(values, kind, arguments):
    # Keras's own summary of batches is another than of all at once.
    batch_size = 40 if kind == "Discretization" else 7
    config = adapt_to(values, {"layer": {"type": kind, **arguments}}, batch_size=batch_size)
    twin = getattr(keras.layers, kind)(**arguments)
    if kind == "Normalization":
        twin.build((None, *values.shape[1:]))
    twin.adapt(tf.constant(values[TRAIN].tolist()) if values.dtype == object else values[TRAIN])
    tensor = tf.constant(values[HELD_OUT].tolist() if values.dtype == object else values[HELD_OUT])
    wanted = np.asarray(twin(tensor))
    found = run(config, values[HELD_OUT])
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert validate_model(config) == []


def test_the_statistics_are_those_of_the_training_split_alone(compose):
    config = compose(
        "model=tabular", "data=wine", "data.preprocess.numbers.norm.type=Normalization",
        "fetches={normed: preprocess.numbers.norm, raw: numbers}",
    )  # fmt: skip
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    adapted = adapt(config, dataset.train)
    assert adapted.data.preprocess == adapted.model.preprocess
    norm = adapted.data.preprocess["numbers"]["norm"]
    values = dataset.train.features["numbers"].astype(np.float64)
    np.testing.assert_allclose(norm["mean"], values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(norm["variance"], values.var(axis=0), rtol=1e-4)
    splits = (dataset.train, dataset.validation, dataset.test)
    everything = np.concatenate([split.features["numbers"] for split in splits])
    assert not np.allclose(norm["mean"], everything.mean(axis=0), rtol=1e-5)
    held_out = dataset.test.features["numbers"].astype(np.float32)
    with open_experiment(adapted) as (graph, session):
        fetched = session.callable(graph.predict)({"numbers": held_out})
    wanted = (held_out - values.mean(axis=0)) / values.std(axis=0)
    np.testing.assert_allclose(fetched["normed"], wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(fetched["raw"], held_out)


def test_each_layer_sees_what_those_before_it_give():
    stack = {
        "scale": {"type": "Rescaling", "scale": 10.0, "offset": 1.0},
        "norm": {"type": "Normalization"},
        "noise": {"type": "GaussianNoise", "stddev": 1.0},  # in inference, none
        "bins": {"type": "Discretization", "num_bins": 2},
    }
    config = adapt_to(NUMBERS, stack, batch_size=40)
    adapted = config.preprocess["x"]
    scaled = NUMBERS[TRAIN] * 10.0 + 1.0
    np.testing.assert_allclose(adapted["norm"]["mean"], scaled.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(adapted["norm"]["variance"], scaled.var(axis=0), rtol=1e-4)
    deviation = np.maximum(scaled.std(axis=0), 1e-7)
    twin = keras.layers.Discretization(num_bins=2)
    twin.adapt(((scaled - scaled.mean(axis=0)) / deviation).astype(np.float32))
    np.testing.assert_allclose(adapted["bins"]["bin_boundaries"], twin.bin_boundaries, atol=1e-3)
    assert stack["norm"] == {"type": "Normalization"}


def test_layers_of_a_block_and_of_two_inputs_are_adapted():
    config = ModelConfig(
        name="model",
        inputs={name: InputConfig(shape=[3], dtype="float32") for name in ("x", "y")},
        layers={"sum": {"type": "Add", "from": ["x", "y"]}},
        outputs="sum",
        preprocess={
            "x": {"block": {"layers": {"norm": {"type": "Normalization"}}}},
            "y": {
                "both": {"type": "Add", "from": ["input", "x"]},
                "norm": {"type": "Normalization"},
                "again": {"shared": "norm"},
            },
        },
    )
    assert validate_model(config) == []
    read = reader(x=NUMBERS[TRAIN], y=2 * NUMBERS[TRAIN])
    adapted = adapt_layers(config, read).preprocess
    norm = adapted["x"]["block"]["layers"]["norm"]
    np.testing.assert_allclose(norm["mean"], NUMBERS[TRAIN].mean(axis=0), rtol=1e-5)
    # Of a normalized input, whose mean is 0, and 2 times the input.
    np.testing.assert_allclose(
        adapted["y"]["norm"]["mean"], 2 * NUMBERS[TRAIN].mean(axis=0), rtol=1e-4
    )
    assert adapted["y"]["again"] == {"shared": "norm"}


def test_what_has_its_statistics_is_left_as_it_is():
    def read(names):
        raise AssertionError(f"{names} are read")

    config = declare(NUMBERS, {"norm": {"type": "Normalization", "mean": 1.0, "variance": 4.0}})
    assert adapt_layers(config, read) == config


class Disk:
    """Values of which rows can be had, as files give them."""

    blocks = lengths = by_tensors = None

    def __init__(self, values):
        self.values, self.counts = values, []

    def read(self, rows, names):
        self.counts.append(len(rows))
        return dict.fromkeys(names, self.values[rows])

    def digest(self):
        return ""


@pytest.mark.parametrize(
    ("values", "spec", "batch_bytes"),
    [
        (NUMBERS, {"type": "Normalization"}, 10 * 12),
        (TEXTS, {"type": "TextVectorization"}, 10 * 1024),
    ],
)
def test_columns_that_are_larger_than_memory_are_read_in_batches(values, spec, batch_bytes):
    disk = Disk(values)
    column = LazyColumn(disk, "x", np.arange(40), values.shape[1:], values.dtype)
    examples = Examples(features={"x": column}, labels={}, rows=np.arange(40))
    config = declare(values, {"layer": spec})
    adapted = adapt_layers(config, lambda names: iterate_features(examples, names, batch_bytes))
    for name, value in adapt_to(values, {"layer": spec}).preprocess["x"]["layer"].items():
        found = adapted.preprocess["x"]["layer"][name]
        if name in ("mean", "variance"):
            np.testing.assert_allclose(found, value, rtol=1e-4)
        else:
            assert found == value
    assert set(disk.counts) == {10}


@pytest.mark.parametrize("batch_bytes", [2**10, 2**26])
def test_padding_is_no_value(batch_bytes):
    rows = [RNG.normal(5.0, 1.0, (length, 2)) for length in (3, 1, 8, 0, 3, 8, 2)]
    column = ragged_column("x", rows, "float32", 0.0)
    examples = Examples({"x": column}, {}, np.arange(7))
    config = declare(np.zeros((1, 8, 2), np.float32), {"layer": {"type": "Normalization"}})
    config = replace(config, inputs={"x": InputConfig([None, 2], "float32")})
    adapted = adapt_layers(config, lambda names: iterate_features(examples, names, batch_bytes))
    learned = adapted.preprocess["x"]["layer"]
    values = np.concatenate(rows)
    np.testing.assert_allclose(learned["mean"], values.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(learned["variance"], values.var(axis=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("values", "spec", "message"),
    [
        (
            np.where(NUMBERS > 4, np.nan, NUMBERS).astype(np.float32),
            {"type": "Normalization"},
            "the mean of the training split is not finite; data.missing and data.fill say what "
            "becomes of NaN in it.",
        ),
        (
            np.full(50, "", object),
            {"type": "TextVectorization"},
            "nothing to make a vocabulary of is in the training split.",
        ),
        (
            NUMBERS[:, 0],
            {"type": "Normalization"},
            "Normalization cannot be adapted: All `axis` values to be kept must have a known "
            "shape. Received axis=(-1,), inputs.shape=(None,), with unknown axis at index 0.",
        ),
        (
            IMAGES,
            {"type": "TextVectorization"},
            "TextVectorization cannot be adapted: Cast float to string is not supported.",
        ),
        (
            np.full((50, 4, 5), "a", object),
            {"type": "TextVectorization"},
            "TextVectorization cannot be adapted: When using `TextVectorization` to tokenize "
            "strings, the input rank must be 1 or the last shape dimension must be 1. Received: "
            "inputs.shape=(7, 4, 5) with rank=3.",
        ),
        (
            NUMBERS,
            {"type": "Normalization", "variance": 1.0},
            "Normalization cannot be built: When setting values directly, both `mean` and "
            "`variance` must be set. Received: mean=None and variance=1.0.",
        ),
    ],
)
def test_what_cannot_be_adapted_is_refused_with_its_place(values, spec, message):
    with pytest.raises(ConfigError) as caught:
        adapt_to(values, {"layer": spec})
    assert str(caught.value) == f"data.preprocess.x.layer: {message}"


def test_a_layer_that_is_still_to_be_adapted_is_not_built():
    with pytest.raises(ConfigError) as caught:
        build_model(declare(NUMBERS, {"layer": {"type": "Normalization"}}))
    assert str(caught.value) == (
        "data.preprocess.x.layer: Normalization is still to be adapted to the training split."
    )


def test_an_experiment_without_statistics_reads_nothing(compose):
    config = compose("data.preprocess.image.flip.type=RandomFlip")
    nothing = Examples(features={}, labels={}, rows=np.arange(0))
    assert adapt(config, nothing) is config
    assert adapt(replace(config, seed=3), nothing).seed == 3
