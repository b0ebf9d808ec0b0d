"""When training ends, and which weights remain: beside Keras's own EarlyStopping."""

import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.examples import Dataset
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.experiment import _fit_splits
from runner.results import (
    CheckpointResult,
    FetchResult,
    SplitResult,
    StepsResult,
    StopResult,
    WeightsResult,
)
from runner.tasks.stopping import Stopper
from runner.tasks.train import train
from runner.validation import validate
from tests.datasets import load_dataset

SMALL = ["model=mlp", "trace.steps=[]", "data.batch_size=64", "task.examples=4"]


def run(config):
    validate(config)
    graph = build_graph(config)
    loaded = load_dataset(config.data, config.model.inputs, config.seed)
    dataset = Dataset(**_fit_splits(vars(loaded), graph))
    with open_session(graph, config.session) as session:
        yield from train(config, config.task, graph, session, dataset)


def of(kind, results):
    return [result for result in results if isinstance(result, kind)]


def stopped_by_keras(values, *, mode, patience, min_delta):
    """Returns after how many values Keras stops, and whose weights it takes back."""
    layer = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((1,)), layer])
    callback = keras.callbacks.EarlyStopping(
        "value", min_delta=min_delta, patience=patience, mode=mode, restore_best_weights=True
    )
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    for index, value in enumerate(values):
        layer.bias.assign([index])
        callback.on_epoch_end(index, {"value": value})
        if model.stop_training:
            callback.on_train_end()
            return index + 1, int(layer.bias.numpy()[0]) + 1
    return None, callback.best_epoch + 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("patience", "min_delta"), [(0, 0.0), (1, 0.0), (3, 0.05), (5, 0.0)])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_stops_where_keras_does(compose, mode, patience, min_delta, seed):
    values = np.round(np.random.default_rng(seed).random(30), 2).tolist()
    config = compose(
        f"task.stop.mode={mode}",
        f"task.stop.patience={patience}",
        f"task.stop.min_delta={min_delta}",
    ).task.stop
    look = 0
    stopper = Stopper(config, {}, lambda: {"look": np.array(look)})
    for look, value in enumerate(values, 1):
        stopper.look("validation", {"loss": value}, look)
        if stopper.reason:
            break
    keras_stops, best = stopped_by_keras(values, mode=mode, patience=patience, min_delta=min_delta)
    assert (look if stopper.reason else None) == keras_stops
    assert stopper.best_weights["look"] == best
    assert stopper.result(look).best_step == best


@pytest.mark.parametrize(
    ("monitor", "spec", "is_reached"),
    [
        ("validation/accuracy", {"type": "SparseCategoricalAccuracy"}, [0.5, 0.91]),
        ("validation/off", {"type": "MeanSquaredError"}, [2.0, 0.9]),
        ("train/loss", {}, [2.0, 0.9]),
    ],
)
def test_a_target_is_reached_from_the_worse_side(compose, monitor, spec, is_reached):
    split, name = monitor.split("/")
    config = compose(f"task.stop.monitor={monitor}", "task.stop.target=0.9").task.stop
    stopper = Stopper(config, {name: spec}, dict)
    for step, value in enumerate(is_reached, 1):
        assert not stopper.reason
        stopper.look(split, {name: value}, step)
    assert stopper.reason == f"task.stop.target: {monitor} is {is_reached[-1]:.4g} after step 2"


@pytest.mark.parametrize("mode", ["min", "max"])
def test_what_is_no_number_reaches_no_target_and_betters_nothing(compose, mode):
    stops = ["task.stop.target=0.9", "task.stop.patience=2", f"task.stop.mode={mode}"]
    stopper = Stopper(compose(*stops).task.stop, {}, dict)
    stopper.look("validation", {"loss": float("nan")}, 10)
    assert not stopper.reason
    stopper.look("validation", {"loss": float("nan")}, 20)
    assert stopper.reason == (
        "task.stop.patience: validation/loss is not a number, in 2 looks up to step 20"
    )
    assert stopper.best_weights is None


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_target_is_reached_where_it_is_met(compose, mode):
    config = compose("task.stop.target=0.5", f"task.stop.mode={mode}").task.stop
    stopper = Stopper(config, {}, dict)
    stopper.look("validation", {"loss": 0.5}, 1)
    assert stopper.reason == "task.stop.target: validation/loss is 0.5 after step 1"


def test_training_ends_after_so_many_steps(compose):
    results = list(run(compose(*SMALL, "task.stop.steps=25", "task.epochs=3")))
    assert of(StepsResult, results)[-1].last_step == 25
    assert of(StopResult, results) == [StopResult(25, "task.stop.steps: 25 steps were taken", None)]
    splits = [(split.split, split.step) for split in of(SplitResult, results)]
    assert splits == [
        ("train", 20), ("validation", 20), ("train", 25), ("validation", 25), ("test", 25)
    ]  # fmt: skip


