"""Steps in a Session against eager Keras: losses, weights, statistics, masks, metrics."""

import keras
import numpy as np
import pytest

from models.factory import build_model
from models.objects import build_object
from models.problems import ConfigError
from runner.engine.graph import build_graph
from runner.engine.steps import BATCH_LOSS
from tests.datasets import load_dataset
from tests.opening import open_experiment

STEPS = 100
BATCH_SIZE = 32


def build_eager_mlp():
    return keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )


def build_eager_cnn():
    return keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.001),
    "adamw": lambda: keras.optimizers.AdamW(0.001, weight_decay=0.004),
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
}


def digit_batches(config):
    """Returns as many batches of digits as there are steps, in an order of the test's own."""
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    order = np.random.default_rng(7).integers(0, len(train), (STEPS, BATCH_SIZE))
    return [(train.features["image"][rows], train.labels["digit"][rows]) for rows in order]


def train_in_session(config, batches):
    """Returns each step's loss, and the weights by path before and after."""
    with open_experiment(config) as (graph, session):
        weights = {weight.path: weight.value for weight in graph.model.keras_model.weights}
        initial = session.read(weights)
        train = session.callable(graph.training.train)
        losses = [train({"image": x, "digit": y})[BATCH_LOSS] for x, y in batches]
        return losses, initial, session.read(weights)


