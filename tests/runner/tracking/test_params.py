"""The configuration as MLflow's params."""

from runner.tracking.params import flatten_params


def test_options_that_keep_tensorflows_default_are_left_out(compose):
    params = flatten_params(compose("session=debug"), {})
    session = {path: value for path, value in params.items() if path.startswith("session.")}
    assert session == {
        "session.device": "null",
        "session.deterministic_ops": "false",
        "session.tensorflow_log_level": "1",
        "session.intra_op_parallelism_threads": "1",
        "session.inter_op_parallelism_threads": "-1",
        "session.allow_soft_placement": "true",
        "session.log_device_placement": "true",
        "session.graph_options.optimizer_options.opt_level": "L0",
        "session.graph_options.optimizer_options.global_jit_level": "OFF",
        "session.graph_options.rewrite_options.disable_meta_optimizer": "true",
    }
