"""The models of conf/model written in JAX, with the weights of Keras."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax

Weights = Mapping[str, jax.Array]

_MOMENTUM = 0.99
_NORM_EPSILON = 1e-3
_LAYER_NORM_EPSILON = 1e-6


class Layers:
    """Layers by name, and the statistics that their call moves."""

    def __init__(self, weights: Weights, *, is_training: bool) -> None:
        """Calls layers with `weights`, by Keras's paths."""
        self.moved: dict[str, jax.Array] = {}
        self._weights = weights
        self._is_training = is_training

    def dense(self, name: str, features: jax.Array) -> jax.Array:
        """(..., channels) to (..., units)."""
        return features @ self._weights[f"{name}/kernel"] + self._weights[f"{name}/bias"]

    def conv(self, name: str, images: jax.Array, strides: int = 1) -> jax.Array:
        """(batch, rows, columns, channels) to the same of other channels; padded as ``same``."""
        kernel, bias = self._weights[f"{name}/kernel"], self._weights.get(f"{name}/bias")
        layout = ("NHWC", "HWIO", "NHWC")
        convolved = lax.conv_general_dilated(
            images, kernel, (strides, strides), "SAME", dimension_numbers=layout
        )
        return convolved if bias is None else convolved + bias

    def norm(self, name: str, images: jax.Array) -> jax.Array:
        """Batch normalization over all axes but the last."""
        keys = (f"{name}/moving_mean", f"{name}/moving_variance")
        moving = tuple(self._weights[key] for key in keys)
        mean, variance = moving
        if self._is_training:
            axes = tuple(range(images.ndim - 1))
            mean, variance = images.mean(axes), images.var(axes)
            for key, old, new in zip(keys, moving, (mean, variance), strict=True):
                self.moved[key] = old * _MOMENTUM + new * (1 - _MOMENTUM)
        gamma, beta = self._weights[f"{name}/gamma"], self._weights[f"{name}/beta"]
        return (images - mean) * (gamma * lax.rsqrt(variance + _NORM_EPSILON)) + beta

    def layer_norm(self, name: str, tokens: jax.Array) -> jax.Array:
        """Normalization over the last axis."""
        mean = tokens.mean(-1, keepdims=True)
        scale = lax.rsqrt(tokens.var(-1, keepdims=True) + _LAYER_NORM_EPSILON)
        gamma, beta = self._weights[f"{name}/gamma"], self._weights[f"{name}/beta"]
        return (tokens - mean) * scale * gamma + beta

    def lstm(self, name: str, rows: jax.Array) -> jax.Array:
        """(batch, rows, columns) to the last state, (batch, units)."""
        cell = f"{name}/lstm_cell"
        recurrent = self._weights[f"{cell}/recurrent_kernel"]
        inputs = rows @ self._weights[f"{cell}/kernel"] + self._weights[f"{cell}/bias"]
        zeros = jnp.zeros((len(rows), recurrent.shape[0]))

        def step(
            states: tuple[jax.Array, jax.Array], row: jax.Array
        ) -> tuple[tuple[jax.Array, jax.Array], None]:
            hidden, carried = states
            gates = jnp.split(row + hidden @ recurrent, 4, axis=-1)
            opened, forgotten, exposed = (jax.nn.sigmoid(gates[index]) for index in (0, 1, 3))
            carried = forgotten * carried + opened * jnp.tanh(gates[2])
            return (exposed * jnp.tanh(carried), carried), None

        # Unrolled: a step of training takes 7.6 ms at batch 256, of the loop 11.2 ms.
        (hidden, _), _ = lax.scan(step, (zeros, zeros), inputs.swapaxes(0, 1), unroll=True)
        return hidden

    def attention(self, name: str, tokens: jax.Array) -> jax.Array:
        """Self-attention of several heads."""
        query, key, value = (
            jnp.einsum("btc,chd->bthd", tokens, self._weights[f"{name}/{part}/kernel"])
            + self._weights[f"{name}/{part}/bias"]
            for part in ("query", "key", "value")
        )
        attended = jax.nn.dot_product_attention(query, key, value)
        kernel = self._weights[f"{name}/attention_output/kernel"]
        bias = self._weights[f"{name}/attention_output/bias"]
        return jnp.einsum("bthd,hdc->btc", attended, kernel) + bias

    def position(self, name: str, tokens: jax.Array) -> jax.Array:
        """Adds the vector of its position to each token."""
        return tokens + self._weights[f"{name}/positions"]


Model = Callable[[Layers, jax.Array], jax.Array]
"""Layers and (batch, rows, columns, channels) to (batch, classes)."""


def find_model(name: str) -> Model:
    """Returns the twin of the model `name`."""
    return {
        "mlp": _mlp,
        "cnn": _cnn,
        "resnet": _resnet,
        "lstm": _lstm,
        "transformer": _transformer,
    }[name]


def _mlp(layers: Layers, images: jax.Array) -> jax.Array:
    hidden = jax.nn.relu(layers.dense("dense1", _flatten(images)))
    hidden = jax.nn.relu(layers.dense("dense2", hidden))
    return layers.dense("logits", hidden)


def _cnn(layers: Layers, images: jax.Array) -> jax.Array:
    for index in (1, 2):
        images = jax.nn.relu(layers.conv(f"conv{index}", images))
        images = _halve(layers.norm(f"norm{index}", images))
    return layers.dense("logits", _flatten(images))


def _resnet(layers: Layers, images: jax.Array) -> jax.Array:
    images = jax.nn.relu(layers.norm("norm", layers.conv("conv", images)))
    for stage, blocks in ((1, 3), (2, 2), (3, 2)):
        if stage > 1:
            images = _block(layers, f"halve{stage}", images, strides=2)
        for index in range(blocks):
            images = _block(layers, f"stage{stage}.{index}", images)
    return layers.dense("logits", images.mean((1, 2)))


def _block(layers: Layers, name: str, images: jax.Array, strides: int = 1) -> jax.Array:
    hidden = layers.norm(f"{name}.norm1", layers.conv(f"{name}.conv1", images, strides))
    hidden = layers.conv(f"{name}.conv2", jax.nn.relu(hidden))
    shortcut = images if strides == 1 else layers.conv(f"{name}.shortcut", images, strides)
    return jax.nn.relu(layers.norm(f"{name}.norm2", hidden) + shortcut)


def _lstm(layers: Layers, images: jax.Array) -> jax.Array:
    rows = images[..., 0]
    forward = layers.lstm("lstm/forward_lstm", rows)
    backward = layers.lstm("lstm/backward_lstm", rows[:, ::-1])
    return layers.dense("logits", jnp.concatenate((forward, backward), axis=-1))


def _transformer(layers: Layers, images: jax.Array) -> jax.Array:
    tokens = layers.position("position", layers.dense("embed", images[..., 0]))
    for index in range(2):
        name = f"encoder.{index}"
        tokens = layers.layer_norm(
            f"{name}.norm1", layers.attention(f"{name}.attention", tokens) + tokens
        )
        wide = jax.nn.relu(layers.dense(f"{name}.wide", tokens))
        tokens = layers.layer_norm(f"{name}.norm2", layers.dense(f"{name}.narrow", wide) + tokens)
    return layers.dense("logits", tokens.mean(1))


def _flatten(images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1)


def _halve(images: jax.Array) -> jax.Array:
    """The largest of each two by two."""
    window = (1, 2, 2, 1)
    return lax.reduce_window(images, -jnp.inf, lax.max, window, window, "VALID")
