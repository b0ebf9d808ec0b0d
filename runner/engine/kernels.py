"""Has Keras's layers and optimizers run on TensorFlow's fused kernels, which compute the same.

Keras composes batch normalization and Adam of small operations, each of which passes over memory
and costs a dispatch: of a training step of a ResNet on a CPU they were a third.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from models.factory import BuiltModel

# Unrolled, a recurrent layer takes no loop of the graph; a longer one makes too large a graph.
_MOST_UNROLLED_STEPS = 16
_IMAGE_RANK = 4


def fuse_layers(model: BuiltModel, *, unrolls: bool) -> None:
    """Replaces how the layers of `model` compute, once it is built, by fused kernels.

    Args:
        model: The model; layers that compute what no kernel does are left as they are.
        unrolls: Whether to write short recurrences out; not for GPUs, where cuDNN has a kernel.
    """
    for layer in model.keras_model._flatten_layers():
        if type(layer) is keras.layers.BatchNormalization:
            layer.call = partial(_normalize_batch, layer)
        elif unrolls and isinstance(layer, keras.layers.RNN):
            layer.call = partial(_recur, layer)


def fuse_optimizer(optimizer: keras.optimizers.Optimizer) -> None:
    """Replaces how `optimizer`, once it is built, updates a weight by a fused kernel.

    One that no kernel computes is left as it is.
    """
    if type(optimizer) in (keras.optimizers.Adam, keras.optimizers.AdamW):
        own = optimizer.update_step
        optimizer.update_step = own if optimizer.amsgrad else _adam_step(optimizer, own)


def _recur(layer: keras.layers.Layer, sequences: Any, *args: Any, **kwargs: Any) -> Any:
    """Computes a recurrent layer, written out where its sequences are short."""
    steps = sequences.shape[1]
    if steps is not None and steps <= _MOST_UNROLLED_STEPS:
        layer.unroll = True
    return type(layer).call(layer, sequences, *args, **kwargs)


def _normalize_batch(
    layer: keras.layers.Layer, inputs: Any, training: bool | None = None, mask: Any = None
) -> Any:
    """Computes ``keras.layers.BatchNormalization`` over the last axis in training.

    In inference it stays as Keras composes it, for TensorFlow would fuse the kernel with the layers
    around, and a trace could not tell them apart.

    Source: Keras 3.15, ``BatchNormalization.call``. The kernel's variance is that of a sample,
    n / (n - 1) times that of Keras.
    """
    rank = len(inputs.shape)
    is_last = layer.axis in (-1, rank - 1)
    if (
        not (training and layer.trainable)
        or mask is not None
        or layer.renorm
        or layer.synchronized
        or not is_last
        or not isinstance(inputs, tf.Tensor)
        or inputs.dtype != tf.float32
        or layer.compute_dtype != "float32"
    ):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    channels = inputs.shape[-1]
    images = inputs if rank == _IMAGE_RANK else tf.reshape(inputs, [1, 1, -1, channels])
    normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=layer.gamma.value if layer.scale else tf.ones([channels]),
        offset=layer.beta.value if layer.center else tf.zeros([channels]),
        mean=tf.constant([]),
        variance=tf.constant([]),
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(images) // channels, tf.float32)
    new, old = 1.0 - layer.momentum, layer.momentum
    layer.moving_mean.assign(layer.moving_mean * old + mean * new)
    layer.moving_variance.assign(
        layer.moving_variance * old + variance * ((count - 1.0) / count) * new
    )
    return normalized if rank == _IMAGE_RANK else tf.reshape(normalized, tf.shape(inputs))


def _adam_step(
    optimizer: keras.optimizers.Optimizer, own: Callable[..., None]
) -> Callable[..., None]:
    """Returns the update of a weight by ``ResourceApplyAdam``, whose formula is Keras's.

    Source: Keras 3.15, ``Adam.update_step``; TensorFlow 2.21, ``ApplyAdam`` of training_ops.
    """
    # Those of the graph that was traced last, since all weights of a step share them.
    powers: dict[tf.Graph, tuple[tf.Tensor, tf.Tensor]] = {}

    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        weight = variable.value if isinstance(variable, keras.Variable) else variable
        if not isinstance(gradient, tf.Tensor) or weight.dtype != tf.float32:
            own(gradient, variable, learning_rate)
            return
        graph = tf.compat.v1.get_default_graph()
        if graph not in powers:
            powers.clear()
            step = tf.cast(optimizer.iterations + 1, tf.float32)
            powers[graph] = tf.pow(optimizer.beta_1, step), tf.pow(optimizer.beta_2, step)
        beta1_power, beta2_power = powers[graph]
        index = optimizer._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=optimizer._momentums[index].value.handle,
            v=optimizer._velocities[index].value.handle,
            beta1_power=beta1_power,
            beta2_power=beta2_power,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=tf.cast(gradient, tf.float32),
        )

    return update
