"""Models of the users' own YAML, from the file to the Session: wiring, inputs, outputs, classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.engine.steps import BATCH_LOSS
from runner.results import SplitResult, Started, StepsResult
from runner.tasks.train import train
from runner.validation import validate
from tests.datasets import load_dataset
from tests.opening import open_experiment

RNG = np.random.default_rng(11)


@pytest.fixture
def compose_own(compose, tmp_path):
    """Composes a model of a YAML file in a folder of the user's own."""

    def compose_own(text, *overrides):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "own.yaml").write_text(text, encoding="utf-8")
        config = compose(f"hydra.searchpath=[file://{tmp_path}]", "model=own", *overrides)
        validate(config)
        return config

    return compose_own


def run_once(config, feeds):
    """Returns what a call of the Session fetches, and the weights by path."""
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)(feeds)
        return fetched, session.read(weights_of(graph))


def weights_of(graph):
    return {weight.path: weight.value for weight in graph.model.keras_model.weights}


FORWARD = ("data=random", "task=forward", "data.classes=3")

SPARSE = """
name: own
inputs:
  words: {shape: [6], dtype: float32, sparse: true, batch_size: 4}
layers:
  dense: {type: Dense, units: 3, bias_initializer: ones}
outputs: dense
loss: null
metrics: {}
"""


def test_a_sparse_input_of_a_fixed_batch_size_is_fed_what_is_not_zero(compose_own):
    config = compose_own(SPARSE, *FORWARD, "task.examples=4", "fetches.words=words")
    words = RNG.random((4, 6), np.float32) * (RNG.random((4, 6)) < 0.4)
    with open_experiment(config) as (graph, _):
        assert isinstance(graph.features["words"], tf.SparseTensor)
        assert graph.features["words"].shape == (4, 6)
    fetched, weights = run_once(config, {"words": words})
    np.testing.assert_array_equal(fetched["words"].indices, np.argwhere(words))
    np.testing.assert_array_equal(fetched["words"].values, words[words != 0])
    np.testing.assert_array_equal(fetched["words"].dense_shape, words.shape)
    kernel, bias = weights["dense/kernel"], weights["dense/bias"]
    np.testing.assert_allclose(fetched["outputs"], words @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_a_fixed_batch_size_other_than_the_datas_is_refused(compose_own):
    with pytest.raises(ConfigError) as caught:
        compose_own(SPARSE, *FORWARD)
    assert str(caught.value) == (
        "task.examples: expected 4, as model.inputs.words.batch_size is; received 32 (int)."
    )


FIXED = """
name: own
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32, batch_size: 100}
layers:
  flatten: {type: Flatten}
  logits: {type: Dense, units: 10}
outputs: logits
loss: {type: SparseCategoricalCrossentropy, from_logits: true}
metrics: {}
"""


def test_batches_that_a_fixed_batch_size_cannot_take_are_dropped(compose_own):
    overrides = ("data.batch_size=100", "data.drop_remainder=true", "task.epochs=1")
    config = compose_own(FIXED, *overrides, "task.examples=100")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    with open_experiment(config) as (graph, session):
        results = list(train(config, config.task, graph, session, dataset))
    (started,) = [result for result in results if isinstance(result, Started)]
    assert started.examples["train"] == 1258
    calls = [result for result in results if isinstance(result, StepsResult)]
    assert sum(len(call.losses) for call in calls) == 12
    splits = [result.split for result in results if isinstance(result, SplitResult)]
    assert splits == ["train", "validation", "test"]


TWO_OUTPUTS = """
name: own
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  flatten: {type: Flatten}
  trunk: {type: Dense, units: 16, activation: relu}
  digit: {type: Dense, units: 10, from: trunk}
  odd: {type: Dense, units: 1, activation: sigmoid, from: trunk}
outputs: {digit: digit, odd: odd}
loss:
  digit: {type: SparseCategoricalCrossentropy, from_logits: true, weight: 0.3}
  odd: {type: BinaryCrossentropy, label: parity, weight: 2.0}
metrics:
  accuracy: {type: SparseCategoricalAccuracy, output: digit}
  odd_error: {type: MeanAbsoluteError, output: odd, label: parity}
"""


def test_weighted_losses_of_two_outputs_train_as_in_eager_keras(compose_own):
    config = compose_own(TWO_OUTPUTS, "optimizer=sgd")
    examples = load_dataset(config.data, config.model.inputs, config.seed).train
    batches = [examples.take(RNG.integers(0, len(examples), 32)) for _ in range(20)]

    with open_experiment(config) as (graph, session):
        initial = session.read(weights_of(graph))
        evaluate = session.callable(graph.evaluation.evaluate)
        evaluated = evaluate({**batches[0].features, **batches[0].labels})
        step = session.callable(graph.training.train)
        trained = [step({**batch.features, **batch.labels}) for batch in batches]
        final = session.read(weights_of(graph))

    image = keras.Input((8, 8, 1))
    trunk = keras.layers.Dense(16, activation="relu")(keras.layers.Flatten()(image))
    outputs = {
        "digit": keras.layers.Dense(10)(trunk),
        "odd": keras.layers.Dense(1, activation="sigmoid")(trunk),
    }
    eager = keras.Model(image, outputs)
    eager.set_weights(list(initial.values()))
    eager.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        loss={
            "digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "odd": "binary_crossentropy",
        },
        loss_weights={"digit": 0.3, "odd": 2.0},
        metrics={"digit": "sparse_categorical_accuracy", "odd": "mean_absolute_error"},
    )
    targets = [{"digit": batch.labels["digit"], "odd": batch.labels["parity"]} for batch in batches]
    wanted = eager.test_on_batch(batches[0].features["image"], targets[0], return_dict=True)
    names = {
        "loss": "loss",
        "digit_loss": "digit_loss",
        "odd_loss": "odd_loss",
        "accuracy": "digit_sparse_categorical_accuracy",
        "odd_error": "odd_mean_absolute_error",
    }
    for name, keras_name in names.items():
        np.testing.assert_allclose(evaluated[name], wanted[keras_name], rtol=1e-5, err_msg=name)

    for batch, target, ours in zip(batches, targets, trained, strict=True):
        eager.reset_metrics()
        wanted = eager.train_on_batch(batch.features["image"], target, return_dict=True)
        np.testing.assert_allclose(ours[BATCH_LOSS], wanted["loss"], rtol=1e-5)
    for path, eager_weight in zip(final, eager.get_weights(), strict=True):
        np.testing.assert_allclose(final[path], eager_weight, rtol=1e-5, atol=1e-6, err_msg=path)


