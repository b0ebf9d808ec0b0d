"""Runs a step once more with everything fetched, to find where a value stops being finite."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from models.factory import BuiltModel, build_model
from runner.config import ExperimentConfig
from runner.engine.feeds import feed_tensors, feed_values, open_placeholder
from runner.engine.fetches import name_variables
from runner.engine.graph import COMPARING, assign_fed, open_graph, open_labels, read_compared
from runner.engine.losses import Comparison
from runner.engine.protos import build_config_proto
from runner.engine.tracing import trace_function
from runner.engine.variables import assign_variables
from runner.feeds import FeedValue

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Probe:
    """Everything in one step.

    Attributes:
        model: The model, whose calls the values are of.
        features: What went in, by input.
        labels: What was compared with, by label.
        weights: The trained weights before the step, by name.
        values: What each call gave, by call; several by ``call[part]``.
        losses: Each output's loss, and "" for their sum; nothing where there is none.
        gradients: Those of the sum with respect to weights and values, by name.
    """

    model: BuiltModel
    features: Arrays
    labels: Arrays
    weights: Arrays
    values: Arrays
    losses: Arrays
    gradients: Arrays


def probe_step(
    config: ExperimentConfig,
    feeds: Mapping[str, FeedValue],
    variables: Mapping[str, FeedValue],
    *,
    is_training: bool,
) -> Probe:
    """Returns everything in one step of `config`, computed in a graph and a Session of its own.

    Args:
        config: The experiment.
        feeds: Features and labels by name; without labels no loss is computed.
        variables: The values of variables by name; others are initialized.
        is_training: Whether layers behave as in training.
    """
    with open_graph(config) as graph:
        features = {
            name: open_placeholder(name, tensor) for name, tensor in config.model.inputs.items()
        }
        with tf.name_scope("variables"):
            model = build_model(config.model)
        objectives = read_compared(config)
        labels = open_labels(config, objectives, features)
        compares = isinstance(config.task, COMPARING)
        is_compared = (compares or bool(objectives.labels)) and all(
            name in feeds for name in labels
        )
        with tf.name_scope("variables"):
            comparison = Comparison(model, objectives)

        def probe(features: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
            values = model.call_layers(features, training=is_training)
            named = _flatten({call.name: values[call.name] for call in model.calls})
            comparison.open(values, {**features, **labels}, is_training=is_training)
            losses, gradients = {}, {}
            if is_compared:
                losses = {"": comparison.losses.total, **comparison.losses.by_output}
                sources = {**_trained(model), **named}
                found = tf.gradients(losses[""], list(sources.values()))
                gradients = {
                    name: tf.convert_to_tensor(gradient)
                    for name, gradient in zip(sources, found, strict=True)
                    if gradient is not None
                }
            return {"values": named, "losses": losses, "gradients": gradients}

        fetches = trace_function(probe, features, labels if is_compared else {})
        known = name_variables(model)
        given = {name: value for name, value in variables.items() if name in known}
        assignments = list(assign_fed(given, known))
        initialize = tf.group(
            tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()
        )
    placeholders = {**features, **(labels if is_compared else {})}
    fed = {
        tensor: value
        for name, placeholder in placeholders.items()
        for tensor, value in zip(
            feed_tensors(placeholder), feed_values(placeholder, feeds[name]), strict=True
        )
    }
    proto = build_config_proto(config.session)
    with closing(tf.compat.v1.Session(graph=graph, config=proto)) as session:
        session.run(initialize)
        assign_variables(session, assignments)
        fetched = session.run(fetches, fed)
    return Probe(
        model=model,
        features={name: np.asarray(feeds[name]) for name in features},
        labels={name: np.asarray(feeds[name]) for name in labels if name in feeds},
        weights={name: np.asarray(variables[name]) for name in _trained(model) if name in given},
        **fetched,
    )


def _trained(model: BuiltModel) -> dict[str, tf.Variable]:
    variables = name_variables(model)
    return {name: variable for name, variable in variables.items() if variable.trainable}


def _flatten(values: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns the floating-point tensors among what calls gave, several of one by part."""
    flat: dict[str, tf.Tensor] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten({f"{name}[{key}]": item for key, item in value.items()})
        elif isinstance(value, list | tuple):
            flat |= _flatten({f"{name}[{index}]": item for index, item in enumerate(value)})
        elif isinstance(value, tf.Tensor) and value.dtype.is_floating:
            flat[name] = value
    return flat
