"""The steps of training and evaluation, each traced once into a function of the graph.

A Keras layer that is called in a graph for training leaves the assignments of its statistics and
seeds beside the path to its output, where a Session does not run them. Inside a ``tf.function``
they run: its automatic control dependencies order every assignment before the call returns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import tensorflow as tf

from models.factory import BuiltModel
from models.objectives import BATCH_LOSS, Objectives
from models.problems import ConfigError, Problem
from runner.engine.feeds import Placeholder
from runner.engine.fetches import Fetched
from runner.engine.generators import same_draws
from runner.engine.losses import Meters, Tensors, build_losses, build_meters, weigh_examples
from runner.engine.tracing import trace_concrete, trace_function

IS_FINITE = "is_finite"


@dataclass(frozen=True)
class Step:
    """Something a Session can be asked to do.

    Attributes:
        name: What it is called in messages and traces.
        feeds: The placeholders to feed, by name.
        fetches: What comes back, by name: values of tensors, None of operations.
        batched: Which of them hold a value for each example.
    """

    name: str
    feeds: Mapping[str, Placeholder]
    fetches: Mapping[str, Fetched]
    batched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EvaluationSteps:
    """The steps that measure a model on held-out data.

    Attributes:
        evaluate: Features and labels in; ``batch_loss`` of the batch, in inference, and the metrics
            over all batches since the last reset out.
        reset: Forgets what the metrics have gathered.
    """

    evaluate: Step
    reset: Step


@dataclass(frozen=True)
class TrainingSteps:
    """The steps that a training run takes.

    Attributes:
        train: Features and labels in; ``batch_loss`` of the batch before its update, and the
            metrics over all batches since the last reset out.
        reset: Forgets what the metrics have gathered.
        check: ``is_finite``, whether all trained weights are.
        finalize: Gives the trained weights their final values, such as their averages, as ``fit``
            does at its end; None where the optimizer keeps no averages.
        features: Those of the feeds of ``train`` that go into the model.
        labels: Those that are compared with.
        function: What ``train`` calls: features and labels to its fetches.
        trace_for_xla: Returns the same, traced so that it computes the same compiled by XLA.
    """

    train: Step
    reset: Step
    check: Step
    finalize: Step | None
    features: Mapping[str, Placeholder]
    labels: Mapping[str, Placeholder]
    function: Any
    trace_for_xla: Callable[[], Any]


def trace_training(
    *,
    model: BuiltModel,
    optimizer: keras.optimizers.Optimizer,
    objectives: Objectives,
    features: Mapping[str, Placeholder],
    labels: Mapping[str, Placeholder],
) -> TrainingSteps:
    """Returns the steps that train `model`, traced into the current graph.

    Args:
        model: The model, built in the current graph.
        optimizer: An optimizer whose variables are built there.
        objectives: The losses and the metrics.
        features: Placeholders, (batch, ...), by input name.
        labels: Placeholders, (batch, ...), by label name.

    Raises:
        ConfigError: If a loss or a metric cannot take an output and its label, or there is no loss.
    """
    compute_losses = build_losses(objectives)
    with tf.name_scope("variables"):
        meters = build_meters(objectives)
    variables = model.keras_model.trainable_variables

    def train(features: Tensors, labels: Tensors) -> dict[str, tf.Tensor]:
        targets = {**features, **labels}
        weights = weigh_examples(objectives, targets, is_training=True)
        with tf.GradientTape() as tape:
            outputs = model.call(features, training=True)
            losses = compute_losses(targets, outputs, model.keras_model.losses, weights)
            scaled_loss = optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled_loss, variables)
        if all(gradient is None for gradient in gradients):
            message = "no weight has a gradient; a layer in between cannot be differentiated."
            raise ConfigError([Problem("model.layers", message)])
        optimizer.apply(gradients, variables)
        meters.update(losses, targets, outputs, weights)
        return {BATCH_LOSS: losses.total, **meters.results()}

    def check() -> dict[str, tf.Tensor]:
        finite = [tf.reduce_all(tf.math.is_finite(variable)) for variable in variables]
        return {IS_FINITE: tf.reduce_all(finite)}

    def finalize() -> dict[str, tf.Tensor]:
        optimizer.finalize_variable_values(variables)
        return {"done": tf.constant(True)}

    def trace_for_xla() -> Any:
        with same_draws():
            return trace_concrete(train, features, labels)

    averages = getattr(optimizer, "inner_optimizer", optimizer).use_ema
    feeds = {**features, **labels}
    function = trace_concrete(train, features, labels)
    with tf.name_scope("train"):
        fetches = function(features, labels)
    return TrainingSteps(
        train=Step("train", feeds, fetches),
        reset=_trace_reset(meters),
        check=Step("check", {}, trace_function(check)),
        finalize=Step("finalize", {}, trace_function(finalize)) if averages else None,
        features=features,
        labels=labels,
        function=function,
        trace_for_xla=cache(trace_for_xla),
    )


def trace_evaluation(
    *,
    model: BuiltModel,
    objectives: Objectives,
    features: Mapping[str, Placeholder],
    labels: Mapping[str, Placeholder],
) -> EvaluationSteps:
    """Returns the steps that evaluate `model`, traced into the current graph.

    Args:
        model: The model, built in the current graph.
        objectives: The losses and the metrics.
        features: Placeholders, (batch, ...), by input name.
        labels: Placeholders, (batch, ...), by label name.

    Raises:
        ConfigError: If a loss or a metric cannot take an output and its label, or there is no loss.
    """
    compute_losses = build_losses(objectives)
    with tf.name_scope("variables"):
        meters = build_meters(objectives)

    def evaluate(features: Tensors, labels: Tensors) -> dict[str, tf.Tensor]:
        targets = {**features, **labels}
        weights = weigh_examples(objectives, targets, is_training=False)
        outputs = model.call(features, training=False)
        losses = compute_losses(targets, outputs, model.keras_model.losses, weights)
        meters.update(losses, targets, outputs, weights)
        return {BATCH_LOSS: losses.total, **meters.results()}

    feeds = {**features, **labels}
    return EvaluationSteps(
        evaluate=Step("evaluate", feeds, trace_function(evaluate, features, labels)),
        reset=_trace_reset(meters),
    )


def _trace_reset(meters: Meters) -> Step:
    def forget() -> dict[str, tf.Tensor]:
        meters.reset()
        return {"done": tf.constant(True)}

    return Step("reset", {}, trace_function(forget))
