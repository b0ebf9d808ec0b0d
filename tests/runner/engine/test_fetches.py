"""Each kind of fetch against NumPy, eager Keras or a graph written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.factory import build_model
from models.problems import ConfigError
from runner.engine.graph import build_graph
from runner.fetches import nest_fetches
from runner.validation import validate
from tests.datasets import load_dataset
from tests.opening import open_experiment

RNG = np.random.default_rng(2)
FORWARD = ("task=forward", "tracking=off")


class Ran:
    """What a configuration fetched, and the same model with the same weights, eager."""

    def __init__(self, config, **feeds):
        validate(config)
        with open_experiment(config) as (graph, session):
            examples = load_dataset(config.data, config.model.inputs, config.seed).test.take(
                slice(8)
            )
            given = {**examples.features, **examples.labels, **feeds}
            self.feeds = {name: given[name] for name in graph.predict.feeds}
            self.given = given
            self.fetched = session.callable(graph.predict)(self.feeds)
            self.step = graph.predict
            # As a run's values are read, so are they for the twin.
            weights = graph.model.keras_model.weights
            values = session.read({weight.path: weight.value for weight in weights})
        keras.utils.clear_session()
        self.eager = build_model(config.model)
        for weight in self.eager.keras_model.weights:
            weight.assign(values[weight.path])
        self.nested = nest_fetches(config.fetches, self.fetched)

    def values(self):
        """Returns the features and what each layer gives in eager Keras."""
        features = {name: tf.constant(self.given[name]) for name in self.eager.keras_model.input}
        return self.eager.call_layers(features, training=False)


def run(compose, *overrides, **feeds):
    return Ran(compose(*FORWARD, *overrides), **feeds)


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_probability[np.arange(len(labels)), labels].mean()


def test_a_layers_output_and_input_and_a_tensor(compose):
    ran = run(compose, "fetches={out: conv2, in: conv2.input, tensor: 'conv2/Relu:0'}")
    values = ran.values()
    close(ran.fetched["out"], values["conv2"])
    close(ran.fetched["in"], values["pool1"])
    np.testing.assert_array_equal(ran.fetched["tensor"], ran.fetched["out"])
    assert ran.step.batched == {"outputs", "out", "in", "tensor"}


def test_weights_and_statistics(compose):
    ran = run(compose, "fetches={kernel: conv1.kernel, mean: norm1.moving_mean}")
    conv1, norm1 = (ran.eager.layers[name] for name in ("conv1", "norm1"))
    np.testing.assert_array_equal(ran.fetched["kernel"], conv1.kernel)
    np.testing.assert_array_equal(ran.fetched["mean"], norm1.moving_mean)
    assert ran.step.batched == {"outputs"}


def test_the_loss_is_that_of_the_examples_fed(compose):
    ran = run(compose, "fetches.loss=loss", "fetches.accuracy=metric:accuracy", "model=mlp")
    logits, digits = ran.fetched["outputs"], ran.given["digit"]
    close(ran.fetched["loss"], cross_entropy(logits, digits))
    close(ran.fetched["accuracy"], (logits.argmax(axis=1) == digits).mean())


def test_a_metric_starts_anew_at_each_call(compose):
    config = compose(*FORWARD, "model=mlp", "fetches.accuracy=metric:accuracy")
    examples = load_dataset(config.data, config.model.inputs, config.seed).test
    with open_experiment(config) as (graph, session):
        predict = session.callable(graph.predict)
        for start in (0, 20, 40):
            batch = examples.take(slice(start, start + 20))
            fetched = predict({**batch.features, **batch.labels})
            right = fetched["outputs"].argmax(axis=1) == batch.labels["digit"]
            close(fetched["accuracy"], right.mean())


@pytest.mark.parametrize("model", ["mlp", "cnn", "lstm"])
def test_gradients_of_the_loss(compose, model):
    wanted = {"mlp": "dense1.kernel", "cnn": "conv1.kernel", "lstm": "logits.kernel"}[model]
    layer, _, weight = wanted.partition(".")
    ran = run(
        compose,
        f"model={model}",
        f"fetches={{weight: 'grad:{wanted}', saliency: 'grad:image', layer: 'grad:logits'}}",
    )
    image = tf.constant(ran.given["image"])
    variable = getattr(ran.eager.layers[layer], weight).value
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = ran.eager.call({"image": image}, training=False)["logits"]
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            ran.given["digit"], logits
        )
    for_weight, for_image, for_logits = tape.gradient(loss, [variable, image, logits])
    close(ran.fetched["weight"], for_weight)
    close(ran.fetched["saliency"], for_image)
    close(ran.fetched["layer"], for_logits)
    assert np.abs(for_image).max() > 1e-4


def test_gradients_of_a_layer_summed(compose):
    ran = run(compose, "model=mlp", "fetches.saliency='grad(dense2):image'")
    image = tf.constant(ran.given["image"])
    with tf.GradientTape() as tape:
        tape.watch(image)
        hidden = ran.eager.call_layers({"image": image}, training=False)["dense2"]
    close(ran.fetched["saliency"], tape.gradient(hidden, image))


def test_gradients_in_training(compose):
    ran = run(
        compose,
        "model=mlp",
        "task.training=true",
        "fetches={weight: 'grad:dense1.kernel', image: 'grad:image', hidden: 'grad:dense1'}",
    )
    image = tf.constant(ran.given["image"])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        values = ran.eager.call_layers({"image": image}, training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            ran.given["digit"], values["logits"]
        )
    close(ran.fetched["weight"], tape.gradient(loss, ran.eager.layers["dense1"].kernel.value))
    close(ran.fetched["image"], tape.gradient(loss, image))
    close(ran.fetched["hidden"], tape.gradient(loss, values["dense1"]))


def test_the_optimizers_variables(compose):
    config = compose("model=mlp", "fetches.rate=optimizer.learning_rate", "fetches.o=optimizer.*")
    validate(config)
    with open_experiment(config) as (graph, session):
        predict = session.callable(graph.predict)
        batch = load_dataset(config.data, config.model.inputs, config.seed).train.take(slice(8))
        before = predict(batch.features)
        session.callable(graph.training.train)({**batch.features, **batch.labels})
        after = predict(batch.features)
    assert before["rate"] == np.float32(0.001)
    assert (before["o.optimizer.iteration"], after["o.optimizer.iteration"]) == (0, 1)
    # Kingma and Ba (2015), algorithm 1: m = (1 - beta1) g after one step.
    assert np.abs(after["o.optimizer.dense1_kernel_momentum"]).max() > 0


def test_a_learning_rate_of_a_schedule(compose):
    schedule = (
        "{type: ExponentialDecay, initial_learning_rate: 0.1, decay_steps: 1, decay_rate: 0.5}"
    )
    config = compose(
        "model=mlp", f"optimizer.learning_rate={schedule}", "fetches.rate=optimizer.learning_rate"
    )
    with open_experiment(config) as (graph, session):
        predict = session.callable(graph.predict)
        batch = load_dataset(config.data, config.model.inputs, config.seed).train.take(slice(8))
        rates = [predict(batch.features)["rate"]]
        session.callable(graph.training.train)({**batch.features, **batch.labels})
        rates.append(predict(batch.features)["rate"])
    close(rates, [0.1, 0.05])


def test_an_operation_is_run_and_gives_null(compose):
    ran = run(compose, "model=mlp", "fetches.product=dense1/MatMul")
    assert ran.fetched["product"] is None
    assert isinstance(ran.step.fetches["product"], tf.Operation)


def test_patterns_are_mappings_of_what_matches(compose):
    ran = run(
        compose,
        "fetches={maps: 'conv*', kernels: '*.kernel', gradients: 'grad:conv*.*', "
        "relus: '*/Relu:0', metrics: 'metric:*'}",
    )
    values = ran.values()
    assert list(ran.nested["maps"]) == ["conv1", "conv2"]
    close(ran.nested["maps"]["conv2"], values["conv2"])
    assert list(ran.nested["kernels"]) == ["conv1.kernel", "conv2.kernel", "logits.kernel"]
    assert list(ran.nested["gradients"]) == [
        "conv1.kernel",
        "conv1.bias",
        "conv2.kernel",
        "conv2.bias",
    ]
    assert list(ran.nested["relus"]) == ["conv1/Relu:0", "conv2/Relu:0"]
    assert list(ran.nested["metrics"]) == ["accuracy"]


# The structures of the documentation of tf.compat.v1.Session.run, a tuple as a list.
@pytest.mark.parametrize(
    "structure",
    [
        "{fetch: dense1}",
        "{fetch: [dense1, dense2]}",
        "{fetch: {k1: [dense1, dense2], k2: [logits]}}",
        "{a: [dense1, [dense2, [logits]]], b: {c: {d: dense1}}}",
        "{same: [dense1, dense1]}",
    ],
)
def test_the_structure_is_that_of_session_run(compose, structure):
    config = compose(*FORWARD, "model=mlp", f"fetches={structure}", "~fetches.outputs")
    images = RNG.random((3, 8, 8, 1), np.float32)
    with open_experiment(config) as (graph, session):
        ours = nest_fetches(config.fetches, session.callable(graph.predict)({"image": images}))
        tensors = nest_fetches(config.fetches, graph.predict.fetches)
        wanted = session._session.run(tensors, {graph.features["image"]: images})
    tf.nest.assert_same_structure(ours, wanted)
    for mine, other in zip(tf.nest.flatten(ours), tf.nest.flatten(wanted), strict=True):
        np.testing.assert_array_equal(mine, other)


TWICE = """
name: own
inputs:
  left: {shape: [4], dtype: float32}
  right: {shape: [4], dtype: float32}
