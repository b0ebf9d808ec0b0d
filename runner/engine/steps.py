"""The steps of training and evaluation, each traced once into a function of the graph.

A Keras layer that is called in a graph for training leaves the assignments of its statistics and
seeds beside the path to its output, where a Session does not run them. Inside a ``tf.function``
they run: its automatic control dependencies order every assignment before the call returns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from models.factory import BuiltModel
from models.objectives import BATCH_LOSS, LOSS, Objective, Objectives
from models.objects import build_object, keras_reason
from models.problems import ConfigError, Problem
from models.shapes import format_shape
from runner.engine.equality import elementwise_equality
from runner.engine.feeds import Placeholder

Tensors = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Step:
    """Something a Session can be asked to do.

    Attributes:
        name: What it is called in messages and traces.
        feeds: The placeholders to feed, by name.
        fetches: The tensors that come back, by name.
    """

    name: str
    feeds: Mapping[str, Placeholder]
    fetches: Tensors


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
class _Losses:
    """The sum that is trained, and the part that each output has in it.

    Attributes:
        total: The weighted losses of all outputs and what layers added, one number.
        by_output: Each output's loss, not weighted.
    """

    total: tf.Tensor
    by_output: Tensors


@dataclass(frozen=True)
class _Meters:
    """Means of the losses and the configured metrics, gathered over steps."""

    loss: keras.metrics.Mean
    by_output: Mapping[str, keras.metrics.Mean]
    metrics: Mapping[str, tuple[Objective, keras.metrics.Metric]]

    def update(self, losses: _Losses, targets: Tensors, outputs: Tensors) -> None:
        """Adds a batch, the losses weighed by its number of examples as in ``fit``."""
        examples = tf.shape(next(iter(outputs.values())))[0]
        self.loss.update_state(losses.total, sample_weight=examples)
        for output, mean in self.by_output.items():
            mean.update_state(losses.by_output[output], sample_weight=examples)
        for objective, metric in self.metrics.values():
            _compare(objective, metric.update_state, targets, outputs)

    def results(self) -> dict[str, tf.Tensor]:
        """Returns what has been gathered since the last reset."""
        parts = {f"{output}_{LOSS}": mean.result() for output, mean in self.by_output.items()}
        results = {
            name: _require_number(objective.path, metric.result())
            for name, (objective, metric) in self.metrics.items()
        }
        return {LOSS: self.loss.result(), **parts, **results}

    def reset(self) -> None:
        """Forgets what has been gathered."""
        metrics = [metric for _, metric in self.metrics.values()]
        for metric in (self.loss, *self.by_output.values(), *metrics):
            metric.reset_state()


def trace_training(
    *,
    model: BuiltModel,
    optimizer: keras.optimizers.Optimizer,
    objectives: Objectives,
    features: Mapping[str, Placeholder],
    labels: Mapping[str, Placeholder],
) -> TrainingSteps:
    """Returns the steps that train and evaluate `model`, traced into the current graph.

    Args:
        model: The model, built in the current graph.
        optimizer: An optimizer whose variables are built there.
        objectives: The losses and the metrics.
        features: Placeholders, (batch, ...), by input name.
        labels: Placeholders, (batch, ...), by label name.

    Raises:
        ConfigError: If a loss or a metric cannot take an output and its label, or there is no loss.
    """
    compute_losses = _build_losses(model, objectives)
    with tf.name_scope("variables"):
        train_meters, evaluate_meters = _build_meters(objectives), _build_meters(objectives)
    variables = model.keras_model.trainable_variables

    def train(features: Tensors, labels: Tensors) -> dict[str, tf.Tensor]:
        targets = {**features, **labels}
        with tf.GradientTape() as tape:
            outputs = model.call(features, training=True)
            losses = compute_losses(targets, outputs)
            scaled_loss = optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled_loss, variables)
        if all(gradient is None for gradient in gradients):
            message = "no weight has a gradient; a layer in between cannot be differentiated."
            raise ConfigError([Problem("model.layers", message)])
        optimizer.apply(gradients, variables)
        train_meters.update(losses, targets, outputs)
        return {BATCH_LOSS: losses.total, **train_meters.results()}

    def evaluate(features: Tensors, labels: Tensors) -> dict[str, tf.Tensor]:
        targets = {**features, **labels}
        outputs = model.call(features, training=False)
        losses = compute_losses(targets, outputs)
        evaluate_meters.update(losses, targets, outputs)
        return {BATCH_LOSS: losses.total, **evaluate_meters.results()}

    def reset() -> dict[str, tf.Tensor]:
        train_meters.reset()
        evaluate_meters.reset()
        return {"done": tf.constant(True)}

    feeds = {**features, **labels}
    return TrainingSteps(
        train=Step("train", feeds, trace_function(train, features, labels)),
        evaluate=Step("evaluate", feeds, trace_function(evaluate, features, labels)),
        reset=Step("reset", {}, trace_function(reset)),
    )


def _build_losses(
    model: BuiltModel, objectives: Objectives
) -> Callable[[Tensors, Tensors], _Losses]:
    """Returns the function of targets and outputs that gives the losses."""
    functions = [
        (objective, build_object(objective.path, "losses", objective.spec))
        for objective in objectives.losses
    ]

    def compute_losses(targets: Tensors, outputs: Tensors) -> _Losses:
        by_output = {
            objective.output: _require_number(
                objective.path, _compare(objective, function, targets, outputs)
            )
            for objective, function in functions
        }
        weighted = [
            objective.weight * tf.cast(by_output[objective.output], keras.config.floatx())
            for objective, _ in functions
        ]
        # As in keras.Model.compute_loss: layers of another precision add losses of theirs.
        added = [tf.cast(loss, keras.config.floatx()) for loss in model.keras_model.losses]
        if not weighted and not added:
            message = "expected a loss, or a layer that adds one; received None (NoneType)."
            raise ConfigError([Problem("model.loss", message)])
        return _Losses(total=tf.add_n([*weighted, *added]), by_output=by_output)

    return compute_losses


def _build_meters(objectives: Objectives) -> _Meters:
    outputs = [objective.output for objective in objectives.losses]
    return _Meters(
        loss=keras.metrics.Mean(name=LOSS),
        by_output={
            output: keras.metrics.Mean(name=f"{output}_{LOSS}")
            for output in outputs
            if len(outputs) > 1
        },
        metrics={
            objective.name: (
                objective,
                build_object(objective.path, "metrics", objective.spec, name=objective.name),
            )
            for objective in objectives.metrics
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
    objective: Objective,
    function: Callable[..., tf.Tensor],
    targets: Tensors,
    outputs: Tensors,
) -> tf.Tensor:
    """Returns what a loss or a metric makes of its output and label.

    Raises:
        ConfigError: If it cannot take their shapes.
    """
    label, output = targets[objective.label], outputs[objective.output]
    try:
        return function(label, output)
    except (ValueError, TypeError) as error:
        message = (
            f"cannot compare labels {format_shape(label.shape)} "
            f"with outputs {format_shape(output.shape)}: {keras_reason(error)}"
        )
        raise ConfigError([Problem(objective.path, message)]) from error


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
