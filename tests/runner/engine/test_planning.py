"""What is measured, what is chosen, and what is remembered of it."""

import json

import numpy as np
import pytest

from runner.engine import planning
from runner.engine.feeders import ArrayFeeder
from runner.engine.measurements import Cost, Measured, describe_run, recall, remember
from runner.engine.planning import choose_plan
from runner.engine.plans import TrainingPlans
from tests.datasets import load_dataset
from tests.opening import open_experiment

LONG = 10**9
SECONDS = {"step": 1e-3, "loop": 5e-4, "loop, 1 thread": 2e-4, "loop, XLA": 3e-4}


@pytest.fixture
def configure(compose, tmp_path):
    file = tmp_path / "plans.json"
    return lambda *overrides: compose(
        "model=mlp", "plan.name=auto", f"plan.measurements={file}", *overrides
    )


@pytest.fixture
def times(monkeypatch):
    """Has plans take the seconds of SECONDS, 1 s where they are not in it."""

    def measure(planner, choice):
        measured.append(str(choice))
        real(planner, choice)
        return Cost(0.1, SECONDS.get(str(choice), 1.0))

    measured = []
    real = planning._Planner._measure
    monkeypatch.setattr(planning._Planner, "_measure", measure)
    return measured


def choose(config, steps):
    """Returns what was chosen, whether the variables are as before, and how many threads run."""
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    arrays = {**train.features, **train.labels}
    with open_experiment(config) as (graph, session):
        before = [value.copy() for _, value in session.save()]
        plans = TrainingPlans(
            graph, graph.training, ArrayFeeder(arrays), config.data.batch_size, None
        )
        plan, result = choose_plan(config, session, plans, steps)
        after = [value.copy() for _, value in session.save()]
        is_same = all(map(np.array_equal, before, after))
        plan.take(np.arange(64), 0, 64)
        changed = not all(map(np.array_equal, after, [value for _, value in session.save()]))
        return result, is_same, changed, session.threads


def test_the_fastest_is_chosen_and_measuring_leaves_no_trace(configure, times):
    result, is_same, changed, threads = choose(configure(), LONG)
    assert result.plan == "loop, 1 thread"
    assert {**result.measured}.items() >= {"step": 1000.0, "loop, 1 thread": 200.0}.items()
    assert (is_same, changed, threads) == (True, True, 1)
    assert times == [
        "step",
        "loop",
        "loop, 1 thread",
        "loop, XLA",
        "pipeline, 1 thread",
    ]


def test_what_was_measured_is_remembered_for_the_same_run_alone(configure, times):
    choose(configure(), LONG)
    times.clear()
    result, is_same, changed, threads = choose(configure("optimizer.learning_rate=0.5"), LONG)
    assert (times, result.plan) == ([], "loop, 1 thread")
    assert (is_same, changed, threads) == (True, True, 1)
    choose(configure("data.batch_size=16"), LONG)
    assert times


def test_a_short_run_measures_nothing(configure, times):
    result, *_ = choose(configure(), 3)
    assert (result.plan, times) == ("step", [])


def test_what_takes_longer_to_measure_than_it_saves_is_passed_over(configure, times):
    result, *_ = choose(configure(), 300)
    assert times == ["step"]
    assert result.plan == "step"
    assert "too short" in result.passed_over["loop"]


def test_threads_that_are_configured_stay(configure, times):
    result, *_, threads = choose(configure("session.intra_op_parallelism_threads=2"), LONG)
    assert all("1 thread" not in name for name in times)
    assert threads == 2
    assert result.plan == "step, 2 threads"


@pytest.mark.parametrize("is_compiled", [True, False])
def test_xla_is_as_configured(configure, times, is_compiled):
    choose(configure(f"plan.jit_compile={is_compiled}"), LONG)
    assert {"XLA" in name for name in times} == {is_compiled}


def test_a_plan_that_cannot_run_is_passed_over_with_its_reason(configure):
    config = configure("data.batch_size=2000")
    result, *_ = choose(config, LONG)
    assert "fewer than 2000 examples" in result.passed_over["loop"]
    assert result.plan.startswith("step")
    again, *_ = choose(config, LONG)
    assert again.passed_over["loop"] == result.passed_over["loop"]


def test_a_file_that_cannot_be_read_is_told_of_and_replaced(tmp_path, caplog):
    file = tmp_path / "plans.json"
    file.write_text("{", encoding="utf-8")
    assert recall(file, "run") == Measured()
    assert "cannot be read, so plans are measured" in caplog.text
    measured = Measured({"step": Cost(1.0, 2.0)}, {"loop": "why not"})
    remember(file, "run", measured)
    assert recall(file, "run") == measured


def test_the_oldest_is_forgotten(tmp_path):
    file = tmp_path / "plans.json"
    for index in range(502):
        remember(file, f"run{index}", Measured())
    assert list(json.loads(file.read_text())) == [f"run{index}" for index in range(2, 502)]


def test_a_run_is_known_by_what_its_speed_depends_on(compose):
    arrays = {"image": np.zeros((4, 8, 8, 1), np.float32)}

    def key(*overrides, examples=arrays, devices=("/CPU:0",)):
        return describe_run(compose("model=mlp", *overrides), examples, devices)

    same = key()
    assert key("optimizer.learning_rate=0.5", "seed=3") == same
    others = [
        key("model.layers.dense1.units=3"),
        key("data.batch_size=3"),
        key("optimizer=sgd"),
        key("session.inter_op_parallelism_threads=1"),
        key("plan.fused_kernels=false"),
        key(devices=("/CPU:0", "/GPU:0")),
        key(examples={"image": np.zeros((5, 8, 8, 1), np.float32)}),
    ]
    assert len({same, *others}) == 8
