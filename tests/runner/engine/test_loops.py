"""FLOPs of what a graph calls: loops, branches, functions; and what is unknown in it."""

import numpy as np
import pytest
import tensorflow as tf

from runner.engine.flops import FlopsCounter, find_needed


def count(call, *shapes):
    """Returns the cost of the graph of what `call` gives, with a placeholder for each shape."""
    with tf.Graph().as_default() as graph:
        outputs = tf.nest.flatten(
            call(*(tf.compat.v1.placeholder("float32", shape) for shape in shapes))
        )
    needed = find_needed(outputs)
    return FlopsCounter(graph).count(
        operation for operation in graph.get_operations() if operation.name in needed
    )


def repeat(goes_on, start=0, stride=1):
    """Returns a function that multiplies by a 3 by 3 matrix while ``goes_on(index)``."""

    def call(x, kernel):
        return tf.while_loop(
            lambda index, x: goes_on(index),
            lambda index, x: (index + stride, tf.matmul(x, kernel)),
            (tf.constant(start), x),
        )[1]

    return call


SHAPES = ((2, 3), (3, 3))
PRODUCT = 2 * 2 * 3 * 3


@pytest.mark.parametrize(
    ("call", "steps"),
    [
        pytest.param(repeat(lambda index: index < 7), 7, id="up to"),
        pytest.param(repeat(lambda index: index <= 7, start=2, stride=3), 2, id="in strides"),
        pytest.param(repeat(lambda index: index > 0, start=9, stride=-2), 5, id="downwards"),
        pytest.param(repeat(lambda index: index > 0), 0, id="never"),
        pytest.param(repeat(lambda index: (index < 9) & (index * index < 10)), 4, id="and"),
    ],
)
def test_a_loop_takes_its_body_as_often_as_it_runs(call, steps):
    cost = count(call, *SHAPES)
    assert cost.flops["MatMul"] == steps * PRODUCT
    assert not cost.unknown


def test_a_loop_within_a_loop_is_multiplied():
    def call(x, kernel):
        return tf.while_loop(
            lambda index, x: index < 5,
            lambda index, x: (index + 1, repeat(lambda index: index < 3)(x, kernel)),
            (tf.constant(0), x),
        )[1]

    assert count(call, *SHAPES).flops["MatMul"] == 15 * PRODUCT


def test_a_loop_whose_end_is_fed_takes_a_step_at_the_least():
    def call(x, kernel):
        return tf.while_loop(
            lambda x: tf.reduce_sum(x) < 1, lambda x: (tf.matmul(x, kernel),), (x,)
        )

    cost = count(call, *SHAPES)
    assert cost.flops["MatMul"] == PRODUCT
    assert cost.unknown == {"StatelessWhile": 1}


@pytest.mark.parametrize(
    ("choose", "products", "unknown"),
    [
        pytest.param(lambda x: tf.constant(True), 2, {}, id="known"),
        pytest.param(lambda x: tf.reduce_sum(x) > 0, 1, {"StatelessIf": 1}, id="fed"),
    ],
)
def test_of_branches_the_cheapest_is_taken_where_a_feed_decides(choose, products, unknown):
    def call(x, kernel):
        def once():
            return tf.matmul(x, kernel)

        return tf.cond(choose(x), lambda: tf.matmul(once(), kernel), once)

    cost = count(call, *SHAPES)
    assert cost.flops["MatMul"] == products * PRODUCT
    assert cost.unknown == unknown


def test_branches_of_one_cost_are_known():
    def call(x, kernel):
        return tf.cond(
            tf.reduce_sum(x) > 0,
            lambda: tf.matmul(x, kernel),
            lambda: tf.matmul(x, tf.transpose(kernel)),
        )

    cost = count(call, *SHAPES)
    assert cost.flops["MatMul"] == PRODUCT
    assert not cost.unknown


def test_a_function_is_counted_at_the_shapes_it_is_called_with():
    @tf.function(
        input_signature=[tf.TensorSpec([None, 3], "float32"), tf.TensorSpec([3, 3], "float32")]
    )
    def multiply(x, kernel):
        return tf.matmul(x, kernel)

    cost = count(lambda x, kernel: multiply(x, kernel), (2, 3), (3, 3))
    assert cost.flops == {"MatMul": PRODUCT}
    assert not cost.unknown


def test_what_the_outputs_do_not_need_is_left_out():
    def call(x, kernel):
        tf.matmul(x, kernel)
        return tf.tanh(x)

    assert count(call, *SHAPES).flops == {"Tanh": 6}


def test_functions_within_functions_are_found():
    @tf.function
    def inner(x, kernel):
        return repeat(lambda index: index < 3)(x, kernel)

    @tf.function
    def outer(x, kernel):
        return inner(x, kernel) + np.float32(1)

    cost = count(lambda x, kernel: outer(x, kernel), *SHAPES)
    assert cost.flops["MatMul"] == 3 * PRODUCT
    assert cost.flops["AddV2"] == 6
