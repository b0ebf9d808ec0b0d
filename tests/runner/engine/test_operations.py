"""FLOPs of single operations, by formulas worked out by hand and by TensorFlow's own figures."""

import math

import pytest
import tensorflow as tf
from tensorflow.python.framework.ops import get_stats_for_node_def

# Registers TensorFlow's figures.
from tensorflow.python.profiler.internal import flops_registry  # noqa: F401

from runner.engine.operations import count_flops


def make(call, *shapes, dtype="float32"):
    """Returns the last operation that `call` makes of a placeholder for each shape."""
    with tf.Graph().as_default() as graph:
        call(*(tf.compat.v1.placeholder(dtype, shape) for shape in shapes))
    return graph.get_operations()[-1]


def count(call, *shapes, dtype="float32"):
    return count_flops(make(call, *shapes, dtype=dtype))


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        pytest.param(tf.matmul, [(5, 7), (7, 3)], id="MatMul"),
        pytest.param(
            lambda a, b: tf.raw_ops.MatMul(a=a, b=b, transpose_a=True, transpose_b=True),
            [(7, 5), (3, 7)],
            id="MatMul transposed",
        ),
        pytest.param(
            lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), [(4, 9, 9, 3), (3, 5, 3, 8)], id="Conv2D"
        ),
        pytest.param(
            lambda x, k: tf.nn.conv2d(x, k, 1, "VALID", dilations=2),
            [(4, 9, 9, 3), (3, 3, 3, 8)],
            id="Conv2D dilated",
        ),
        pytest.param(
            lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 2, 2, 1], "SAME"),
            [(4, 9, 9, 3), (3, 3, 3, 2)],
            id="DepthwiseConv2dNative",
        ),
        pytest.param(
            lambda x, k: tf.nn.conv2d_transpose(x, k, [4, 10, 10, 6], 2, "SAME"),
            [(4, 5, 5, 3), (3, 3, 6, 3)],
            id="Conv2DBackpropInput",
        ),
        pytest.param(tf.nn.bias_add, [(4, 9, 3), (3,)], id="BiasAdd"),
        pytest.param(lambda x: tf.nn.max_pool2d(x, 3, 2, "SAME"), [(4, 9, 9, 3)], id="MaxPool"),
        pytest.param(lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), [(4, 9, 9, 3)], id="AvgPool"),
        pytest.param(tf.add, [(4, 1, 3), (5, 1)], id="AddV2 broadcast"),
        pytest.param(tf.subtract, [(4, 3), (4, 3)], id="Sub"),
        pytest.param(tf.multiply, [(4, 3), (3,)], id="Mul"),
        pytest.param(tf.divide, [(4, 3), ()], id="RealDiv"),
        pytest.param(tf.maximum, [(4, 3), ()], id="Maximum"),
        pytest.param(tf.math.pow, [(4, 3), ()], id="Pow"),
        pytest.param(tf.math.squared_difference, [(4, 3), (3,)], id="SquaredDifference"),
        pytest.param(tf.math.rsqrt, [(4, 3)], id="Rsqrt"),
        pytest.param(tf.square, [(4, 3)], id="Square"),
        pytest.param(tf.negative, [(4, 3)], id="Neg"),
        pytest.param(tf.math.log, [(4, 3)], id="Log"),
        pytest.param(tf.nn.softmax, [(4, 3)], id="Softmax"),
        pytest.param(lambda x: tf.reduce_mean(x, [1, 2]), [(4, 9, 9, 3)], id="Mean"),
        pytest.param(lambda x: tf.reduce_sum(x, 1), [(4, 9, 9, 3)], id="Sum"),
    ],
)
def test_an_operation_takes_as_many_as_tensorflows_profiler_says(call, shapes):
    operation = make(call, *shapes)
    theirs = get_stats_for_node_def(operation.graph, operation.node_def, "flops").value
    assert theirs
    assert count_flops(operation) == theirs


