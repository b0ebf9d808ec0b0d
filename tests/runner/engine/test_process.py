"""What the first Session of a process decides for it, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.composition import PROJECT
from runner.engine import process
from runner.engine.process import open_process

ONCE = "has no effect: it is decided once in a process, which has run another Session."
PRELUDE = """
import json, os
from runner.engine.startup import import_tensorflow
import_tensorflow(3)
import numpy as np
import tensorflow as tf
from runner.composition import compose_config
from runner.engine.graph import build_graph
from runner.engine.process import open_process
from runner.engine.session import open_session

def configure(*options):
    return compose_config(["tracking=off", "model=mlp", *options])

def session_of(**threads):
    names = {"intra": "intra_op_parallelism_threads", "inter": "inter_op_parallelism_threads"}
    options = [f"session.{names.get(name, name)}={value}" for name, value in threads.items()]
    return configure("task=forward", *options)

def open_all(config):
    warnings = [str(problem) for problem in open_process(config.session)]
    graph = build_graph(config)
    with open_session(graph, config.session):
        return warnings, count_threads()

def count_threads():
    return len(os.listdir("/proc/self/task"))

def tell(*values):
    print(json.dumps(values))
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="threads are counted by /proc"
)


def told_by(code):
    """Returns what `code` tells, run after the prelude in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", PRELUDE + code],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
    )
    return json.loads(finished.stdout.splitlines()[-1])


@needs_proc
@pytest.mark.integration
def test_threads_between_operations_are_those_of_the_first_session():
    first, second, third, fourth = told_by(
        "tell(open_all(session_of(intra=3, inter=5)), open_all(session_of(intra=7, inter=6)),"
        " open_all(session_of(intra=3, inter=5)), open_all(session_of(intra=3, inter=-1)))"
    )
    assert first[0] == third[0] == fourth[0] == []
    assert second[0] == [f"session.inter_op_parallelism_threads: {ONCE}"]
    assert first[1] == third[1] == second[1] - 4
    assert fourth[1] == first[1]


@needs_proc
@pytest.mark.integration
def test_per_session_threads_are_also_those_between_operations():
    first, second = told_by(
        "tell(open_all(session_of(intra=3, inter=5)),"
        " open_all(session_of(intra=7, inter=6, use_per_session_threads='true')))"
    )
    assert second[0] == []
    assert second[1] == first[1] + 4 + 6


@needs_proc
@pytest.mark.integration
def test_threads_are_as_configured_also_where_building_runs_eagerly():
    """To trace training opens the eager side, whose threads would be those of the Session."""
    counts = [
        told_by(
            f"config = configure('task=train', 'session.intra_op_parallelism_threads={threads}')\n"
            "tell(open_all(config)[1])"
        )[0]
        for threads in (2, 6)
    ]
    # Those of the Session, and as many of the eager side.
    assert counts[1] - counts[0] == 2 * 4


@needs_proc
@pytest.mark.integration
def test_a_process_that_was_used_before_is_told_of():
    (warnings,) = told_by(
        "tf.constant(1) + 1\ntell(open_all(session_of(intra=3, **{'device_count.CPU': 2}))[0])"
    )
    assert warnings == []


@pytest.mark.integration
def test_the_eager_side_is_set_in_accord():
    threads, cpus, is_soft = told_by(
        "open_all(configure('session.device_count.CPU=2', 'session.device=/CPU:1',\n"
        "    'session.intra_op_parallelism_threads=3', 'session.inter_op_parallelism_threads=4',\n"
        "    'session.allow_soft_placement=false'))\n"
        "threads = tf.config.threading\n"
        "tell([threads.get_intra_op_parallelism_threads(),\n"
        "      threads.get_inter_op_parallelism_threads()],\n"
        "     len(tf.config.list_logical_devices('CPU')), tf.config.get_soft_device_placement())"
    )
    assert (threads, cpus, is_soft) == ([3, 4], 2, False)


@pytest.mark.integration
def test_determinism_and_the_log_level_stay_for_the_process():
    told = told_by(
        "from tensorflow.python.framework.config import is_op_determinism_enabled as is_on\n"
        "auto = configure('session.intra_op_parallelism_threads=1',"
        " 'session.tensorflow_log_level=0')\n"
        "deterministic = configure('session=deterministic')\n"
        "for config in (deterministic, deterministic, auto):\n"
        "    warnings = [str(problem) for problem in open_process(config.session)]\n"
        "tell(is_on(), *warnings)"
    )
    assert told == [
        True,
        f"session.tensorflow_log_level: {ONCE}",
        f"session.deterministic_ops: {ONCE}",
    ]


@pytest.mark.integration
@pytest.mark.slow
def test_deterministic_bits_are_the_same_on_any_number_of_cores():
    code = """