layers:
  encode: {type: Dense, units: 3, activity_regularizer: l2, from: left}
  again: {shared: encode, from: right}
  both: {type: Concatenate, from: [encode, again]}
outputs: {joined: both}
loss: {type: MeanSquaredError, label: left}
metrics: {}
"""


@pytest.fixture
def compose_own(compose, tmp_path):
    def compose_own(text, *overrides):
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "own.yaml").write_text(text, encoding="utf-8")
        return compose(
            f"hydra.searchpath=[file://{tmp_path}]", "model=own", "data=random", *overrides
        )

    return compose_own


def test_each_call_of_a_shared_layer_and_an_output_by_its_name(compose_own):
    ran = Ran(
        compose_own(
            TWICE,
            *FORWARD,
            "fetches={first: encode@1, second: encode@2, out: joined, left: 'both.input[0]'}",
        )
    )
    values = ran.values()
    close(ran.fetched["first"], values["encode"])
    close(ran.fetched["second"], values["again"])
    close(ran.fetched["out"], values["both"])
    close(ran.fetched["left"], values["encode"])


def test_the_loss_has_what_each_call_of_a_shared_layer_added(compose_own):
    text = TWICE.replace("MeanSquaredError, label: left", "MeanSquaredError, label: wide")
    labels = "data.labels={wide: {shape: [6], dtype: float32}}"
    config = compose_own(text, *FORWARD, "fetches.loss=loss", labels)
    wide = RNG.random((8, 6), np.float32)
    ran = Ran(config, wide=wide)
    left, right = (
        ran.given[name] @ ran.eager.layers["encode"].kernel for name in ("left", "right")
    )
    joined = np.concatenate([left, right], axis=1)
    # Keras divides the l2 regularization of an activity by the batch.
    added = 0.01 * (np.square(left).sum() + np.square(right).sum()) / len(left)
    close(ran.fetched["loss"], np.square(joined - wide).mean() + added)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["fetches.x=metric:acuracy"],
            "fetches.x: expected a metric of the model; received 'acuracy' (str). "
            "Did you mean 'accuracy'?",
        ),
        (
            ["fetches.x=grad:imag"],
            "fetches.x: expected the name of a layer, or of a tensor such as 'conv1/Relu:0'; "
            "received 'grad:imag' (str). Did you mean 'image'?",
        ),
        (
            ["fetches.x=optimizer.learning_rate"],
            "fetches.x: expected the name of a layer, or of a tensor such as 'conv1/Relu:0'; "
            "received 'optimizer.learning_rate' (str). There is an optimizer only in task=train.",
        ),
        (
            ["fetches.x=loss", "model.loss=null"],
            "model.loss: expected a loss, which fetches.x needs; received None (NoneType).",
        ),
        (
            ["fetches.x=conv1.kernal"],
            "fetches.x: expected a layer, a weight or a tensor of the graph; received "
            "'conv1.kernal' (str). Did you mean 'conv1.kernel'?",
        ),
        (
            ["fetches.x=conv1@2"],
            "fetches.x: expected conv1@1 to conv1@1, its calls; received 'conv1@2' (str).",
        ),
        (
            ["fetches.x=dens*"],
            "fetches.x: expected a pattern that something matches; received 'dens*' (str).",
        ),
        (
            ["fetches.x=grad:norm1.moving_mean", "task.training=true"],
            "fetches.x: the loss is made without norm1.moving_mean; there is no gradient.",
        ),
        (
            ["fetches.x='grad(conv1):logits'"],
            "fetches.x: conv1 is made without logits; there is no gradient.",
        ),
        (
            ["fetches.x=loss:digit"],
            "fetches.x: expected an output with a loss; received 'digit' (str). "
            "Choose from logits.",
        ),
        (
            ["fetches.x=grad:conv1/Shape:0"],
            "fetches.x: expected a layer, a weight or a tensor of the graph; received "
            "'grad:conv1/Shape:0' (str). Did you mean 'conv1/Reshape:0'?",
        ),
    ],
)
def test_a_fetch_that_is_not_there_is_refused(compose, overrides, message):
    with pytest.raises(ConfigError) as caught:
        refuse(compose(*FORWARD, *overrides))
    assert str(caught.value) == message


def refuse(config):
    validate(config)
    build_graph(config)


def test_integers_have_no_gradient(compose_own):
    text = """
name: own
inputs: {tokens: {shape: [4], dtype: int32}}
layers: {embed: {type: Embedding, input_dim: 5, output_dim: 2}}
outputs: embed
loss: null
metrics: {}
"""
    config = compose_own(text, *FORWARD, "fetches.x='grad(embed):tokens'")
    with pytest.raises(ConfigError) as caught:
        build_graph(config)
    assert str(caught.value) == (
        "fetches.x: expected floating-point values to differentiate; tokens is of int32."
    )
