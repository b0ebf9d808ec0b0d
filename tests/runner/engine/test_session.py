"""The Session: its configuration, its devices, and errors of its steps."""

import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.engine.errors import StepError
from runner.engine.graph import build_graph
from runner.engine.protos import build_config_proto
from runner.engine.session import open_session
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
    assert proto == tf.compat.v1.ConfigProto()


def test_virtual_devices_are_there_and_used(compose):
    config = compose(
        "task=forward", "model=mlp", "session.device_count.CPU=2", "session.device=/CPU:1"
    )
    with open_experiment(config) as (graph, session):
        assert session.devices == ("/CPU:0", "/CPU:1")
        _, trace = session.callable(graph.predict).trace(
            {"image": np.zeros((1, 8, 8, 1), np.float32)}, "forward", config.trace
        )
    assert "CPU:1" in {operation.device for operation in trace.operations}


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


def partition_of(session_config):
    """Returns the operations that are left of a small graph when TensorFlow runs it."""
    with tf.Graph().as_default() as graph:
        features = tf.compat.v1.placeholder(tf.float32, (8, 8))
        twice = tf.transpose(tf.transpose(features))
        outputs = tf.tanh(tf.exp(tf.matmul(twice, twice) + 1.0) * 2.0)
    metadata = tf.compat.v1.RunMetadata()
    with tf.compat.v1.Session(graph=graph, config=build_config_proto(session_config)) as session:
        session.run(
            outputs,
            {features: np.zeros((8, 8), np.float32)},
            tf.compat.v1.RunOptions(output_partition_graphs=True),
            metadata,
        )
    return sorted(node.op for part in metadata.partition_graphs for node in part.node)


@pytest.mark.parametrize(
    ("options", "is_compiled"),
    [
        (["global_jit_level=ON_1"], False),
        (["global_jit_level=ON_1", "cpu_global_jit=true"], True),
        (["global_jit_level=OFF", "cpu_global_jit=true"], True),
    ],
)
def test_xla_compiles_on_the_cpu_where_it_is_told_to(compose, options, is_compiled):
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU here")
    path = "session.graph_options.optimizer_options"
    config = compose("session=cpu", *(f"{path}.{option}" for option in options))
    assert ("_XlaRun" in partition_of(config.session)) == is_compiled


def test_a_toggle_does_nothing_where_the_graph_is_not_rewritten(compose):
    rewriter = "session.graph_options.rewrite_options"
    left_out = f"{rewriter}.arithmetic_optimization=OFF"
    off = f"{rewriter}.disable_meta_optimizer=true"
    rewritten, toggled = partition_of(compose().session), partition_of(compose(left_out).session)
    assert rewritten != toggled
    assert partition_of(compose(off).session) == partition_of(compose(off, left_out).session)


def test_options_of_servers_do_nothing_in_this_process(compose):
    config = compose(
        "session.device_filters=[/job:nowhere]",
        "session.cluster_def.job=[{name: worker, tasks: {0: 'nowhere.invalid:1'}}]",
        "session.rpc_options.compression_algorithm=deflate",
        "session.isolate_session_state=true",
        "session.share_cluster_devices_in_session=true",
    )
    assert partition_of(config.session) == partition_of(compose().session)


@pytest.mark.parametrize(("preset", "is_whole"), [("auto", False), ("debug", True)])
def test_each_operation_is_run_as_declared_for_debugging(compose, preset, is_whole):
    options = ["session.log_device_placement=false"]
    config = compose("task=forward", "model=cnn", f"session={preset}", *options)
    with open_experiment(config) as (graph, session):
        _, trace = session.callable(graph.predict).trace(
            {"image": np.zeros((1, 8, 8, 1), np.float32)}, "forward", config.trace
        )
    run = {operation.name for operation in trace.operations}
    declared = {
        operation.name
        for operation in graph.graph.get_operations()
        if operation.name.split("/")[0] in config.model.layers and operation.type != "Const"
    }
    left_out = {graph.graph.get_operation_by_name(name).type for name in declared - run}
    # oneDNN runs a convolution and its bias as one, which no option of the Session changes.
    assert (left_out <= {"Conv2D"}) == is_whole


def test_a_call_without_threads_gives_what_one_thread_gives(compose):
    images = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    outputs = []
    for options in (["session=low_latency"], ["session.intra_op_parallelism_threads=1"]):
        with open_experiment(compose("task=forward", "model=mlp", *options)) as (graph, session):
            outputs.append(session.callable(graph.predict)({"image": images})["outputs"])
    np.testing.assert_array_equal(*outputs)


def test_an_error_of_a_step_names_the_step_and_keeps_its_cause(compose):
    config = compose("model=mlp", "model.layers.logits.units=1", "model.loss.label=parity")
    with open_experiment(config) as (graph, session):
        train = session.callable(graph.training.train)
        arrays = {"image": np.zeros((1, 8, 8, 1), np.float32), "digit": np.array([9])}
        arrays["parity"] = arrays["digit"]
        with pytest.raises(StepError) as caught:
            train(arrays)
    assert str(caught.value) == (
        "step 'train': InvalidArgumentError: Received a label value of 9 which is outside the "
        "valid range of [0, 1).  Label values: 9"
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