import hashlib
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])
config = configure("model=cnn", "session=deterministic")
open_process(config.session)
graph = build_graph(config)
rng = np.random.default_rng(0)
feeds = {{"image": rng.random((32, 8, 8, 1), np.float32), "digit": rng.integers(0, 10, 32)}}
with open_session(graph, config.session) as session:
    train = session.callable(graph.training.train)
    for _ in range(5):
        train(feeds)
    weights = session.read({{v.path: v.value for v in graph.model.keras_model.variables}})
tell(hashlib.sha256(b"".join(value.tobytes() for value in weights.values())).hexdigest())
"""
    told = [told_by(code.format(cores=cores)) for cores in (1, 2)]
    assert told[0] == told[1]


class Recorder:
    """Stands for ``tf.config`` with GPUs, and notes what is asked of it."""

    def __init__(self, gpus, refused=()):
        self.calls = []
        self._gpus, self._refused = gpus, refused
        self.threading = self.experimental = self

    def list_physical_devices(self, kind):
        return {"GPU": self._gpus, "CPU": ["cpu"]}[kind]

    def LogicalDeviceConfiguration(self, memory_limit=None):  # noqa: N802
        return memory_limit

    def __getattr__(self, name):
        def note(*values):
            if name in self._refused:
                raise RuntimeError("cannot be modified after being initialized")
            self.calls.append((name, *values))

        return note


@pytest.fixture
def opened(compose, monkeypatch):
    """Opens the process on a recorder, and returns what it was asked and what was warned of."""

    def opened(*options, gpus=("gpu0", "gpu1"), refused=()):
        recorder = Recorder(list(gpus), refused)

        class Session(tf.compat.v1.Session):
            def __init__(self, *, graph, config):
                recorder.calls.append(("Session",))
                super().__init__(graph=graph)

        v1 = SimpleNamespace(Session=Session)
        monkeypatch.setattr(
            process,
            "tf",
            SimpleNamespace(config=recorder, compat=SimpleNamespace(v1=v1), Graph=tf.Graph),
        )
        monkeypatch.setattr(process, "_decided", {})
        warnings = open_process(compose(*(f"session.{option}" for option in options)).session)
        calls = [call for call in recorder.calls if "threads" not in call[0]]
        assert calls.pop() == ("Session",)
        assert calls.pop(0) == ("set_soft_device_placement", True)
        return calls, [str(problem) for problem in warnings]

    return opened


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ([], [("set_visible_devices", ["gpu0", "gpu1"], "GPU")]),
        (["device_count={GPU: 0}"], [("set_visible_devices", [], "GPU")]),
        (["device_count={GPU: 1}"], [("set_visible_devices", ["gpu0"], "GPU")]),
        (
            ["gpu_options.visible_device_list='1'", "gpu_options.allow_growth=true"],
            [("set_visible_devices", ["gpu1"], "GPU"), ("set_memory_growth", "gpu1", True)],
        ),
        (
            ["gpu_options.experimental.virtual_devices=[{memory_limit_mb: [64, 32]}, {}]"],
            [
                ("set_visible_devices", ["gpu0", "gpu1"], "GPU"),
                ("set_logical_device_configuration", "gpu0", [64, 32]),
                ("set_logical_device_configuration", "gpu1", []),
            ],
        ),
    ],
)
def test_the_eager_side_has_the_gpus_of_the_session_before_it_opens(opened, options, calls):
    assert opened(*options) == (calls, [])


@pytest.mark.parametrize(
    ("options", "refused", "path"),
    [
        (["device_count={GPU: 0}"], "set_visible_devices", "device_count.GPU"),
        (
            ["gpu_options.visible_device_list='1'"],
            "set_visible_devices",
            "gpu_options.visible_device_list",
        ),
        (["gpu_options.allow_growth=true"], "set_memory_growth", "gpu_options.allow_growth"),
        (
            ["gpu_options.experimental.virtual_devices=[{memory_limit_mb: [64]}]"],
            "set_logical_device_configuration",
            "gpu_options.experimental.virtual_devices",
        ),
    ],
)
def test_gpus_that_are_open_already_are_told_of(opened, options, refused, path):
    _, warnings = opened(*options, refused=[refused])
    assert warnings == [f"session.{path}: {ONCE}"]


def test_a_gpu_id_that_is_not_there_is_refused(opened):
    with pytest.raises(ConfigError) as caught:
        opened("gpu_options.visible_device_list='0,2'")
    assert str(caught.value) == (
        "session.gpu_options.visible_device_list: expected ids below 2, of the GPUs; received "
        "'0,2' (str)."
    )
