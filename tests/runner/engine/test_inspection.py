"""What each layer costs: formulas worked out by hand, Keras's own counts, published figures."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from runner.engine.graph import build_graph
from runner.engine.inspection import count_layers, inspect_model
from runner.preprocessing import stand_in_statistics
from tests.models.layer_table import CASES
from tests.models.reading import read_model
from tests.models.test_every_layer import declare

BATCH = 4


@pytest.fixture(scope="module")
def inspect_text(compose):
    def inspect_text(text, batch_size=BATCH):
        config = compose("task=inspect")
        config.model = read_model(text)
        return inspect_model(config, batch_size)

    return inspect_text


def test_layers_behind_an_input_are_counted_as_those_of_the_model(compose):
    lookup = "{type: TextVectorization, max_tokens: 9, output_sequence_length: 5}"
    config = compose(
        "task=inspect", "model=text", "data=table", "data.file=tests/samples/moods.csv",
        "data.targets=[mood]", f"data.preprocess.text={{tokens: {lookup}}}",
    )  # fmt: skip
    result = inspect_model(stand_in_statistics(config), BATCH)
    tokens, embed, *_, logits = result.layers
    assert (tokens.name, tokens.output_shapes) == ("preprocess.text.tokens", ((None, 5),))
    assert tokens.activation_bytes == BATCH * 5 * 8
    assert embed.activation_bytes == BATCH * 5 * 16 * 4
    assert logits.flops == BATCH * 2 * (2 * 16 + 1)
    assert result.totals.unknown == {}


def flops_of(result):
    return {layer.name: layer.flops for layer in result.layers}


def test_each_layer_of_the_cnn_costs_what_is_worked_out(compose):
    batch, result = 32, inspect_model(compose("model=cnn"), 32)
    large, small = batch * 8 * 8, batch * 4 * 4
    assert flops_of(result) == {
        "conv1": large * 32 * (2 * 3 * 3 + 2),  # and a bias and an activation
        "norm1": large * 32 * 2 + 32 * 6,  # a factor and an offset; both made of four weights
        "pool1": small * 32 * 4,
        "conv2": small * 64 * (2 * 3 * 3 * 32 + 2),
        "norm2": small * 64 * 2 + 64 * 6,
        "pool2": batch * 2 * 2 * 64 * 4,
        "flatten": 0,
        "drop": 0,
        "logits": batch * 10 * (2 * 256 + 1),
    }
    assert sum(result.flops_by_operation.values()) == result.totals.flops


def test_parameters_are_those_that_keras_counts(compose):
    result = inspect_model(compose("model=cnn"), 32)
    by_name = {layer.name: layer for layer in result.layers}
    norm = by_name["norm1"]
    assert (norm.trained_parameters, norm.frozen_parameters, norm.parameter_bytes) == (64, 64, 512)
    assert (result.totals.trained_parameters, result.totals.frozen_parameters) == (21578, 192)


def test_activations_are_what_is_new_in_memory(compose):
    result = inspect_model(compose("model=cnn"), 32)
    floats = {layer.name: layer.activation_bytes // 4 for layer in result.layers}
    assert floats == {
        "conv1": 32 * 8 * 8 * 32,
        "norm1": 32 * 8 * 8 * 32,
        "pool1": 32 * 4 * 4 * 32,
        "conv2": 32 * 4 * 4 * 64,
        "norm2": 32 * 4 * 4 * 64,
        "pool2": 32 * 2 * 2 * 64,
        "flatten": 0,  # reshaped
        "drop": 0,  # passed on
        "logits": 32 * 10,
    }


def test_operations_and_memory_grow_with_the_batch_and_parameters_do_not(inspect_text):
    text = "layers: {a: {type: Flatten}, b: {type: Dense, units: 3}}\noutputs: b"
    one, nine = inspect_text(text, 1).totals, inspect_text(text, 9).totals
    assert one.flops == 3 * (2 * 64 + 1)
    assert nine.flops == 9 * one.flops
    assert nine.activation_bytes == 9 * one.activation_bytes
    assert nine.parameter_bytes == one.parameter_bytes == 4 * 65 * 3


STEPS, FEATURES, UNITS = 7, 5, 3


@pytest.mark.parametrize(
    ("layer", "gates", "rest"),
    [
        # A gate adds two products and a bias; the rest is activations, products and sums.
        pytest.param("{type: SimpleRNN, units: 3}", 1, 1, id="SimpleRNN"),
        pytest.param("{type: LSTM, units: 3}", 4, 5 + 4, id="LSTM"),
        pytest.param("{type: LSTM, units: 3, return_sequences: true}", 4, 9, id="every step"),
        pytest.param("{type: LSTM, units: 3, unroll: true}", 4, 9, id="unrolled"),
        pytest.param("{type: LSTM, units: 3, go_backwards: true}", 4, 9, id="backwards"),
        pytest.param("{type: RNN, cell: {type: LSTMCell, units: 3}}", 4, 9, id="a cell"),
        # Three activations; reset * state; update * state + (1 - update) * candidate; two biases.
        pytest.param("{type: GRU, units: 3}", 3, 3 + 1 + 4 + 3, id="GRU"),
        pytest.param("{type: Bidirectional, layer: {type: LSTM, units: 3}}", 8, 18, id="both ways"),
    ],
)
def test_a_recurrent_layer_costs_its_step_times_the_steps(inspect_text, layer, gates, rest):
    declared = f"inputs: {{x: {{shape: [{STEPS}, {FEATURES}], dtype: float32}}}}"
    result = inspect_text(f"{declared}\nlayers: {{a: {layer}}}\noutputs: a")
    step = gates * UNITS * (2 * FEATURES + 2 * UNITS + 2) + rest * UNITS
    (cost,) = result.layers
    assert cost.flops == BATCH * STEPS * step
    assert not cost.unknown


def test_a_length_that_varies_leaves_a_lower_bound(inspect_text):
    result = inspect_text(
        "inputs: {x: {shape: [null, 5], dtype: float32}}\n"
        "layers: {a: {type: LSTM, units: 3, return_sequences: true}}\noutputs: a"
    )
    (cost,) = result.layers
    assert cost.flops == BATCH * (4 * UNITS * (2 * FEATURES + 2 * UNITS + 2) + 9 * UNITS)
    assert cost.unknown == {"While": 1}
    assert (cost.activation_bytes, cost.varying_outputs) == (0, 1)


def test_attention_multiplies_queries_with_keys_and_weights_with_values(inspect_text):
    heads, size = 2, 4
    result = inspect_text(
        "inputs: {x: {shape: [7, 5], dtype: float32}}\n"
        "layers: {a: {type: MultiHeadAttention, num_heads: 2, key_dim: 4, "
        "from: {query: x, value: x}}}\noutputs: a"
    )
    projections = 4 * STEPS * FEATURES * heads * size
    weights = 2 * STEPS * STEPS * heads * size
    by_operation = result.flops_by_operation
    products = sum(by_operation[name] for name in ("BatchMatMulV2", "Einsum", "MatMul"))
    assert products == 2 * BATCH * (projections + weights)


def test_a_shared_layer_has_its_parameters_once_and_its_operations_at_each_call(inspect_text):
    result = inspect_text(
        """
        layers:
          flat: {type: Flatten}
          first: {type: Dense, units: 64}
          second: {shared: first}
        outputs: second
        """
    )
    _, first, second = result.layers
    assert (first.trained_parameters, second.trained_parameters) == (65 * 64, 0)
    assert (first.parameter_bytes, second.parameter_bytes) == (4 * 65 * 64, 0)
    assert first.flops == second.flops == BATCH * 64 * (2 * 64 + 1)


def test_a_layer_that_is_not_trained_has_frozen_parameters(inspect_text):
    result = inspect_text(
        "layers: {a: {type: Flatten, trainable: false}, b: {type: Dense, units: 3, "
        "trainable: false}}\noutputs: b"
    )
    assert (result.totals.trained_parameters, result.totals.frozen_parameters) == (0, 195)


VARIATIONAL = """
layers:
  flat: {type: Flatten}
  mean: {type: Dense, units: 3}
  spread: {type: Dense, units: 3, from: flat}
  sample: {class: tests.runner.engine.test_inspection.Sample, from: {mean: mean, spread: spread}}
