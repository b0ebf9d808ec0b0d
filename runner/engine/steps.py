"""The steps of training and evaluation, each traced once into a function of the graph.

A Keras layer that is called in a graph for training leaves the assignments of its statistics and
seeds beside the path to its output, where a Session does not run them. Inside a ``tf.function``
they run: its automatic control dependencies order every assignment before the call returns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from models.config import ModelConfig
from models.factory import build_object, keras_reason
from models.problems import ConfigError, Problem
from models.shapes import format_shape
from runner.engine.equality import elementwise_equality

LOSS = "loss"
BATCH_LOSS = "batch_loss"


@dataclass(frozen=True)
class Step:
    """Something a Session can be asked to do.

    Attributes:
        name: What it is called in messages and traces.
        feeds: The placeholders to feed, by name.
        fetches: The tensors that come back, by name.
    """

    name: str
    feeds: Mapping[str, tf.Tensor]
    fetches: Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class TrainingSteps:
    """The steps that a training run takes.

    Attributes:
        train: Features and labels in; ``batch_loss`` of the batch before its update, and the
            metrics over all batches since the last reset out.
        evaluate: Features and labels in; likewise, in inference and with metrics of its own.
        reset: Forgets what the metrics of both have gathered.
    """

    train: Step
    evaluate: Step
    reset: Step


@dataclass(frozen=True)
class _Meters:
    """A mean of the loss and the configured metrics, gathered over steps."""

    loss: keras.metrics.Mean
    metrics: Mapping[str, keras.metrics.Metric]

    def update(self, loss: tf.Tensor, labels: tf.Tensor, outputs: tf.Tensor) -> None:
        """Adds a batch, the loss weighed by its number of examples as in ``keras.Model.fit``."""
        self.loss.update_state(loss, sample_weight=tf.shape(outputs)[0])
        for name, metric in self.metrics.items():
            _compare(f"model.metrics.{name}", metric.update_state, labels, outputs)

    def results(self) -> dict[str, tf.Tensor]:
        """Returns what has been gathered since the last reset."""
        results = {
            name: _require_number(f"model.metrics.{name}", metric.result())
            for name, metric in self.metrics.items()
        }
        return {LOSS: self.loss.result(), **results}

    def reset(self) -> None:
        """Forgets what has been gathered."""
        for metric in (self.loss, *self.metrics.values()):
            metric.reset_state()


def trace_training(
    *,
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    config: ModelConfig,
    features: Mapping[str, tf.Tensor],
    labels: Mapping[str, tf.Tensor],
) -> TrainingSteps:
    """Returns the steps that train and evaluate `model`, traced into the current graph.

    Args:
        model: The model, built in the current graph.
        optimizer: An optimizer whose variables are built there.
        config: Declares the loss and the metrics.
        features: Placeholders, (batch, ...), by input name.
        labels: One placeholder, (batch, ...), by label name.

    Raises:
        ConfigError: If the loss or a metric cannot take the model's output and the label.
    """
    if config.loss is None:
        raise ConfigError([Problem("model.loss", "expected a loss; received None (NoneType).")])
    loss_function = build_object("model.loss", "losses", config.loss)
    with tf.name_scope("variables"):
        train_meters, evaluate_meters = _build_meters(config), _build_meters(config)
    (label,) = labels.values()

    def compute_loss(outputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        loss = _require_number("model.loss", _compare("model.loss", loss_function, labels, outputs))
        # As in keras.Model.compute_loss: layers of another precision add losses of theirs.
        added = [tf.cast(loss, keras.config.floatx()) for loss in model.losses]
        return tf.add_n([tf.cast(loss, keras.config.floatx()), *added])

    def train(features: Mapping[str, tf.Tensor], labels: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = model(features, training=True)
            loss = compute_loss(outputs, labels)
            scaled_loss = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, model.trainable_variables)
        if all(gradient is None for gradient in gradients):
            message = "no weight has a gradient; a layer in between cannot be differentiated."
            raise ConfigError([Problem("model.layers", message)])
        optimizer.apply(gradients, model.trainable_variables)
        train_meters.update(loss, labels, outputs)
        return {BATCH_LOSS: loss, **train_meters.results()}

    def evaluate(features: Mapping[str, tf.Tensor], labels: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = model(features, training=False)
        loss = compute_loss(outputs, labels)
        evaluate_meters.update(loss, labels, outputs)
        return {BATCH_LOSS: loss, **evaluate_meters.results()}

    def reset() -> dict[str, tf.Tensor]:
        train_meters.reset()
        evaluate_meters.reset()
        return {"done": tf.constant(True)}

    feeds = {**features, **labels}
    return TrainingSteps(
        train=Step("train", feeds, trace_function(train, features, label)),
        evaluate=Step("evaluate", feeds, trace_function(evaluate, features, label)),
        reset=Step("reset", {}, trace_function(reset)),
    )


def _build_meters(config: ModelConfig) -> _Meters:
    return _Meters(
        loss=keras.metrics.Mean(name=LOSS),
        metrics={
            name: build_object(f"model.metrics.{name}", "metrics", spec, name=name)
            for name, spec in config.metrics.items()
        },
    )


def trace_function(
    function: Callable[..., dict[str, tf.Tensor]], *arguments: object
) -> dict[str, tf.Tensor]:
    """Returns the outputs of one call of `function` in the current graph, run as a whole."""
    with tf.name_scope(function.__name__), elementwise_equality():
        outputs: dict[str, tf.Tensor] = tf.function(function, autograph=False)(*arguments)
    return outputs


def _compare(
    path: str, function: Callable[..., tf.Tensor], labels: tf.Tensor, outputs: tf.Tensor
) -> tf.Tensor:
    """Returns what a loss or a metric makes of labels and outputs.

    Raises:
        ConfigError: If it cannot take their shapes.
    """
    try:
        return function(labels, outputs)
    except (ValueError, TypeError) as error:
        message = (
            f"cannot compare labels {format_shape(labels.shape)} "
            f"with outputs {format_shape(outputs.shape)}: {keras_reason(error)}"
        )
        raise ConfigError([Problem(path, message)]) from error


def _require_number(path: str, value: tf.Tensor) -> tf.Tensor:
    """Returns `value` if it is one number.

    Raises:
        ConfigError: If it has a shape.
    """
    if value.shape.rank != 0:
        message = (
            f"expected one number; received values of shape {tuple(value.shape)}. "
            "Set its reduction or average."
        )
        raise ConfigError([Problem(path, message)])
    return value
