"""Which options of the Session are said to have no effect, and why."""

import pytest

from runner.session_options import find_idle_options

OPTIMIZER = "graph_options.optimizer_options"
REWRITER = "graph_options.rewrite_options"
POOLS = "session_inter_op_thread_pool=[{num_threads: 2}]"
OWN_POOL = "session.session_inter_op_thread_pool says which threads to use"
NO_GPU = "no GPU is visible"
ON_SERVER = "the Session is in this process, not on a server"


def idle(compose, *options, gpus=0):
    session = compose(*(f"session.{option}" for option in options)).session
    return [str(problem) for problem in find_idle_options(session, gpus)]


@pytest.mark.parametrize(
    ("options", "path", "reason"),
    [
        (["gpu_options.allow_growth=true"], "gpu_options.allow_growth", NO_GPU),
        (
            ["gpu_options.experimental.use_cuda_malloc_async=true"],
            "gpu_options.experimental.use_cuda_malloc_async",
            NO_GPU,
        ),
        (
            [f"{OPTIMIZER}.global_jit_level=ON_1"],
            f"{OPTIMIZER}.global_jit_level",
            f"there is no GPU, and session.{OPTIMIZER}.cpu_global_jit is not true",
        ),
        (
            [f"{OPTIMIZER}.global_jit_level=OFF", f"{OPTIMIZER}.cpu_global_jit=true"],
            f"{OPTIMIZER}.global_jit_level",
            f"session.{OPTIMIZER}.cpu_global_jit compiles at any level",
        ),
        (
            [f"{REWRITER}.disable_meta_optimizer=true", f"{REWRITER}.constant_folding=OFF"],
            f"{REWRITER}.constant_folding",
            f"session.{REWRITER}.disable_meta_optimizer is true",
        ),
        ([POOLS, "use_per_session_threads=true"], "use_per_session_threads", OWN_POOL),
        ([POOLS, "inter_op_parallelism_threads=3"], "inter_op_parallelism_threads", OWN_POOL),
        (
            ["session_inter_op_thread_pool=[{num_threads: 2}, {num_threads: 3}]"],
            "session_inter_op_thread_pool[1]",
            "every step runs in the first pool",
        ),
        (["device_filters=[/job:worker]"], "device_filters", ON_SERVER),
        (["rpc_options.compression_level=2"], "rpc_options.compression_level", ON_SERVER),
        (["cluster_def.job=[{name: worker}]"], "cluster_def.job", ON_SERVER),
        (["isolate_session_state=true"], "isolate_session_state", ON_SERVER),
        (["share_cluster_devices_in_session=true"], "share_cluster_devices_in_session", ON_SERVER),
    ],
)
def test_an_option_without_effect_is_told_with_the_reason(compose, options, path, reason):
    assert idle(compose, *options) == [f"session.{path}: has no effect: {reason}."]


@pytest.mark.parametrize(
    "options",
    [
        [],
        [f"{OPTIMIZER}.global_jit_level=OFF"],
        [f"{OPTIMIZER}.global_jit_level=ON_1", f"{OPTIMIZER}.cpu_global_jit=true"],
        [f"{REWRITER}.constant_folding=OFF"],
        ["session_inter_op_thread_pool=[{}]", "inter_op_parallelism_threads=3"],
    ],
)
def test_an_option_with_effect_is_not_told_of(compose, options):
    assert idle(compose, *options) == []


def test_a_gpu_gives_its_options_an_effect(compose):
    options = ["gpu_options.allow_growth=true", f"{OPTIMIZER}.global_jit_level=ON_1"]
    assert idle(compose, *options, gpus=1) == []
    assert idle(compose, *options, "device_count={GPU: 0}", gpus=1) == [
        "session.gpu_options.allow_growth: has no effect: session.device_count.GPU is 0.",
        f"session.{OPTIMIZER}.global_jit_level: has no effect: there is no GPU, and "
        f"session.{OPTIMIZER}.cpu_global_jit is not true.",
    ]


def test_the_environment_may_turn_xla_on_for_the_cpu(compose, monkeypatch):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_cpu_global_jit")
    assert idle(compose, f"{OPTIMIZER}.global_jit_level=ON_1") == []


@pytest.mark.parametrize("preset", ["auto", "cpu", "low_latency", "deterministic", "debug"])
def test_a_preset_says_nothing_without_effect(compose, preset):
    session = compose(f"session={preset}").session
    assert list(find_idle_options(session, gpus=0)) == []
