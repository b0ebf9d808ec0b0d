"""Compares outputs with labels in the graph: the losses and the metrics of an experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import keras
import tensorflow as tf

from models.factory import BuiltModel, find_output
from models.objectives import LOSS, Objective, Objectives
from models.objects import build_object, keras_reason
from models.problems import ConfigError, Problem
from models.shapes import format_shape
from runner.engine.tracing import trace_function

Tensors = Mapping[str, tf.Tensor]


@dataclass(frozen=True)
class Losses:
    """The sum that is trained, and the part that each output has in it.

    Attributes:
        total: The weighted losses of all outputs and what layers added, one number.
        by_output: Each output's loss, not weighted.
    """

    total: tf.Tensor
    by_output: Tensors


@dataclass(frozen=True)
class Meters:
    """Means of the losses and the configured metrics, gathered over steps."""

    loss: keras.metrics.Mean
    by_output: Mapping[str, keras.metrics.Mean]
    metrics: Mapping[str, tuple[Objective, keras.metrics.Metric]]

    def update(
        self, losses: Losses, targets: Tensors, outputs: Tensors, weights: tf.Tensor | None
    ) -> None:
        """Adds a batch, the losses weighed by its number of examples as in ``fit``."""
        examples = tf.shape(next(iter(outputs.values())))[0]
        self.loss.update_state(losses.total, sample_weight=examples)
        for output, mean in self.by_output.items():
            mean.update_state(losses.by_output[output], sample_weight=examples)
        for objective, metric in self.metrics.values():
            _measure(objective, metric, targets, outputs, weights)

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


# Of targets, outputs, the losses that layers added and what each example counts, if it is given.
LossFunction = Callable[[Tensors, Tensors, Sequence[tf.Tensor], tf.Tensor | None], Losses]


def weigh_examples(
    objectives: Objectives, targets: Tensors, *, is_training: bool
) -> tf.Tensor | None:
    """Returns (batch,) what each example counts; None where all count the same.

    Args:
        objectives: What is declared of weights.
        targets: The labels by name.
        is_training: Whether the weights of classes count too, as in ``fit``.
    """
    declared, weights = objectives.weights, None
    if declared.label is not None and objectives.labels:
        weights = tf.cast(targets[declared.label], keras.config.floatx())
    if is_training and declared.by_class:
        by_class = _weigh_classes(declared.by_class, targets[objectives.losses[0].label])
        weights = by_class if weights is None else weights * by_class
    return weights


def _weigh_classes(by_class: Mapping[int, float], label: tf.Tensor) -> tf.Tensor:
    """Returns (batch,) the weights of classes that are (batch,), (batch, 1) or a 1 among zeros."""
    if label.shape.rank > 1:
        is_index = label.shape[-1] == 1
        label = tf.squeeze(label, -1) if is_index else tf.argmax(label, axis=-1)
    classes = tf.cast(tf.round(label) if label.dtype.is_floating else label, tf.int32)
    most = max(by_class)
    table = [by_class.get(index, 1.0) for index in range(most + 1)]
    is_known = (classes >= 0) & (classes <= most)
    # The last is for all others.
    index = tf.where(is_known, classes, most + 1)
    return tf.gather(tf.constant([*table, 1.0], keras.config.floatx()), index)


def build_losses(objectives: Objectives) -> LossFunction:
    """Returns the function that gives the losses."""
    functions = [
        (objective, build_object(objective.path, "losses", objective.spec))
        for objective in objectives.losses
    ]

    def compute_losses(
        targets: Tensors,
        outputs: Tensors,
        added: Sequence[tf.Tensor],
        weights: tf.Tensor | None,
    ) -> Losses:
        by_output = {
            objective.output: _require_number(
                objective.path,
                _compare(objective, partial(_lose, function, weights), targets, outputs),
            )
            for objective, function in functions
        }
        weighted = [
            objective.weight * tf.cast(by_output[objective.output], keras.config.floatx())
            for objective, _ in functions
        ]
        # As in keras.Model.compute_loss: layers of another precision add losses of theirs.
        weighted += [tf.cast(loss, keras.config.floatx()) for loss in added]
        if not weighted:
            message = "expected a loss, or a layer that adds one; received None (NoneType)."
            raise ConfigError([Problem("model.loss", message)])
        return Losses(total=tf.add_n(weighted), by_output=by_output)

    return compute_losses


def build_meters(objectives: Objectives) -> Meters:
    """Returns means and metrics that have gathered nothing; makes variables."""
    outputs = [objective.output for objective in objectives.losses]
    return Meters(
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


class Comparison:
    """The losses and metrics of one call of a model, made when they are first asked for."""

    def __init__(self, model: BuiltModel, objectives: Objectives) -> None:
        """Makes the metrics' variables."""
        self._model = model
        self._objectives = objectives
        self._compute_losses = build_losses(objectives)
        self._metrics = build_meters(objectives).metrics
        self._outputs: Tensors = {}
        self._targets: Tensors = {}
        self._is_training = False

    def open(self, values: Mapping[str, Any], targets: Tensors, *, is_training: bool) -> None:
        """Takes the values of a call, right after it, and what its outputs are compared with."""
        self._is_training = is_training
        self._outputs = {
            name: find_output(values, reference) for name, reference in self._model.outputs.items()
        }
        self._targets = targets
        self._added = self._model.keras_model.losses

    @cached_property
    def losses(self) -> Losses:
        """The losses of the call."""
        return self._compute_losses(
            self._targets, self._outputs, self._added, self._weigh(self._targets)
        )

    @cached_property
    def metrics(self) -> Tensors:
        """The metrics over the examples of the call alone."""

        def measure(targets: Tensors, outputs: Tensors) -> dict[str, tf.Tensor]:
            results = {}
            for name, (objective, metric) in self._metrics.items():
                metric.reset_state()
                _measure(objective, metric, targets, outputs, self._weigh(targets))
                results[name] = _require_number(objective.path, metric.result())
            return results

        return trace_function(measure, self._targets, self._outputs)

    def _weigh(self, targets: Tensors) -> tf.Tensor | None:
        return weigh_examples(self._objectives, targets, is_training=self._is_training)


def _lose(
    function: Callable[..., tf.Tensor],
    weights: tf.Tensor | None,
    label: tf.Tensor,
    output: tf.Tensor,
) -> tf.Tensor:
    """Returns the loss of examples that count (batch,) `weights`."""
    if weights is None:
        return function(label, output)
    if output.shape.rank > 2 and isinstance(function, keras.losses.Loss):
        # Keras multiplies (batch, steps) losses by (batch,) weights as they stand.
        losses = function.call(tf.cast(label, output.dtype), output)
        weights = tf.reshape(weights, [-1, *[1] * (losses.shape.rank - 1)])
    return function(label, output, sample_weight=weights)


def _measure(
    objective: Objective,
    metric: keras.metrics.Metric,
    targets: Tensors,
    outputs: Tensors,
    weights: tf.Tensor | None,
) -> None:
    """Adds a batch to a metric, its examples weighed if the metric is declared to be."""
    update = metric.update_state
    if objective.weighted and weights is not None:
        update = partial(update, sample_weight=weights)
    _compare(objective, update, targets, outputs)


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