@pytest.mark.parametrize(
    ("overrides", "build_eager", "optimizer"),
    [
        (["model=mlp"], build_eager_mlp, "adam"),
        (["model=mlp"], build_eager_mlp, "adamw"),
        (["model=mlp"], build_eager_mlp, "sgd"),
        (["model=cnn", "~model.layers.drop"], build_eager_cnn, "adam"),
    ],
)
@pytest.mark.parametrize(
    ("kernels", "tolerance"),
    # Kernels round otherwise, which a hundred steps make more of.
    [("false", 1e-5), ("true", 1e-2)],
)
def test_training_equals_eager_train_on_batch(
    compose, overrides, build_eager, optimizer, kernels, tolerance
):
    config = compose(*overrides, f"optimizer={optimizer}", f"plan.fused_kernels={kernels}")
    batches = digit_batches(config)

    losses, initial, final = train_in_session(config, batches)

    eager = build_eager()
    eager.set_weights(list(initial.values()))
    eager.compile(
        OPTIMIZERS[optimizer](),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    eager_losses = []
    for x, y in batches:
        eager.reset_metrics()
        eager_losses.append(eager.train_on_batch(x, y))

    np.testing.assert_allclose(losses[:20], eager_losses[:20], rtol=max(1e-5, tolerance / 100))
    np.testing.assert_allclose(losses, eager_losses, rtol=tolerance)
    for path, eager_weight in zip(final, eager.get_weights(), strict=True):
        np.testing.assert_allclose(
            final[path], eager_weight, rtol=tolerance, atol=tolerance, err_msg=path
        )


VARIANTS = {
    "gradients accumulate": ["optimizer.gradient_accumulation_steps=3"],
    "averages overwrite": ["optimizer.use_ema=true", "optimizer.ema_overwrite_frequency=3"],
    "gradients are clipped": ["optimizer.global_clipnorm=0.01"],
    "the loss is scaled": ["optimizer.loss_scale_factor=128.0"],
    "weights are constrained": ["model.layers.dense1.kernel_constraint=max_norm"],
    "a layer is frozen": ["model.layers.dense1.trainable=false"],
    "a layer is in float64": ["model.layers.dense1.dtype=float64"],
    "a layer is in bfloat16": ["model.layers.dense1.dtype=mixed_bfloat16"],
    "activity is regularized": ["model.layers.dense1.activity_regularizer=l2"],
}


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_training_equals_eager_keras_where(compose, overrides):
    config = compose("model=mlp", *overrides)
    batches = digit_batches(config)[:12]
    losses, initial, final = train_in_session(config, batches)

    eager = build_model(config.model).keras_model
    eager.set_weights(list(initial.values()))
    eager.compile(
        build_object("optimizer", "optimizers", config.optimizer),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    eager_losses = [eager.train_on_batch({"image": x}, y) for x, y in batches]
    np.testing.assert_allclose(losses, eager_losses, rtol=1e-5)
    # A product that rounds to the next bfloat16 differs in its third digit, a step in its fifth.
    atol = 1e-4 if "bfloat16" in str(overrides) else 1e-5
    for path, eager_weight in zip(final, eager.get_weights(), strict=True):
        np.testing.assert_allclose(final[path], eager_weight, rtol=1e-5, atol=atol, err_msg=path)
    assert any(not np.array_equal(initial[path], final[path]) for path in final)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regularization_is_part_of_the_loss(compose, dtype):
    layer = "model.layers.dense1"
    config = compose("model=mlp", f"{layer}.kernel_regularizer=l2", f"{layer}.dtype={dtype}")
    image, digit = digit_batches(config)[0]

    with open_experiment(config) as (graph, session):
        kernel = session.read({"kernel": graph.model.keras_model.get_layer("dense1").kernel.value})[
            "kernel"
        ]
        values = session.callable(graph.evaluation.evaluate)({"image": image, "digit": digit})
        logits = session.callable(graph.predict)({"image": image})["outputs"]

    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    cross_entropy = -log_probability[np.arange(len(digit)), digit].mean()
    # keras.regularizers.L2 is 0.01 times the sum of squares by default.
    expected = cross_entropy + 0.01 * np.square(kernel).sum()
    np.testing.assert_allclose(values[BATCH_LOSS], expected, rtol=1e-5)


def test_metrics_gather_over_batches_until_reset(compose):
    config = compose("model=mlp")
    digits = digit_batches(config)
    batches = [(x[:size], y[:size]) for (x, y), size in zip(digits[:3], (32, 32, 5), strict=True)]

    with open_experiment(config) as (graph, session):
        evaluate = session.callable(graph.evaluation.evaluate)
        predict = session.callable(graph.predict)
        for x, y in batches:
            values = evaluate({"image": x, "digit": y})
        correct = np.concatenate(
            [predict({"image": x})["outputs"].argmax(axis=1) == y for x, y in batches]
        )
        session.callable(graph.evaluation.reset)({})
        x, y = batches[0]
        first = evaluate({"image": x, "digit": y})

    np.testing.assert_allclose(values["accuracy"], correct.mean(), rtol=1e-6)
    np.testing.assert_allclose(first["accuracy"], correct[:32].mean(), rtol=1e-6)
    np.testing.assert_allclose(first["loss"], first[BATCH_LOSS], rtol=1e-6)


def test_loss_metric_weighs_batches_by_their_examples(compose):
    config = compose("model=mlp")
    digits = digit_batches(config)
    batches = [(x[:size], y[:size]) for (x, y), size in zip(digits[:2], (32, 5), strict=True)]

    with open_experiment(config) as (graph, session):
        evaluate = session.callable(graph.evaluation.evaluate)
        values = [evaluate({"image": x, "digit": y}) for x, y in batches]

    first, second = (value[BATCH_LOSS] for value in values)
    np.testing.assert_allclose(values[-1]["loss"], (32 * first + 5 * second) / 37, rtol=1e-6)


def test_batch_normalization_statistics_move_as_keras_documents(compose):
    config = compose("~model.layers.drop")
    image, digit = digit_batches(config)[0]

    with open_experiment(config) as (graph, session):
        norm = graph.model.keras_model.get_layer("norm1")
        statistics = {"mean": norm.moving_mean.value, "variance": norm.moving_variance.value}
        before = session.read(statistics)
        # conv1's output at the initial weights, which the step sees before its update.
        weights = {
            weight.path: weight.value
            for weight in graph.model.keras_model.get_layer("conv1").weights
        }
        conv1 = keras.layers.Conv2D(32, 3, padding="same", activation="relu")
        conv1.build((None, 8, 8, 1))
        conv1.set_weights(list(session.read(weights).values()))
        session.callable(graph.training.train)({"image": image, "digit": digit})
        after = session.read(statistics)

    output = np.asarray(conv1(image))
    mean, variance = output.mean(axis=(0, 1, 2)), output.var(axis=(0, 1, 2))
    np.testing.assert_allclose(after["mean"], 0.99 * before["mean"] + 0.01 * mean, atol=1e-6)
    np.testing.assert_allclose(
        after["variance"], 0.99 * before["variance"] + 0.01 * variance, atol=1e-6
    )


def test_evaluation_leaves_weights_and_statistics_alone(compose):
    config = compose()
    image, digit = digit_batches(config)[0]

    with open_experiment(config) as (graph, session):
        variables = {
            variable.path: variable.value for variable in graph.model.keras_model.variables
        }
        before = session.read(variables)
        session.callable(graph.evaluation.evaluate)({"image": image, "digit": digit})
        after = session.read(variables)

    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value, err_msg=path)


MASK_OVERRIDES = (
    "model=mlp",
    "~model.layers.dense1",
    "~model.layers.dense2",
    "~model.layers.logits",
    "+model.layers.drop={type: Dropout, rate: 0.3}",
    "+model.layers.sum={type: Dense, units: 1, use_bias: false, kernel_initializer: ones}",
    "model.outputs=sum",
    "model.loss.type=MeanAbsoluteError",
    "~model.loss.from_logits",
    "~model.metrics.accuracy",
    "optimizer.type=SGD",
    "optimizer.learning_rate=0.0",
)


def test_dropout_masks_differ_step_by_step_and_keep_their_rate(compose):
    """The sum of a dropped-out row of ones counts the ones kept, each scaled by 1 / (1 - rate)."""
    config = compose(*MASK_OVERRIDES)
    ones = np.ones((64, 8, 8, 1), np.float32)
    zeros = np.zeros(64, np.int64)

    with open_experiment(config) as (graph, session):
        train = session.callable(graph.training.train)
        sums = np.array([train({"image": ones, "digit": zeros})[BATCH_LOSS] for _ in range(50)])
        evaluate = session.callable(graph.evaluation.evaluate)
        inferred = evaluate({"image": ones, "digit": zeros})[BATCH_LOSS]
        predicted = session.callable(graph.predict)({"image": ones})["outputs"]

    kept = sums * (1 - 0.3) / 64
    assert len(np.unique(sums)) > 40
    # 50 steps of 64 * 64 draws: the standard error of the share is 0.001.
    assert abs(kept.mean() - 0.7) < 0.005
    assert inferred == 64
    np.testing.assert_array_equal(predicted, np.full((64, 1), 64.0))


def test_a_loss_that_cannot_take_the_outputs_is_a_problem_of_the_loss(compose):
    config = compose("model.loss.type=BinaryCrossentropy")
    with pytest.raises(ConfigError) as caught:
        build_graph(config)
    assert str(caught.value) == (
        "model.loss: cannot compare labels (batch) with outputs (batch, 10): Arguments `target` "
        "and `output` must have the same rank (ndim). Received: target.shape=(None,), "
        "output.shape=(None, 10)."
    )


def test_a_metric_that_cannot_take_the_outputs_is_a_problem_of_that_metric(compose):
    config = compose("model.metrics.f1={type: F1Score}")
    with pytest.raises(ConfigError, match=r"^model\.metrics\.f1: cannot compare labels \(batch\)"):
        build_graph(config)


def test_a_loss_or_metric_of_several_values_is_refused(compose):
    with pytest.raises(ConfigError) as caught:
        build_graph(compose("model.loss.reduction=none"))
    assert str(caught.value) == (
        "model.loss: expected one number; received values of shape (None,). Set its reduction or "
        "average."
    )
    labels = ("data=random", "~data.labels.label", "data.labels={label:{shape:[10],dtype:float32}}")
    loss, f1 = "model.loss.type=CategoricalCrossentropy", "model.metrics.f1={type: F1Score}"
    with pytest.raises(ConfigError, match=r"^model\.metrics\.f1: expected one number; received"):
        build_graph(compose(*labels, loss, "~model.metrics.accuracy", f1))


def test_weights_that_nothing_can_teach_are_refused(compose):
    replaced = [f"~model.layers.{layer}" for layer in ("dense2", "logits")]
    steps = [
        "+model.layers.bins={type: Discretization, bin_boundaries: [0.0]}",
        "+model.layers.scale={type: Rescaling, scale: 1.0}",
        "model.outputs=scale",
    ]
    with pytest.raises(ConfigError) as caught:
        build_graph(compose("model=mlp", *replaced, *steps))
    assert str(caught.value) == (
        "model.layers: no weight has a gradient; a layer in between cannot be differentiated."
    )


def test_a_model_without_weights_cannot_train(compose):
    layers = ("dense1", "dense2", "logits")
    removed = [f"~model.layers.{layer}" for layer in layers]
    config = compose("model=mlp", *removed, "model.outputs=flatten")
    with pytest.raises(ConfigError) as caught:
        build_graph(config)
    assert str(caught.value) == (
        "model.layers: expected a layer with weights to train; received ['flatten'] (list)."
    )
