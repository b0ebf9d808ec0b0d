"""Compares outputs with labels in the graph: the losses and the metrics of an experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

    def update(self, losses: Losses, targets: Tensors, outputs: Tensors) -> None:
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


# Of targets, outputs and the losses that layers added.
LossFunction = Callable[[Tensors, Tensors, Sequence[tf.Tensor]], Losses]


def build_losses(objectives: Objectives) -> LossFunction:
    """Returns the function of targets, outputs and added losses that gives the losses."""
    functions = [
        (objective, build_object(objective.path, "losses", objective.spec))
        for objective in objectives.losses
    ]

    def compute_losses(targets: Tensors, outputs: Tensors, added: Sequence[tf.Tensor]) -> Losses:
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
        self._compute_losses = build_losses(objectives)
        self._metrics = build_meters(objectives).metrics
        self._outputs: Tensors = {}
        self._targets: Tensors = {}

    def open(self, values: Mapping[str, Any], targets: Tensors) -> None:
        """Takes the values of a call, right after it, and what its outputs are compared with."""
        self._outputs = {
            name: find_output(values, reference) for name, reference in self._model.outputs.items()
        }
        self._targets = targets
        self._added = self._model.keras_model.losses

    @cached_property
    def losses(self) -> Losses:
        """The losses of the call."""
        return self._compute_losses(self._targets, self._outputs, self._added)

    @cached_property
    def metrics(self) -> Tensors:
        """The metrics over the examples of the call alone."""

        def measure(targets: Tensors, outputs: Tensors) -> dict[str, tf.Tensor]:
            results = {}
            for name, (objective, metric) in self._metrics.items():
                metric.reset_state()
                _compare(objective, metric.update_state, targets, outputs)
                results[name] = _require_number(objective.path, metric.result())
            return results

        return trace_function(measure, self._targets, self._outputs)


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
