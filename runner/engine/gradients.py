"""Frees the graphs that TensorFlow would keep for the sake of their custom gradients."""

from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow.python.framework.ops import gradient_registry


@contextmanager
def forget_gradients() -> Iterator[None]:
    """Forgets at the block's end the custom gradients of what was traced in it.

    In a graph, a function of ``tf.custom_gradient`` (Keras's losses and activations are made of
    some) is registered for the life of the process, and with it the graph that it was traced into.
    What takes gradients has taken them within the block.
    """
    known = set(gradient_registry.list())
    try:
        yield
    finally:
        for name in set(gradient_registry.list()) - known:
            if name.startswith("CustomGradient-"):
                del gradient_registry._registry[name]
