"""The timeline of a traced step."""

import json

import numpy as np

from runner.engine.trace import count_operations, format_chrome_trace
from tests.opening import open_experiment


def test_a_trace_sees_inside_the_training_step_and_counts_as_a_step(compose):
    config = compose("model=cnn")
    images = np.random.default_rng(0).random((4, 8, 8, 1), np.float32)
    arrays = {"image": images, "digit": np.arange(4)}
    with open_experiment(config) as (graph, session):
        norm = graph.model.keras_model.get_layer("norm1")
        train = session.callable(graph.training.train)
        before = session.read({"mean": norm.moving_mean.value})["mean"]
        values, metadata = train.trace(arrays)
        after = session.read({"mean": norm.moving_mean.value})["mean"]

    assert set(values) == {"batch_loss", "loss", "accuracy"}
    assert not np.array_equal(before, after)
    trace = json.loads(format_chrome_trace(metadata))
    timed = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = [event["args"]["name"] for event in timed if "name" in event.get("args", {})]
    assert any("conv2" in name for name in names)
    assert any("gradient_tape" in name for name in names)
    assert all(event["dur"] >= 0 for event in timed)
    assert count_operations(metadata) > 100
