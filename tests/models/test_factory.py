"""Models of the factory against ones written in Keras, and what it says of those it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import InputConfig, ModelConfig
from models.factory import build_model as build_whole
from models.problems import ConfigError
from models.validation import validate_model
from tests.models.reading import read_model


def declare(layers, shape=(8, 8, 1), dtype="float32"):
    return ModelConfig(
        name="stack",
        inputs={"image": InputConfig(shape=list(shape), dtype=dtype)},
        layers=layers,
        outputs=list(layers)[-1],
    )


def build_model(config):
    return build_whole(config).keras_model


CONV = {"type": "Conv2D", "filters": 4, "kernel_size": 3, "activation": "relu"}


def test_build_model_keeps_order_names_and_arguments():
    model = build_model(
        declare(
            {
                "conv": CONV,
                "flatten": {"type": "Flatten"},
                "out": {"type": "Dense", "units": 2, "kernel_initializer": "he_normal"},
            }
        )
    )
    assert [layer.name for layer in model.layers] == ["image", "conv", "flatten", "out"]
    assert model.name == "stack"
    assert model.output_shape == (None, 2)
    assert model.get_layer("conv").get_config()["filters"] == 4
    assert isinstance(model.get_layer("out").kernel_initializer, keras.initializers.HeNormal)


def test_build_model_builds_a_layer_within_a_layer():
    wrapper = {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 5}}
    model = build_model(declare({"steps": wrapper}, shape=(7, 3)))
    assert model.output_shape == (None, 7, 5)


def test_eager_outputs_equal_a_hand_written_model():
    model = build_model(
        declare(
            {"conv": CONV, "norm": {"type": "BatchNormalization"}, "pool": {"type": "MaxPool2D"}}
        )
    )
    twin = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPool2D(),
        ]
    )
    twin.set_weights(model.get_weights())
    image = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)
    np.testing.assert_array_equal(model({"image": image}), twin(image))


def test_call_layers_gives_tensors_the_names_of_their_layers():
    with tf.Graph().as_default():
        image = tf.compat.v1.placeholder("float32", (None, 8, 8, 1), "image")
        with tf.name_scope("variables"):
            model = build_whole(declare({"conv1": CONV, "pool1": {"type": "MaxPooling2D"}}))
        values = model.call_layers({"image": image}, training=False)
    assert {name: tensor.name for name, tensor in values.items()} == {
        "image": "image:0",
        "conv1": "conv1/Relu:0",
        "pool1": "pool1/MaxPool2d:0",
    }


def test_call_layers_passes_a_mask_on():
    model = build_whole(declare({"mean": {"type": "GlobalAveragePooling1D"}}, shape=(3, 2)))
    steps = tf.constant([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]])
    steps._keras_mask = tf.constant([[True, True, False]])
    values = model.call_layers({"image": steps}, training=False)
    np.testing.assert_allclose(values["mean"], [[2.0, 4.0]])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            {"conv1": CONV, "pool1": {"type": "MaxPooling2D", "pool_size": 9}},
            "model.layers.pool1: MaxPooling2D cannot take (batch, 6, 6, 4): the window (9, 9) is "
            "larger than the input. The input was (batch, 8, 8, 1); conv1 came before.",
        ),
        (
            {"steps": {"type": "LSTM", "units": 3}},
            "model.layers.steps: LSTM cannot take (batch, 8, 8, 1): Input 0 with name 'None' of "
            "layer 'steps' is incompatible with the layer: expected ndim=3, found ndim=4. "
            "Full shape received: (None, 8, 8, 1). The input was (batch, 8, 8, 1).",
        ),
        (
            {"conv1": {**CONV, "filters": -3}},
            "model.layers.conv1: Conv2D cannot be built: Invalid value for argument `filters`. "
            "Expected a strictly positive value. Received filters=-3.",
        ),
        (
            {"conv1": {**CONV, "activation": "rleu"}},
            "model.layers.conv1: Conv2D cannot be built: Could not interpret activation function "
            "identifier: rleu.",
        ),
        (
            {
                "rows": {"type": "Reshape", "target_shape": [8, 8]},
                "steps": {"type": "LSTM", "units": 3, "return_state": True},
            },
            "model.outputs: expected one of the outputs steps[0], steps[1], steps[2]; received "
            "'steps' (str).",
        ),
    ],
)
def test_build_model_refuses(layers, message):
    with pytest.raises(ConfigError) as caught:
        build_model(declare(layers))
    assert str(caught.value) == message


def read_and_build(text):
    """Builds what YAML declares, in which the checks found nothing."""
    config = read_model(text)
    assert validate_model(config) == []
    return build_whole(config)


def test_a_shared_layer_has_one_set_of_weights():
    model = read_and_build(
        """
        inputs: {l: {shape: [4], dtype: float32}, r: {shape: [4], dtype: float32}}
        layers:
          left: {type: Dense, units: 3, from: l}
          right: {shared: left, from: r}
          gap: {type: Subtract, from: [left, right]}
        outputs: gap
        """
    )
    assert [tuple(weight.shape) for weight in model.keras_model.weights] == [(4, 3), (3,)]
    same = np.ones((2, 4), np.float32)
    outputs = model.call({"l": same, "r": same}, training=False)
    np.testing.assert_array_equal(outputs["gap"], np.zeros((2, 3)))


def test_a_mask_reaches_the_layers_that_take_it():
    model = read_and_build(
        """
        inputs: {tokens: {shape: [null], dtype: int32}}
        layers:
          embed: {type: Embedding, input_dim: 9, output_dim: 4, mask_zero: true}
          mean: {type: GlobalAveragePooling1D}
        outputs: mean
        """
    )
    tokens = tf.constant([[3, 5, 0, 0]])
    table = model.layers["embed"].embeddings.numpy()
    for outputs in (
        model.call({"tokens": tokens}, training=False),
        model.call_layers({"tokens": tokens}, training=False),
    ):
        np.testing.assert_allclose(outputs["mean"], [(table[3] + table[5]) / 2], rtol=1e-6)


def test_an_input_may_be_a_mask():
    model = read_and_build(
        """
        inputs: {steps: {shape: [3, 2], dtype: float32}, valid: {shape: [3], dtype: bool}}
        layers:
          mean: {type: GlobalAveragePooling1D, from: {inputs: steps, mask: valid}}
        outputs: mean
        """
    )
    steps = tf.constant([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]]])
    valid = tf.constant([[True, True, False]])
    outputs = model.call_layers({"steps": steps, "valid": valid}, training=False)
    np.testing.assert_allclose(outputs["mean"], [[2.0, 4.0]])


def test_what_is_frozen_is_not_trained():
    model = read_and_build(
        """
        inputs: {x: {shape: [4], dtype: float32}}
        layers:
          base: {trainable: false, layers: {a: {type: Dense, units: 3}, b: {type: Dense, units: 3}}}
          wrap: {type: Bidirectional, trainable: false, from: steps, layer: {type: GRU, units: 2}}
          head: {type: Dense, units: 2}
        outputs: head
        """.replace("from: steps, ", "").replace(
            "wrap:", "rows: {type: Reshape, target_shape: [1, 3]}\n          wrap:"
        )
    )
    trained = [variable.path for variable in model.keras_model.trainable_variables]
    assert trained == ["head/kernel", "head/bias"]


def test_a_batch_size_and_sparse_features_are_declared_with_the_input():
    model = read_and_build(
        """
        inputs: {x: {shape: [4], dtype: float32, batch_size: 2, sparse: true}}
        layers: {out: {type: Dense, units: 3}}
        outputs: out
        """
    )
    assert model.keras_model.input_shape == {"x": (2, 4)} or model.keras_model.inputs[0].shape == (
        2,
        4,
    )
    dense = np.array([[0, 2, 0, 1], [3, 0, 0, 0]], np.float32)
    outputs = model.call({"x": tf.sparse.from_dense(dense)}, training=False)
    kernel, bias = model.keras_model.get_weights()
    np.testing.assert_allclose(outputs["out"], dense @ kernel + bias, rtol=1e-6)


def test_keras_objects_are_arguments():
    model = read_and_build(
        """
        inputs: {x: {shape: [4], dtype: float32}}
        layers:
          out:
            type: Dense
            units: 3
            kernel_initializer: {type: Constant, value: 0.5}
            kernel_regularizer: {type: L2, l2: 0.1}
            kernel_constraint: max_norm
            activation: {type: leaky_relu, negative_slope: 0.25}
            dtype: {type: DTypePolicy, name: mixed_bfloat16}
        outputs: out
        """
    )
    layer = model.layers["out"]
    assert layer.dtype_policy.name == "mixed_bfloat16"
    assert layer.kernel_regularizer.l2 == pytest.approx(0.1)
    assert isinstance(layer.kernel_constraint, keras.constraints.MaxNorm)
    outputs = model.call({"x": -np.ones((1, 4), np.float32)}, training=False)["out"]
    np.testing.assert_array_equal(tf.cast(outputs, "float32"), [[-0.5, -0.5, -0.5]])


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param(
            """
            layers:
              a: {type: Conv2D, filters: 2, kernel_size: 9, from: x}
              b: {type: Dense, units: -1, from: x}
              c: {type: Flatten, from: x}
              d: {type: LSTM, units: 2}
              sum: {type: Concatenate, from: [a, b, d]}
            outputs: sum
            """,
            [
                "model.layers.a: Conv2D cannot take (batch, 8, 8, 1): the window (9, 9) is larger "
                "than the input. The input was (batch, 8, 8, 1).",
                "model.layers.b: Dense cannot be built: Received an invalid value for `units`, "
                "expected a positive integer. Received: units=-1.",
                "model.layers.d: LSTM cannot take (batch, 64): Input 0 with name 'None' of layer "
                "'d' is incompatible with the layer: expected ndim=3, found ndim=2. Full shape "
                "received: (None, 64). The input was (batch, 8, 8, 1); c came before.",
            ],
            id="beside each other",
        ),
        pytest.param(
            """
            inputs: {l: {shape: [4], dtype: float32}, r: {shape: [5], dtype: float32}}
            layers: {sum: {type: Add, from: [l, r]}}
            outputs: sum
            """,
            [
                "model.layers.sum: Add cannot take (batch, 4), (batch, 5): Inputs have "
                "incompatible shapes. Received shapes (4,) and (5,). The inputs were l (batch, 4) "
                "and r (batch, 5)."
            ],
            id="two that do not fit",
        ),
        pytest.param(
            """
            inputs: {s: {shape: [4, 3], dtype: float32}}
            layers:
              lstm: {type: LSTM, units: 2, return_state: true}
              out: {type: Add, from: ['lstm[1]', 'lstm[3]']}
            outputs: out
            """,
            [
                "model.layers.out.from: expected one of the outputs lstm[0], lstm[1], lstm[2]; "
                "received 'lstm[3]' (str)."
            ],
            id="a part that is not there",
        ),
        pytest.param(
            "layers: {a: {type: Flatten}, out: {type: Add, from: ['a[0]', a]}}\noutputs: out",
            [
                "model.layers.out.from: expected 'a' without a part, since it gives one output; "
                "received 'a[0]' (str)."
            ],
            id="a part of one output",
        ),
        pytest.param(
            "layers: {a: {class: models.problems.Problem, path: x, message: y}}\noutputs: a",
            [
                "model.layers.a.class: expected a layer, a subclass of keras.Layer; received "
                "'models.problems.Problem' (str)."
            ],
            id="a class that is no layer",
        ),
    ],
)
def test_all_that_keras_refuses_is_told_at_once(text, messages):
    with pytest.raises(ConfigError) as caught:
        read_and_build(text)
    assert [str(problem) for problem in caught.value.problems] == messages


def test_the_shapes_on_the_way_are_notes():
    with pytest.raises(ConfigError) as caught:
        read_and_build(
            """
            layers:
              conv: {type: Conv2D, filters: 2, kernel_size: 3}
              lstm: {type: LSTM, units: 2}
            outputs: lstm
            """
        )
    (problem,) = caught.value.problems
    assert problem.notes == ("x     (batch, 8, 8, 1)", "conv  (batch, 6, 6, 2)")
