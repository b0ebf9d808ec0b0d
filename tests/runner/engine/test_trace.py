"""What is read of a traced step, from notes written by hand and from real ones."""

import json
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import step_stats_pb2
from tensorflow.core.protobuf import config_pb2

from runner.engine.trace import read_trace
from runner.validation import TRACE_LEVELS
from tests.opening import open_experiment

PLACES = {"conv1": "model.layers.conv1", "logits": "model.layers.logits"}


def note(name, label, start, microseconds, **more):
    node = step_stats_pb2.NodeExecStats(
        node_name=name,
        timeline_label=f"{name} = {label}(in)",
        all_start_micros=start,
        op_start_rel_micros=1,
        op_end_rel_micros=1 + microseconds,
        all_end_rel_micros=2 + microseconds,
    )
    if "peak" in more:
        node.memory.add(allocator_name="cpu", total_bytes=more["peak"], peak_bytes=more["peak"])
    return node


def metadata_of(**devices):
    stats = step_stats_pb2.StepStats(
        dev_stats=[
            step_stats_pb2.DeviceStepStats(
                device=f"/job:localhost/replica:0/task:0/{device}", node_stats=nodes
            )
            for device, nodes in devices.items()
        ]
    )
    return config_pb2.RunMetadata(step_stats=stats)


WRITTEN = metadata_of(
    **{
        "device:CPU:0": [
            note("cnn_1/conv1_1/convolution", "Conv2D", 1000, 40, peak=4096),
            note("cnn_1/conv1_1/Relu", "Relu", 1050, 10),
            note("gradient_tape/cnn_1/conv1_1/ReluGrad", "ReluGrad", 1100, 30),
            note("cnn_1/logits_1/MatMul", "MatMul", 1070, 15),
            note("adam/mul", "Mul", 1140, 5),
        ]
    }
)


def test_times_are_summed_by_layer_and_pass():
    trace = read_trace("train_step_3", WRITTEN, PLACES, top=20)
    assert trace.microseconds == 145  # from 1000 to 1140 + 5
    assert [
        (layer.name, layer.forward_microseconds, layer.backward_microseconds, layer.share)
        for layer in trace.layers
    ] == [("conv1", 50, 30, 0.8), ("logits", 15, 0, 0.15), ("", 5, 0, 0.05)]
    first = trace.operations[0]
    assert (first.type, first.device, first.peak_bytes) == ("Conv2D", "CPU:0", 4096)


def test_an_operation_of_a_gpu_counts_once_by_the_time_it_ran():
    launched = [note("conv1/Conv2D", "Conv2D", 1000, 3)]
    ran = [note("conv1/Conv2D", "Conv2D", 1010, 50)]
    metadata = metadata_of(
        **{
            "device:GPU:0": launched,
            "device:GPU:0/stream:all": ran,
            "device:GPU:0/stream:13": ran,
        }
    )
    trace = read_trace("forward", metadata, PLACES, top=20)
    assert [(one.device, one.microseconds) for one in trace.operations] == [("GPU:0", 50)]


def test_the_levels_are_those_of_tensorflow():
    levels = set(config_pb2.RunOptions.TraceLevel.keys())
    assert levels == {"NO_TRACE", *TRACE_LEVELS}


@pytest.fixture
def trace_of(compose):
    """Traces the training step of a configuration and returns its fetches and its trace."""

    def trace_of(*overrides):
        config = compose(*overrides)
        images = np.random.default_rng(0).random((32, 8, 8, 1), np.float32)
        arrays = {"image": images, "digit": np.arange(32) % 10}
        with open_experiment(config) as (graph, session):
            train = session.callable(graph.training.train)
            mean = graph.variables.get("norm1.moving_mean")
            before = session.read({"mean": mean})["mean"] if mean is not None else None
            values, trace = train.trace(arrays, "train_step_1", config.trace)
            after = session.read({"mean": mean})["mean"] if mean is not None else None
        return values, trace, before, after

    return trace_of


