"""Layers that Keras itself cannot build in a graph, or into a functional model."""

import numpy as np
import pytest
import tensorflow as tf

from models.factory import build_model
from tests.models.reading import read_model


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("type: StringLookup, vocabulary: [a, b], output_mode: multi_hot", [[0, 1, 0], [1, 0, 0]]),
        ("type: TextVectorization, vocabulary: [a, b], output_mode: count", [[0, 1, 0], [2, 0, 0]]),
        (
            "type: StringLookup, vocabulary: [a, b], idf_weights: [0.5, 0.25], output_mode: tf_idf",
            [[0, 0.5, 0], [0.375, 0, 0]],
        ),
    ],
)
def test_a_lookup_in_a_graph_knows_how_many_tokens_it_has(layer, expected):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = build_model(
            read_model(
                f"inputs: {{x: {{shape: [1], dtype: string}}}}\n"
                f"layers: {{words: {{{layer}}}}}\noutputs: words"
            )
        )
        assert model.symbols["words"].shape[-1] == 3
        words = tf.compat.v1.placeholder("string", (None, 1))
        outputs = model.call({"x": words}, training=False)["words"]
        session.run(tf.compat.v1.global_variables_initializer())
        session.run(tf.compat.v1.tables_initializer())
        found = session.run(outputs, {words: [["a"], ["c d"]]})
    np.testing.assert_allclose(found, expected)


def test_an_equalization_makes_no_circle_of_a_model():
    model = build_model(
        read_model(
            """
            inputs: {x: {shape: [8, 8, 3], dtype: float32}}
            layers:
              even: {type: Equalization}
              both: {type: Subtract, from: [x, even]}
            outputs: both
            """
        )
    )
    assert [layer.name for layer in model.keras_model.layers] == ["x", "even", "both"]