@pytest.mark.parametrize(
    ("call", "shapes", "flops"),
    [
        pytest.param(tf.matmul, [(2, 6, 4, 5), (6, 5, 3)], 2 * 2 * 6 * 4 * 3 * 5, id="BatchMatMul"),
        pytest.param(
            lambda a, b: tf.matmul(a, b, adjoint_a=True),
            [(6, 5, 4), (6, 5, 3)],
            2 * 6 * 4 * 3 * 5,
            id="BatchMatMul adjoint",
        ),
        pytest.param(
            lambda x, k: tf.einsum("abc,cde->abde", x, k),
            [(2, 7, 6), (6, 4, 5)],
            2 * 2 * 7 * 4 * 5 * 6,
            id="Einsum product",
        ),
        pytest.param(
            lambda x, k: tf.einsum("...c,cd->...d", x, k),
            [(2, 7, 6), (6, 4)],
            2 * 2 * 7 * 4 * 6,
            id="Einsum ellipsis",
        ),
        pytest.param(
            lambda x, y: tf.einsum("ab,ac->abc", x, y), [(2, 7), (2, 6)], 84, id="Einsum outer"
        ),
        pytest.param(lambda x: tf.einsum("abc->ac", x), [(2, 7, 6)], 84 - 12, id="Einsum sum"),
        pytest.param(lambda x: tf.einsum("ab->ba", x), [(2, 7)], 0, id="Einsum transpose"),
        pytest.param(
            lambda x, k: tf.nn.conv2d(x, k, 1, "VALID"),
            [(4, 9, 9, 6), (3, 3, 2, 12)],
            4 * 7 * 7 * 12 * 2 * 3 * 3 * 2,
            id="Conv2D in three groups",
        ),
        pytest.param(
            lambda x, k: tf.nn.conv3d(x, k, [1] * 5, "SAME"),
            [(2, 4, 5, 6, 3), (2, 3, 3, 3, 7)],
            2 * 4 * 5 * 6 * 7 * 2 * 2 * 3 * 3 * 3,
            id="Conv3D",
        ),
        pytest.param(
            lambda x, k: tf.nn.conv3d_transpose(x, k, [2, 8, 8, 8, 5], 2),
            [(2, 4, 4, 4, 3), (3, 3, 3, 5, 3)],
            2 * 4 * 4 * 4 * 3 * 2 * 27 * 5,
            id="Conv3D transposed",
        ),
        pytest.param(
            lambda x: tf.nn.max_pool3d(x, 2, 2, "VALID"),
            [(2, 4, 4, 4, 3)],
            2 * 2 * 2 * 2 * 3 * 8,
            id="MaxPool3D",
        ),
        pytest.param(lambda *x: tf.add_n(x), [(4, 3)] * 5, 4 * 12, id="AddN"),
        pytest.param(tf.reduce_max, [(4, 3)], 11, id="Max"),
        pytest.param(tf.sigmoid, [(4, 3)], 12, id="Sigmoid"),
        pytest.param(lambda x: tf.image.resize(x, [8, 8]), [(2, 4, 4, 3)], 384 * 9, id="bilinear"),
        pytest.param(
            lambda x: tf.signal.rfft(x), [(3, 64)], round(2.5 * 64 * 6 * 3), id="Fourier, real"
        ),
        pytest.param(lambda x: tf.transpose(x), [(4, 3)], 0, id="moves"),
        pytest.param(lambda x: tf.reshape(x, [-1]), [(4, 3)], 0, id="reshapes"),
        pytest.param(lambda x: tf.greater(x, 0), [(4, 3)], 0, id="tests"),
        pytest.param(lambda x: tf.argmax(x, 1), [(4, 3)], 0, id="finds"),
        pytest.param(tf.linalg.cholesky, [(4, 4)], None, id="unknown type"),
        pytest.param(tf.matmul, [(None, 7), (7, 3)], None, id="unknown shape"),
    ],
)
def test_an_operation_takes_as_many_as_worked_out(call, shapes, flops):
    assert count(call, *shapes) == flops


def test_arithmetic_on_integers_is_free_but_for_products_of_matrices():
    assert count(tf.add, (4, 3), (4, 3), dtype="int32") == 0
    assert count(tf.matmul, (5, 7), (7, 3), dtype="int32") == 2 * 5 * 7 * 3


@pytest.mark.parametrize("is_training", [False, True])
def test_batch_normalization_applies_a_factor_and_an_offset(is_training):
    def call(x, scale):
        tf.raw_ops.FusedBatchNormV3(
            x=x, scale=scale, offset=scale, mean=scale, variance=scale, is_training=is_training
        )

    elements = math.prod((2, 5, 5, 3))
    ours = count(call, (2, 5, 5, 3), (3,))
    assert ours == (6 if is_training else 2) * elements + 5 * 3


@pytest.mark.parametrize(
    ("mode", "gates", "rest"), [("lstm", 4, 9), ("gru", 3, 8), ("rnn_tanh", 1, 1)]
)
def test_a_recurrent_layer_of_a_gpu_multiplies_inputs_and_states(mode, gates, rest):
    steps, batch, features, units = 7, 4, 5, 3

    def call(x, state, params):
        tf.raw_ops.CudnnRNNV3(
            input=x,
            input_h=state,
            input_c=state,
            params=params,
            sequence_lengths=tf.constant([7, 7, 7, 7]),
            rnn_mode=mode,
        )

    ours = count(call, (steps, batch, features), (1, batch, units), (200,))
    products = 2 * gates * units * (features + units)
    assert ours == steps * batch * (products + 3 * gates * units + rest * units)
