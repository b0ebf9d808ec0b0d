"""Has Keras's layers and optimizers run on TensorFlow's fused kernels, which compute the same.

Keras composes batch normalization and Adam of small operations, each of which passes over memory
and costs a dispatch: of a training step of a ResNet on a CPU they were a third.
"""

import math
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
        elif type(layer) is keras.layers.EinsumDense and _is_matrix_product(layer):
            layer.call = partial(_multiply, layer)
        elif type(layer) is keras.layers.MultiHeadAttention:
            layer._compute_attention = partial(_attend, layer)
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


def _is_matrix_product(layer: keras.layers.Layer) -> bool:
    """Returns whether the last axes of the input are contracted with the first ones of the kernel.

    That is how ``MultiHeadAttention`` projects: ``abc,cde->abde`` and ``abcd,cde->abe``.
    """
    sides, _, output = layer.equation.partition("->")
    given, _, kernel = sides.partition(",")
    contracted = "".join(axis for axis in kernel if axis not in output)
    kept = kernel[len(contracted) :]
    return (
        bool(contracted)
        and "..." not in layer.equation
        and given.endswith(contracted)
        and kernel == contracted + kept
        and output == given.removesuffix(contracted) + kept
        and layer.bias_axes in (None, kept)
    )


def _multiply(layer: keras.layers.Layer, inputs: Any, training: bool | None = None) -> Any:
    """Computes ``keras.layers.EinsumDense`` as one product of two matrices.

    As an einsum, the gradient of its kernel is a product for each example, and the sum of them.
    """
    kernel = layer.kernel
    if not isinstance(inputs, tf.Tensor) or inputs.dtype != kernel.dtype or layer.lora_enabled:
        return type(layer).call(layer, inputs, training=training)
    kept_axes = len(layer.equation.rpartition("->")[2]) - len(inputs.shape) + _contracted(layer)
    kept = kernel.shape[len(kernel.shape) - kept_axes :]
    columns = math.prod(kept)
    matrix = tf.reshape(tf.convert_to_tensor(kernel), [-1, columns])
    product = tf.matmul(tf.reshape(inputs, [-1, matrix.shape[0]]), matrix)
    if layer.bias is not None:
        product = tf.nn.bias_add(product, tf.reshape(tf.convert_to_tensor(layer.bias), [columns]))
    leading = tf.shape(inputs)[: len(inputs.shape) - _contracted(layer)]
    outputs = tf.reshape(product, tf.concat([leading, kept], axis=0))
    outputs.set_shape([*inputs.shape[: len(inputs.shape) - _contracted(layer)], *kept])
    return outputs if layer.activation is None else layer.activation(outputs)


def _contracted(layer: keras.layers.Layer) -> int:
    """Returns over how many axes an ``EinsumDense`` sums."""
    sides, _, output = layer.equation.partition("->")
    return sum(axis not in output for axis in sides.partition(",")[2])


def _attend(
    layer: keras.layers.Layer,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any = None,
    training: bool | None = None,
    return_attention_scores: bool = False,
    **options: Any,
) -> tuple[Any, Any]:
    """Computes the attention of ``keras.layers.MultiHeadAttention`` as products of matrices.

    Without a mask; an einsum over axes in between takes twice as long.

    Args:
        layer: The layer.
        query: (batch, target, heads, channels).
        key: (batch, source, heads, channels).
        value: (batch, source, heads, value channels).
        attention_mask: As the layer's; with one, the layer's own way is taken.
        training: As the layer's.
        return_attention_scores: As the layer's.
        options: Further ones, with which the layer's own way is taken.

    Returns:
        (batch, target, heads, value channels), and None in the place of the scores.

    Source: Keras 3.15, ``dot_product_attention`` of the TensorFlow backend.
    """
    if (
        attention_mask is not None
        or return_attention_scores
        or options
        or layer._dropout > 0.0
        or len(query.shape) != _IMAGE_RANK
        or layer.compute_dtype != "float32"
    ):
        return type(layer)._compute_attention(  # type: ignore[no-any-return]
            layer,
            query,
            key,
            value,
            attention_mask,
            training,
            return_attention_scores,
            **options,
        )
    scores = tf.matmul(_by_head(query), _by_head(key), transpose_b=True)
    shares = tf.nn.softmax(scores * layer._inverse_sqrt_key_dim)
    attended = tf.matmul(shares, _by_head(value))
    shape = tf.shape(query)
    split = tf.reshape(attended, [-1, query.shape[2], shape[1], value.shape[3]])
    return tf.transpose(split, [0, 2, 1, 3]), None


def _by_head(projected: tf.Tensor) -> tf.Tensor:
    """Returns (batch, steps, heads, channels) as (batch * heads, steps, channels)."""
    steps = tf.shape(projected)[1]
    by_head = tf.transpose(projected, [0, 2, 1, 3])
    matrices = tf.reshape(by_head, [-1, steps, projected.shape[3]])
    matrices.set_shape([None, projected.shape[1], projected.shape[3]])
    return matrices


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