outputs: sample
"""


@keras.saving.register_keras_serializable(package="tests")
class Sample(keras.layers.Layer):
    def call(self, mean, spread, training=False):
        return mean + spread if training else mean


def test_what_the_outputs_do_not_need_at_inference_costs_nothing(inspect_text):
    result = inspect_text(VARIATIONAL)
    by_name = {layer.name: layer for layer in result.layers}
    assert by_name["mean"].flops > 0
    spread = by_name["spread"]
    assert (spread.flops, spread.activation_bytes, spread.trained_parameters) == (0, 0, 195)


def test_an_operation_of_unknown_cost_is_named_and_its_layers_sum_is_a_lower_bound(inspect_text):
    result = inspect_text(
        "layers: {a: {type: Resizing, height: 9, width: 9, interpolation: bicubic}}\noutputs: a"
    )
    (cost,) = result.layers
    assert cost.unknown == {"ResizeBicubic": 1}
    assert result.totals.unknown == {"ResizeBicubic": 1}


def test_weights_of_half_the_precision_take_half_the_memory(inspect_text):
    result = inspect_text(
        "layers: {a: {type: Flatten}, b: {type: Dense, units: 3, dtype: float16}}\noutputs: b"
    )
    _, dense = result.layers
    assert (dense.parameter_bytes, dense.activation_bytes) == (2 * 195, 2 * BATCH * 3)


def test_a_function_of_a_saved_model_is_counted_at_the_batch_size(inspect_text, tmp_path):
    module = tf.Module()
    module.kernel = tf.Variable(np.ones((64, 3), np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="x")])
    def serve(x):
        return {"y": tf.matmul(x, module.kernel)}

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path), signatures=serve)
    result = inspect_text(f"layers: {{a: {{type: Flatten}}, b: {{file: {tmp_path}}}}}\noutputs: b")
    assert flops_of(result)["b"] == BATCH * 2 * 64 * 3
    assert not result.totals.unknown


def count_activation_bytes(name):
    """Returns the memory of what each layer of a model gives, but for those that give no new."""
    model = getattr(keras.applications, name)(weights=None)
    kept = (keras.layers.InputLayer, keras.layers.Reshape, keras.layers.Dropout)
    return sum(
        4 * math.prod(layer.output.shape[1:])
        for layer in model.layers
        if not isinstance(layer, kept)
    )


@pytest.mark.parametrize(
    ("name", "multiply_adds", "tolerance", "parameters"),
    [
        # Howard et al., MobileNets (2017), table 8, of 1.0 MobileNet-224.
        ("MobileNet", 569e6, 0.001, 4_253_864),
        # He et al., Deep Residual Learning (2015), table 1, given as 3.8 with two digits.
        ("ResNet50", 3.8e9, 0.02, 25_636_712),
    ],
)
def test_a_published_model_costs_what_is_published(
    inspect_text, name, multiply_adds, tolerance, parameters
):
    declared = "inputs: {x: {shape: [224, 224, 3], dtype: float32}}"
    result = inspect_text(
        f"{declared}\nlayers: {{a: {{type: applications.{name}, weights: null}}}}\noutputs: a", 1
    )
    products = sum(
        flops
        for operation, flops in result.flops_by_operation.items()
        if operation in ("Conv2D", "DepthwiseConv2dNative", "MatMul")
    )
    assert products / 2 == pytest.approx(multiply_adds, rel=tolerance)
    totals = result.totals
    assert totals.flops == pytest.approx(2 * multiply_adds, rel=tolerance + 0.015)
    assert totals.trained_parameters + totals.frozen_parameters == parameters
    assert totals.parameter_bytes == 4 * parameters
    assert totals.activation_bytes == count_activation_bytes(name)
    assert not totals.unknown


# How many of a sparse tensor's numbers are not zero is not known, nor how long a text is.
VARYING = {
    "CategoryEncoding to a sparse tensor",
    "Dense on a sparse input",
    "TextVectorization",
    "TextVectorization multi-hot",
}


@pytest.mark.parametrize("name", [name for name in CASES if name != "TFSMLayer"])
def test_the_cost_of_every_layer_of_keras_is_known(compose, name):
    config = compose("task=inspect")
    config.model = declare(name)
    totals = inspect_model(config, BATCH).totals
    assert bool(totals.unknown or totals.varying_outputs) == (name in VARYING)


@pytest.mark.slow
def test_every_layer_of_a_thousand_is_counted(inspect_text):
    layers = "".join(f"  d{index}: {{type: Dense, units: 8}}\n" for index in range(1000))
    result = inspect_text(
        f"inputs: {{x: {{shape: [8], dtype: float32}}}}\nlayers:\n{layers}outputs: d999"
    )
    assert set(flops_of(result).values()) == {BATCH * 8 * 17}


@pytest.mark.parametrize(
    "overrides", [["model=cnn"], ["model=lstm"], ["model=regression", "data=diabetes"]]
)
def test_the_graph_of_a_run_has_the_flops_of_an_inspection(compose, overrides):
    config = stand_in_statistics(compose(*overrides))
    counted = count_layers(build_graph(config), BATCH)
    inspected = inspect_model(config, BATCH)
    assert counted.batch_size == BATCH
    assert [layer.name for layer in counted.layers] == [layer.name for layer in inspected.layers]
    flops = {layer.name: layer.flops for layer in inspected.layers if layer.flops}
    assert {name: count for name, count in counted.flops.items() if count} == flops
    assert counted.unknown == {}


def test_a_graph_that_is_built_for_one_size_of_batch_is_counted_at_it(compose):
    config = compose("experiment=subclassed")
    counted = count_layers(build_graph(config), BATCH)
    inspected = inspect_model(config, 1)
    assert counted.batch_size == 1
    assert sum(counted.flops.values()) == sum(layer.flops for layer in inspected.layers) > 0


def test_of_a_loop_whose_batch_varies_it_is_told_what_is_not_known(compose):
    config = compose("model=lstm", "plan.fused_kernels=false")
    counted = count_layers(build_graph(config), BATCH)
    inspected = {layer.name: layer.flops for layer in inspect_model(config, BATCH).layers}
    assert counted.unknown
    assert all(count <= inspected[name] for name, count in counted.flops.items())


def test_where_layers_behave_as_in_training_nothing_is_counted(compose):
    counted = count_layers(build_graph(compose("task=forward", "task.training=true")), BATCH)
    assert counted.flops == {}
    assert counted.layers
