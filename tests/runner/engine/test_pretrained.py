"""What is loaded of an earlier model, against the values that Keras itself holds."""

import re

import h5py
import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.config import PretrainedConfig
from runner.engine.graph import build_graph
from runner.engine.pretrained import load_pretrained, require_fit
from runner.engine.session import open_session

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

SEEDS = "seed_generator_state"


def build_twin():
    """Returns the cnn with another number of classes, written by hand, its weights random."""
    rng = np.random.default_rng(0)
    twin = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu", name="conv1"),
            keras.layers.BatchNormalization(name="norm1"),
            keras.layers.MaxPooling2D(name="pool1"),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            keras.layers.BatchNormalization(name="norm2"),
            keras.layers.MaxPooling2D(name="pool2"),
            keras.layers.Flatten(name="flatten"),
            keras.layers.Dense(3, name="logits"),
        ]
    )
    twin.set_weights([rng.normal(size=weight.shape) for weight in twin.weights])
    return twin


@pytest.fixture(scope="module")
def twin():
    return build_twin()


@pytest.fixture(scope="module", params=["model.keras", "model.weights.h5", "model.npz"])
def source(request, twin, tmp_path_factory):
    file = tmp_path_factory.mktemp("pretrained") / request.param
    if file.suffix == ".keras":
        twin.save(file)
    elif file.suffix == ".h5":
        twin.save_weights(file)
    else:
        named = {
            f"{layer.name}.{weight.name}": weight.numpy()
            for layer in twin.layers
            for weight in layer.weights
        }
        np.savez(file, **named)
    return str(file)


def load(graph, source, layers=("*",)):
    return load_pretrained(PretrainedConfig(source, list(layers)), graph.model, {})


def test_weights_of_the_same_names_and_shapes_are_those_of_the_file(compose, twin, source):
    config = compose("model=cnn")
    graph = build_graph(config)
    values, result = load(graph, source)
    with open_session(graph.with_weights(values), config.session) as session:
        read = session.read(graph.weights)
    for layer in ("conv1", "norm1", "conv2", "norm2"):
        for weight in twin.get_layer(layer).weights:
            name = f"{layer}.{weight.name}"
            np.testing.assert_array_equal(read[name], weight.numpy(), err_msg=name)
    reasons = {weight.name: weight.reason for weight in result.weights}
    assert len(result.loaded) == 12
    assert reasons["conv1.kernel"] == ""
    assert reasons["logits.kernel"].endswith("float32 in the source")
    assert reasons["logits.bias"] == "(3) float32 in the source"
    assert not any(SEEDS in name for name in reasons)
    assert not result.others


def test_patterns_choose_layers(compose, source):
    values, result = load(build_graph(compose("model=cnn")), source, ["conv*"])
    assert sorted(values) == ["conv1.bias", "conv1.kernel", "conv2.bias", "conv2.kernel"]
    reasons = {weight.name: weight.reason for weight in result.weights}
    assert reasons["norm1.gamma"] == "not chosen by pretrained.layers"


