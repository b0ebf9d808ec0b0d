"""Traces Python into a function of the graph, which runs as a whole."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from runner.engine.equality import elementwise_equality

TracedFunction = Callable[..., dict[str, Any]]


def trace_function(function: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Returns the outputs of one call of `function` in the current graph, run as a whole."""
    with tf.name_scope(function.__name__), elementwise_equality():
        outputs: dict[str, Any] = tf.function(function, autograph=False)(*arguments)
    return outputs


def trace_concrete(function: Callable[..., dict[str, Any]], *arguments: object) -> Any:
    """Returns `function` as traced for arguments of these shapes, to be called in several places.

    A further call runs no Python, so that it costs no tracing.

    Returns:
        A ``tf.types.experimental.ConcreteFunction``.
    """
    with tf.name_scope(function.__name__), elementwise_equality():
        return tf.function(function, autograph=False).get_concrete_function(*arguments)
