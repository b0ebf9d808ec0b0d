"""The Session: its configuration, its devices, and errors of its steps."""

import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.engine.errors import StepError
from runner.engine.graph import build_graph
from runner.engine.session import build_config_proto, open_session
from tests.opening import open_experiment


def test_config_proto_holds_what_is_declared(compose):
    config = compose(
        "session=gpu",
        "session.device_count={GPU: 1, CPU: 2}",
        "session.intra_op_parallelism_threads=3",
        "session.inter_op_parallelism_threads=4",
        "session.allow_soft_placement=false",
        "session.log_device_placement=true",
        "session.gpu_options.per_process_gpu_memory_fraction=0.25",
        "session.gpu_options.visible_device_list='0,1'",
    )
    assert build_config_proto(config.session) == tf.compat.v1.ConfigProto(
        device_count={"GPU": 1, "CPU": 2},
        intra_op_parallelism_threads=3,
        inter_op_parallelism_threads=4,
        allow_soft_placement=False,
        log_device_placement=True,
        gpu_options=tf.compat.v1.GPUOptions(
            allow_growth=True, per_process_gpu_memory_fraction=0.25, visible_device_list="0,1"
        ),
    )


def test_null_keeps_tensorflows_default(compose):
    proto = build_config_proto(compose("session.allow_soft_placement=false").session)
    assert proto == tf.compat.v1.ConfigProto(gpu_options=tf.compat.v1.GPUOptions())


def test_virtual_devices_are_there_and_used(compose):
    config = compose(
        "task=forward", "model=mlp", "session.device_count.CPU=2", "session.device=/CPU:1"
    )
    with open_experiment(config) as (graph, session):
        assert session.devices == ("/CPU:0", "/CPU:1")
        _, metadata = session.callable(graph.predict).trace(
            {"image": np.zeros((1, 8, 8, 1), np.float32)}
        )
    busy = [device.device for device in metadata.step_stats.dev_stats if device.node_stats]
    assert any(device.endswith("CPU:1") for device in busy)


@pytest.mark.parametrize("device", ["/GPU:0", "/device:GPU:0", "/CPU:7"])
def test_a_device_that_is_not_there_is_refused(compose, device):
    if device != "/CPU:7" and tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here")
    config = compose("model=mlp", "session.device=/CPU:0")
    graph = build_graph(config)
    config.session.device = device
    with pytest.raises(ConfigError) as caught, open_session(graph, config.session):
        pass
    assert str(caught.value) == (
        f"session.device: no device {device!r} is visible; found ['/CPU:0']. "
        "Use session=cpu or check CUDA_VISIBLE_DEVICES."
    )


def test_an_error_of_a_step_names_the_step_and_keeps_its_cause(compose):
    config = compose("model=mlp", "model.layers.logits.units=7")
    with open_experiment(config) as (graph, session):
        train = session.callable(graph.training.train)
        arrays = {"image": np.zeros((1, 8, 8, 1), np.float32), "digit": np.array([9])}
        with pytest.raises(StepError) as caught:
            train(arrays)
    assert str(caught.value) == (
        "step 'train': InvalidArgumentError: Received a label value of 9 which is outside the "
        "valid range of [0, 7).  Label values: 9"
    )
    assert isinstance(caught.value.__cause__, tf.errors.InvalidArgumentError)


def test_a_callable_gives_what_session_run_gives(compose):
    config = compose("task=forward", "model=mlp")
    images = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        called = session.callable(graph.predict)({"image": images})
        run = session._session.run(dict(graph.predict.fetches), {graph.features["image"]: images})
    np.testing.assert_array_equal(called["outputs"], run["outputs"])


def test_the_session_is_closed_behind_the_block(compose):
    config = compose("task=forward", "model=mlp")
    with open_experiment(config) as (graph, session):
        pass
    with pytest.raises(StepError) as caught:
        session.callable(graph.predict)
    assert str(caught.value) == ("step 'predict': CancelledError: Session has been closed.")
    assert isinstance(caught.value.__cause__, tf.errors.CancelledError)
