"""Models of the factory against ones written in Keras, and what it says of those it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import InputConfig, ModelConfig
from models.factory import build_model as build_whole
from models.problems import ConfigError


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