def test_fetches_keep_their_nesting_in_their_names(compose):
    config = compose(
        "task=forward", "model=mlp", "fetches={all: [dense1, {last: logits}], one: flatten}"
    )
    images = RNG.random((3, 8, 8, 1), np.float32)
    fetched, weights = run_once(config, {"image": images})
    assert list(fetched) == ["outputs", "all.0", "all.1.last", "one"]
    flat = images.reshape(3, 64)
    np.testing.assert_array_equal(fetched["one"], flat)
    hidden = np.maximum(flat @ weights["dense1/kernel"] + weights["dense1/bias"], 0)
    np.testing.assert_allclose(fetched["all.0"], hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fetched["all.1.last"], fetched["outputs"])


ENCODERS = """
defaults:
  - /model@layers.left: mlp
  - /model@layers.right: mlp
  - _self_

name: own
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  left: {layers: {dense1: {units: 7}}}
  right: {from: image}
  both: {type: Concatenate, from: [left, right]}
outputs: both
loss: null
metrics: {}
"""


def test_a_whole_model_of_the_zoo_is_a_block(compose_own):
    config = compose_own(ENCODERS, "task=forward", "fetches.left=left.dense1")
    images = RNG.random((3, 8, 8, 1), np.float32)
    fetched, weights = run_once(config, {"image": images})
    assert fetched["left"].shape == (3, 7)

    def mlp(side):
        values = images.reshape(3, 64)
        for layer in ("dense1", "dense2", "logits"):
            kernel, bias = (weights[f"{side}.{layer}/{name}"] for name in ("kernel", "bias"))
            values = values @ kernel + bias
            values = values if layer == "logits" else np.maximum(values, 0)
        return values

    wanted = np.concatenate([mlp("left"), mlp("right")], axis=1)
    np.testing.assert_allclose(fetched["outputs"], wanted, rtol=1e-5, atol=1e-6)


OWN_LAYER = '''
import keras


class Scale(keras.layers.Layer):
    """Multiplies by a weight."""

    def __init__(self, start=2.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        initializer = keras.initializers.Constant(self.start)
        self.scale = self.add_weight(name="scale", shape=(), initializer=initializer)

    def call(self, inputs):
        return inputs * self.scale
'''

OWN = """
name: own
inputs:
  values: {shape: [5], dtype: float32}
layers:
  scale: {class: feedfetch_test_layers.Scale, start: 3.0}
outputs: scale
loss: null
metrics: {}
"""


def test_a_class_of_a_trusted_module_is_a_layer(compose_own, tmp_path, monkeypatch):
    (tmp_path / "feedfetch_test_layers.py").write_text(OWN_LAYER, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = compose_own(OWN, *FORWARD, "trusted_modules=[feedfetch_test_layers]")
    values = RNG.random((2, 5), np.float32)
    fetched, weights = run_once(config, {"values": values})
    assert weights == {"scale/scale": 3.0}
    np.testing.assert_allclose(fetched["outputs"], 3 * values, rtol=1e-6)


def test_a_class_of_another_module_is_refused_and_not_imported(compose_own, tmp_path, monkeypatch):
    module = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
    (tmp_path / "feedfetch_test_layers.py").write_text(module + OWN_LAYER, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        compose_own(OWN, *FORWARD)
    assert str(caught.value) == (
        "model.layers.scale.class: expected a class of a trusted module (models); received "
        "'feedfetch_test_layers.Scale' (str). Add it, if you trust its code: "
        "trusted_modules=[feedfetch_test_layers]."
    )
    assert not (tmp_path / "ran").exists()
