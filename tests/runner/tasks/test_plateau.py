"""When the learning rate is reduced: beside Keras's own ReduceLROnPlateau."""

import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.results import LearningRateResult, StepsResult
from runner.tasks.plateau import Plateau
from runner.validation import validate
from tests.runner.tasks.test_stopping import SMALL, of, run

# Keras reads the learning rate so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Rate:
    """A learning rate as the variable of an optimizer holds it."""

    def __init__(self):
        self.value = np.float32(0.1)

    def read(self):
        return float(self.value)

    def assign(self, value):
        self.value = np.float32(value)


def rates_of_keras(values, **options):
    """Returns the learning rate after each value."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    callback = keras.callbacks.ReduceLROnPlateau("value", **options)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for index, value in enumerate(values):
        callback.on_epoch_end(index, {"value": value})
        rates.append(float(model.optimizer.learning_rate))
    return rates


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "options",
    [
        {"patience": 0},
        {"patience": 1, "factor": 0.5},
        {"patience": 2, "cooldown": 3},
        {"patience": 2, "min_delta": 0.055, "factor": 0.3},
        {"patience": 1, "min_lr": 0.003},
        {"patience": 1, "cooldown": 1, "min_lr": 0.02, "factor": 0.5},
    ],
)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_it_reduces_where_keras_does(compose, mode, options, seed):
    values = np.round(np.random.default_rng(seed).random(40), 2).tolist()
    named = {"min_lr": "min_learning_rate"}
    declared = [f"task.plateau.{named.get(key, key)}={value}" for key, value in options.items()]
    config = compose(f"task.plateau.mode={mode}", *declared).task.plateau
    rate, rates = Rate(), []
    plateau = Plateau(config, {}, rate.read, rate.assign)
    for value in values:
        before = rate.value
        reduced = plateau.look("validation", {"loss": value})
        assert (reduced is not None) == (rate.value != before)
        assert plateau.look("train", {"loss": value}) is None
        rates.append(float(rate.value))
    np.testing.assert_allclose(rates, rates_of_keras(values, mode=mode, **options), rtol=1e-6)
    assert rates[-1] < 0.1


@pytest.mark.parametrize("plan", ["step", "loop"])
def test_each_step_can_be_looked_at(compose, plan):
    looks = ["task.plateau.monitor=step/loss", "task.plateau.patience=1"]
    slow = ["task.plateau.min_delta=100", "task.plateau.min_learning_rate=0.00002"]
    config = compose(*SMALL, f"plan.name={plan}", "task.epochs=1", *looks, *slow)
    results = list(run(config))
    reduced = [(one.step, one.value) for one in of(LearningRateResult, results) if one.is_reduced]
    assert [step for step, _ in reduced] == [2, 3]
    np.testing.assert_allclose([value for _, value in reduced], [1e-4, 2e-5], rtol=1e-5)
    assert all(len(call.losses) == 1 for call in of(StepsResult, results))


def test_the_rate_of_a_schedule_is_that_of_its_step(compose):
    schedule = "{type: CosineDecay, initial_learning_rate: 0.1, decay_steps: 60}"
    results = run(compose(*SMALL, "task.epochs=3", f"optimizer.learning_rate={schedule}"))
    rates = {one.step: one.value for one in of(LearningRateResult, results)}
    wanted = keras.optimizers.schedules.CosineDecay(0.1, 60)
    assert list(rates) == [20, 40, 60]
    np.testing.assert_allclose(
        list(rates.values()), [float(wanted(step)) for step in rates], rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["task.plateau.patience=1", "task.plateau.monitor=validation/los"],
            "task.plateau.monitor: expected what is measured in training; received "
            "'validation/los' (str). Did you mean 'validation/loss'?",
        ),
        (
            ["task.plateau.patience=1", "data.split.validation=0"],
            "task.plateau.monitor: expected something that is measured; data.split.validation is "
            "0; received 'validation/loss' (str). Set data.split.validation, or look at "
            "train/loss.",
        ),
        (
            ["task.plateau.factor=1.0"],
            "task.plateau.factor: expected a number above 0 and below 1; received 1.0 (float).",
        ),
        (
            ["task.plateau.cooldown=-1"],
            "task.plateau.cooldown: expected a number of 0 or more; received -1 (int).",
        ),
        (
            ["task.plateau.mode=up"],
            "task.plateau.mode: expected min, max or null; received 'up' (str).",
        ),
        (
            [
                "task.plateau.patience=1",
                "optimizer.learning_rate={type: CosineDecay, initial_learning_rate: 0.1, "
                "decay_steps: 60}",
            ],
            "task.plateau.patience: expected null, since optimizer.learning_rate is a schedule; "
            "received 1 (int).",
        ),
    ],
)
def test_what_cannot_be_reduced_by_is_refused(compose, overrides, message):
    with pytest.raises(ConfigError) as caught:
        validate(compose(*overrides))
    assert str(caught.value) == message