def test_a_trace_sees_inside_the_training_step_and_counts_as_a_step(trace_of):
    values, trace, before, after = trace_of("model=cnn")
    assert set(values) == {"batch_loss", "loss", "accuracy"}
    assert not np.array_equal(before, after)
    events = json.loads(trace.chrome_trace)["traceEvents"]
    timed = [event for event in events if event["ph"] == "X"]
    assert any("conv2" in event["args"].get("name", "") for event in timed)
    layers = {layer.name: layer for layer in trace.layers}
    named = {"conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "drop", "logits"}
    assert named <= set(layers)
    for name in ("conv1", "conv2", "logits"):
        assert layers[name].forward_microseconds > 0
        assert layers[name].backward_microseconds > 0
    assert sum(layer.share for layer in trace.layers) == pytest.approx(1)
    assert trace.partition_graphs == ()


def test_the_peak_of_memory_holds_the_largest_activations(trace_of):
    _, trace, *_ = trace_of("model=cnn")
    # conv1's output and its normalization's, which the gradients need, are alive at once.
    activations = 2 * 32 * 8 * 8 * 32 * 4
    assert sum(trace.peak_bytes.values()) >= activations
    assert sum(trace.peak_bytes.values()) < 40 * activations


def test_the_peak_of_memory_of_a_chain_is_that_of_its_tensors(compose):
    """Two tensors of 4 MB are alive at once, an input and an output, however long the chain."""
    size = 1_000_000
    with tf.Graph().as_default() as graph:
        value = tf.compat.v1.placeholder(tf.float32, [size])
        for _ in range(5):
            value = tf.linalg.matvec(tf.ones([1, 1]), tf.reshape(value, [size, 1]))
        fetched = tf.reduce_sum(value)
    metadata = config_pb2.RunMetadata()
    options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE)
    session = tf.compat.v1.Session(graph=graph)
    feeds = {graph.get_operations()[0].outputs[0]: np.ones(size, np.float32)}
    session.run(fetched, feeds, options=options, run_metadata=metadata)
    session.close()
    trace = read_trace("chain", metadata, {}, top=20)
    assert 4 * size <= sum(trace.peak_bytes.values()) <= 3 * 4 * size


def test_partition_graphs_are_noted_if_asked_for(trace_of):
    _, trace, *_ = trace_of("model=mlp", "trace.partition_graphs=true")
    (graph,) = trace.partition_graphs
    assert "MatMul" in graph


def test_a_lower_level_notes_no_operation_of_a_cpu(trace_of):
    _, trace, *_ = trace_of("model=mlp", "trace.level=SOFTWARE_TRACE")
    assert trace.name == "train_step_1"
    assert json.loads(trace.chrome_trace)["traceEvents"] is not None


def count_convolutions(compose, *overrides):
    """Returns how often each convolution of the resnet ran in one traced forward call."""
    config = compose("model=resnet", "task=forward", *overrides)
    images = np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
    with open_experiment(config) as (graph, session):
        predict = session.callable(graph.predict)
        fetched, trace = predict.trace({"image": images}, "forward", config.trace)
    ran = Counter(one.layer for one in trace.operations if "Conv2D" in one.type)
    return ran, fetched


def test_fetching_every_layer_costs_no_second_forward_pass(compose):
    alone, _ = count_convolutions(compose)
    ran, fetched = count_convolutions(compose, "fetches.all='**'")
    assert len(alone) == 21  # 19 convolutions of 3 by 3, and the two shortcuts
    assert set(alone.values()) == {1}
    assert ran == alone
    assert {f"all.{layer}" for layer in ran} <= set(fetched)


def test_fetching_one_layer_runs_only_what_it_needs(compose):
    ran, fetched = count_convolutions(compose, "fetches={one: stage1.1.conv1}", "~fetches.outputs")
    assert list(fetched) == ["one"]
    assert ran == {"conv": 1, "stage1.0.conv1": 1, "stage1.0.conv2": 1, "stage1.1.conv1": 1}