def test_training_ends_when_its_minutes_have_passed(compose):
    results = list(run(compose(*SMALL, "task.stop.minutes=0.005", "task.epochs=100000")))
    (stop,) = of(StopResult, results)
    assert stop.reason.startswith("task.stop.minutes: 0.005 min passed by step ")


@pytest.mark.parametrize("plan", ["step", "pipeline", "loop"])
def test_a_step_is_looked_at_before_the_next_is_taken(compose, plan):
    overrides = [*SMALL, f"plan.name={plan}", "task.epochs=5"]
    losses = np.concatenate([result.losses for result in of(StepsResult, run(compose(*overrides)))])
    target = float(np.sort(losses)[-20])
    first = int(np.argmax(losses <= target)) + 1
    stopping = ["task.stop.monitor=step/loss", f"task.stop.target={target}"]
    results = list(run(compose(*overrides, *stopping)))
    assert of(StopResult, results)[0].step == first
    taken = np.concatenate([result.losses for result in of(StepsResult, results)])
    np.testing.assert_array_equal(taken, losses[:first])


def test_the_best_weights_are_those_that_remain(compose):
    # At this rate the loss soon rises again.
    overrides = [*SMALL, "optimizer.learning_rate=0.3", "task.epochs=8", "debug.check_finite=false"]
    results = list(run(compose(*overrides, "task.stop.patience=2", "task.every.checkpoint=20")))
    checks = [split for split in of(SplitResult, results) if split.split == "validation"]
    best = min(checks, key=lambda split: split.metrics["loss"])
    (stop,) = of(StopResult, results)
    assert stop.best_step == best.step < stop.step
    (kept,) = [one for one in of(CheckpointResult, results) if one.step == best.step]
    (weights,) = of(WeightsResult, results)
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(array, kept.arrays[name])


@pytest.mark.parametrize("plan", ["step", "pipeline", "loop"])
def test_what_is_due_every_so_many_steps_changes_no_step(compose, plan):
    overrides = [*SMALL, f"plan.name={plan}", "task.epochs=2"]
    every = ["task.every.validate=7", "task.every.fetch=9", "task.every.checkpoint=13"]
    plain, results = list(run(compose(*overrides))), list(run(compose(*overrides, *every)))
    for one in (plain, results):
        assert sum(len(result.losses) for result in of(StepsResult, one)) == 40
    for first, second in zip(
        *(
            np.concatenate([result.losses for result in of(StepsResult, one)])
            for one in (plain, results)
        ),
        strict=True,
    ):
        assert first == second
    train = [
        [split.metrics for split in of(SplitResult, one) if split.split == "train"]
        for one in (plain, results)
    ]
    assert train[0] == train[1]
    steps = [split.step for split in of(SplitResult, results) if split.split == "validation"]
    assert steps == [7, 14, 21, 28, 35]
    fetched = [(one.name, one.step) for one in of(FetchResult, results)]
    assert fetched == [
        *((f"validation_step_{step}", step) for step in (9, 18, 27, 36)),
        ("test", None),
    ]
    assert [one.step for one in of(CheckpointResult, results)] == [13, 26, 39]


def test_a_checkpoint_holds_the_optimizer(compose):
    results = run(compose(*SMALL, "task.epochs=1", "task.every.checkpoint=20"))
    (kept,) = of(CheckpointResult, results)
    assert kept.arrays["optimizer.iteration"] == 20


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["task.stop.patience=1", "task.stop.monitor=validation/los"],
            "task.stop.monitor: expected what is measured in training; received 'validation/los' "
            "(str). Did you mean 'validation/loss'?",
        ),
        (
            ["task.stop.target=1", "data.split.validation=0"],
            "task.stop.monitor: expected something that is measured; data.split.validation is 0; "
            "received 'validation/loss' (str). Set data.split.validation, or look at train/loss.",
        ),
        (
            ["task.stop.steps=0"],
            "task.stop.steps: expected a number of 1 or more; received 0 (int).",
        ),
        (
            ["task.stop.mode=up"],
            "task.stop.mode: expected min, max or null; received 'up' (str).",
        ),
        (
            ["task.every.fetch=0"],
            "task.every.fetch: expected a number of 1 or more; received 0 (int).",
        ),
    ],
)
def test_what_cannot_be_stopped_by_is_refused(compose, overrides, message):
    with pytest.raises(ConfigError) as caught:
        validate(compose(*overrides))
    assert str(caught.value) == message
