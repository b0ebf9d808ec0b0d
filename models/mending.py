"""Mends the layers of Keras that need a value where a ``tf.Graph`` has none, or break a model."""

import functools

import keras
import tensorflow as tf

from models.imported import run_eagerly


def mend_layer(layer: keras.layers.Layer) -> None:
    """Mends `layer`, and those within it, so that it can be called in a graph.

    Source: Keras 3.15, ``IndexLookup.vocabulary_size`` and ``Equalization.compute_output_spec``.
    """
    for part in layer._flatten_layers():
        if isinstance(part, keras.layers.IntegerLookup | keras.layers.StringLookup):
            _count_vocabulary(part)
        elif isinstance(part, keras.layers.Equalization):
            # Its own returns the very symbol that it was given, which makes a circle of the model.
            part.compute_output_spec = functools.partial(
                keras.layers.Layer.compute_output_spec, part
            )


def _count_vocabulary(lookup: keras.layers.Layer) -> None:
    """Gives a lookup the number of its tokens, of which a graph knows only a symbol."""
    if not tf.is_tensor(lookup._frozen_vocab_size):
        return
    config = {**lookup.get_config(), "vocabulary_size": None}
    size = run_eagerly(lambda: type(lookup).from_config(config).vocabulary_size())
    lookup._frozen_vocab_size = size
    lookup.vocabulary_size = lambda: size
