"""Makes ``==`` between tensors mean the same inside a v1 graph's functions as in eager Keras."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def elementwise_equality() -> Iterator[None]:
    """Compares the tensors of functions by value while the block traces them.

    In a function that is traced within a v1 graph, TensorFlow compares tensors by identity, so that
    Keras's own ``(step + 1) % accumulation_steps == 0`` is a plain False and no update is ever
    applied. Tensors outside of functions are still compared by identity, which TensorFlow's own
    bookkeeping of a graph needs.

    Source: TensorFlow 2.21, ``tensor_equals`` and ``tensor_not_equals`` of ``math_ops``.
    """
    by_identity = tf.Tensor.__eq__, tf.Tensor.__ne__

    def equal(self: tf.Tensor, other: object) -> object:
        return (
            tf.equal(self, other) if _is_of_function(self, other) else by_identity[0](self, other)
        )

    def not_equal(self: tf.Tensor, other: object) -> object:
        if _is_of_function(self, other):
            return tf.not_equal(self, other)
        return by_identity[1](self, other)

    tf.Tensor.__eq__, tf.Tensor.__ne__ = equal, not_equal
    try:
        yield
    finally:
        tf.Tensor.__eq__, tf.Tensor.__ne__ = by_identity


def _is_of_function(tensor: tf.Tensor, other: object) -> bool:
    graph = getattr(tensor, "graph", None)
    return other is not None and graph is not None and graph.building_function