def test_what_the_model_has_no_place_for_is_told(compose, source):
    _, result = load(build_graph(compose("model=cnn", "~model.layers.norm1")), source)
    others = [weight.reason for weight in result.others]
    assert others == ["the model has no such weight"] * 4


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
@pytest.mark.parametrize("before", [0, 2])
def test_layers_within_layers_are_told_apart(compose, tmp_path, ending, before):
    keras.utils.clear_session()
    for _ in range(before):
        keras.layers.Bidirectional(keras.layers.LSTM(1))
    twin = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Bidirectional(keras.layers.LSTM(64), name="lstm"),
        ]
    )
    file = str(tmp_path / f"model.{ending}")
    twin.save(file) if ending == "keras" else twin.save_weights(file)
    graph = build_graph(compose("model=lstm"))
    values, _ = load(graph, file)
    assert len(values) == 6
    layer = twin.get_layer("lstm")
    for direction, one in (("forward", layer.forward_layer), ("backward", layer.backward_layer)):
        for weight in one.cell.weights:
            name = f"lstm.{direction}_lstm.lstm_cell.{weight.name}"
            np.testing.assert_array_equal(values[name], weight.numpy(), err_msg=name)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ["conv1", "cnov2"],
            "pretrained.layers[1]: expected the name of a layer, or a pattern of some; received "
            "'cnov2' (str). Did you mean 'conv2'?",
        ),
        (
            ["logits"],
            "pretrained.source: expected a source that has weights of the model's names, shapes "
            "and dtypes; received '{file}' (str). Nothing would be loaded: conv1.kernel: not "
            "chosen by pretrained.layers; conv1.bias: not chosen by pretrained.layers; "
            "norm1.gamma: not chosen by pretrained.layers.",
        ),
    ],
)
def test_nothing_to_load_is_refused(compose, source, layers, message):
    with pytest.raises(ConfigError) as caught:
        load(build_graph(compose("model=cnn")), source, layers)
    assert str(caught.value) == message.format(file=source)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5", "model.npz"])
def test_a_file_that_is_none_is_refused(compose, tmp_path, name):
    file = tmp_path / name
    file.write_text("nothing of the kind", encoding="utf-8")
    message = f"pretrained.source: {file} cannot be read: "
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(build_graph(compose("model=cnn")), str(file))


def test_a_file_that_names_no_layers_is_refused(compose, tmp_path):
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros(3)
    with pytest.raises(ConfigError, match="names no layers"):
        load(build_graph(compose("model=cnn")), str(tmp_path / "old.weights.h5"))


def test_frozen_layers_keep_what_they_were_given(compose, twin, source):
    frozen = [
        f"model.layers.{name}.trainable=false" for name in ("conv1", "norm1", "conv2", "norm2")
    ]
    config = compose("model=cnn", *frozen)
    graph = build_graph(config)
    values, _ = load(graph, source)
    rng = np.random.default_rng(0)
    batch = {"image": rng.random((8, 8, 8, 1), np.float32), "digit": np.arange(8)}
    with open_session(graph.with_weights(values), config.session) as session:
        before = session.read(graph.weights)
        session.callable(graph.training.train)(batch)
        after = session.read(graph.weights)
    for name in values:
        np.testing.assert_array_equal(after[name], values[name], err_msg=name)
    assert not np.array_equal(after["logits.kernel"], before["logits.kernel"])


def test_the_weights_of_a_run_have_to_fit(compose):
    config = compose("model=mlp")
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = session.read(graph.weights)
    assert require_fit(graph.model, weights).keys() == weights.keys()
    other = build_graph(compose("model=mlp", "model.layers.dense2.units=5"))
    with pytest.raises(ConfigError) as caught:
        require_fit(other.model, weights)
    assert str(caught.value) == (
        "from_run: the weights of the run do not fit the model: dense2.kernel is (128, 64) float32 "
        "in the run, (128, 5) float32 here; dense2.bias is (64) float32 in the run, (5) float32 "
        "here; logits.kernel is (64, 10) float32 in the run, (5, 10) float32 here. Take those that "
        "fit with pretrained.source in place of from_run."
    )
    wider = build_graph(compose("model=mlp", "model.layers.more={type: Dense, units: 10}"))
    with pytest.raises(
        ConfigError, match=r"model: more\.kernel is not in the run; more\.bias is not"
    ):
        require_fit(wider.model, weights)


def test_a_feed_goes_before_a_loaded_weight(compose):
    config = compose("model=mlp", "task=forward", "feeds.logits.bias=3")
    graph = build_graph(config, {"logits.bias": np.asarray(3.0)})
    with open_session(
        graph.with_weights({"logits.bias": np.ones(10, np.float32)}), config.session
    ) as session:
        assert session.read(graph.weights)["logits.bias"].tolist() == [3.0] * 10
