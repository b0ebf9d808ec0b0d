"""Draws the same random numbers in functions that XLA compiles as anywhere else.

XLA and TensorFlow's kernels draw the same bits but make other floating-point numbers of them, so
that one seed would give other dropout masks. Here the numbers are made of the bits as the kernels
make them.

Source: TensorFlow 2.21, ``Uint32ToFloat`` and ``BoxMullerFloat`` of random_distributions.h.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

_MANTISSA = 0x007FFFFF
_ONE = 0x3F800000  # the bits of 1.0
_LEAST_UNIFORM = 1.0e-7


@contextmanager
def same_draws() -> Iterator[None]:
    """Has Keras draw so while the block traces a function for XLA."""
    replaced = (
        (tf.random, "stateless_uniform", _uniform),
        (tf.random, "stateless_normal", _normal),
        (tf.nn.experimental, "stateless_dropout", _dropout),
    )
    own = [getattr(module, name) for module, name, _ in replaced]
    for module, name, function in replaced:
        setattr(module, name, function)
    try:
        yield
    finally:
        for (module, name, _), function in zip(replaced, own, strict=True):
            setattr(module, name, function)


def find_other_draws(operations: list[tf.Operation]) -> list[str]:
    """Returns the types of `operations` that draw numbers of another distribution."""
    types = {operation.type for operation in operations}
    return sorted(
        name
        for name in types
        if name.startswith(("Stateless", "Random", "Multinomial")) and name not in _SAME_IN_XLA
    )


_SAME_IN_XLA = {
    "StatelessRandomUniformFullIntV2",
    "StatelessRandomGetAlg",
    "StatelessRandomGetKeyCounter",
    "StatelessCase",
    "StatelessIf",
    "StatelessWhile",
}

_draw_bits = tf.random.stateless_uniform


def _uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32, **_: Any
) -> tf.Tensor:
    if tf.as_dtype(dtype) != tf.float32:
        return _draw_bits(shape, seed, minval, maxval, dtype)
    low = tf.convert_to_tensor(minval, tf.float32)
    high = tf.convert_to_tensor(1.0 if maxval is None else maxval, tf.float32)
    return _unit(_bits(shape, seed)) * (high - low) + low


def _normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32, **_: Any
) -> tf.Tensor:
    size = tf.reduce_prod(tf.convert_to_tensor(shape, tf.int32))
    pairs = _unit(tf.reshape(_bits([(size + 3) // 4 * 4], seed), [-1, 2]))
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(pairs[:, 0], _LEAST_UNIFORM)))
    angle = 2.0 * math.pi * pairs[:, 1]
    drawn = tf.stack([tf.sin(angle) * radius, tf.cos(angle) * radius], axis=1)
    values = tf.reshape(tf.reshape(drawn, [-1])[:size], shape)
    return tf.cast(values * stddev + mean, dtype)


def _dropout(x: tf.Tensor, rate: Any, seed: Any, noise_shape: Any = None, **_: Any) -> tf.Tensor:
    shape = tf.shape(x) if noise_shape is None else noise_shape
    is_kept = _unit(_bits(shape, seed)) >= rate
    scaled = x * tf.cast(1.0 / (1.0 - rate), x.dtype)
    return tf.where(is_kept, scaled, tf.zeros([], x.dtype))


def _bits(shape: Any, seed: Any) -> tf.Tensor:
    return _draw_bits(shape, seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")


def _unit(bits: tf.Tensor) -> tf.Tensor:
    """Returns numbers from 0 to 1, made of the lower bits."""
    mantissa = tf.bitwise.bitwise_and(bits, tf.constant(_MANTISSA, tf.uint32))
    from_one = tf.bitwise.bitwise_or(mantissa, tf.constant(_ONE, tf.uint32))
    return tf.bitcast(from_one, tf.float32) - 1.0
