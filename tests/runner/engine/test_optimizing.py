"""What an optimizer is declared to do, over 50 steps, beside eager Keras told so in Python."""

import keras
import numpy as np
import pytest

from tests.datasets import load_dataset
from tests.opening import open_experiment

STEPS = 50
SMALL = ["model=mlp", "~model.layers.dense2", "model.layers.dense1.units=16"]
schedules = keras.optimizers.schedules

DECLARED = {
    "Adadelta": ("{type: Adadelta, learning_rate: 1.0}", keras.optimizers.Adadelta(1.0)),
    "Adafactor": ("{type: Adafactor, learning_rate: 0.01}", keras.optimizers.Adafactor(0.01)),
    "Adagrad": ("{type: Adagrad, learning_rate: 0.05}", keras.optimizers.Adagrad(0.05)),
    "Adam": ("{type: Adam}", keras.optimizers.Adam()),
    "Adam, amsgrad": ("{type: Adam, amsgrad: true}", keras.optimizers.Adam(amsgrad=True)),
    "AdamW": ("{type: AdamW, weight_decay: 0.1}", keras.optimizers.AdamW(weight_decay=0.1)),
    "Adamax": ("{type: Adamax}", keras.optimizers.Adamax()),
    "Ftrl": ("{type: Ftrl, learning_rate: 0.05}", keras.optimizers.Ftrl(0.05)),
    "Lamb": ("{type: Lamb}", keras.optimizers.Lamb()),
    "Lion": ("{type: Lion, learning_rate: 0.0001}", keras.optimizers.Lion(0.0001)),
    "LossScaleOptimizer": (
        "{type: LossScaleOptimizer, inner_optimizer: {type: SGD}, initial_scale: 16.0, "
        "dynamic_growth_steps: 10}",
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(), initial_scale=16.0, dynamic_growth_steps=10
        ),
    ),
    "Muon": ("{type: Muon, learning_rate: 0.001}", keras.optimizers.Muon(0.001)),
    "Nadam": ("{type: Nadam}", keras.optimizers.Nadam()),
    "RMSprop": (
        "{type: RMSprop, momentum: 0.5, centered: true}",
        keras.optimizers.RMSprop(momentum=0.5, centered=True),
    ),
    "SGD": ("{type: SGD, momentum: 0.9}", keras.optimizers.SGD(momentum=0.9)),
    "ScheduleFreeAdamW": ("{type: ScheduleFreeAdamW}", keras.optimizers.ScheduleFreeAdamW()),
    "clipnorm": ("{type: SGD, clipnorm: 0.1}", keras.optimizers.SGD(clipnorm=0.1)),
    "clipvalue": ("{type: SGD, clipvalue: 0.01}", keras.optimizers.SGD(clipvalue=0.01)),
    "global_clipnorm": (
        "{type: Adam, global_clipnorm: 0.1}",
        keras.optimizers.Adam(global_clipnorm=0.1),
    ),
    "weight_decay": (
        "{type: SGD, weight_decay: 0.05}",
        keras.optimizers.SGD(weight_decay=0.05),
    ),
    "accumulation": (
        "{type: Adam, gradient_accumulation_steps: 4}",
        keras.optimizers.Adam(gradient_accumulation_steps=4),
    ),
    "EMA": (
        "{type: Adam, use_ema: true, ema_momentum: 0.9, ema_overwrite_frequency: 7}",
        keras.optimizers.Adam(use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=7),
    ),
    "warm-up, then cosine": (
        "{type: SGD, learning_rate: {type: CosineDecay, initial_learning_rate: 0.0, "
        "warmup_target: 0.1, warmup_steps: 10, decay_steps: 30}}",
        keras.optimizers.SGD(schedules.CosineDecay(0.0, 30, warmup_target=0.1, warmup_steps=10)),
    ),
    "cosine with restarts": (
        "{type: SGD, learning_rate: {type: CosineDecayRestarts, initial_learning_rate: 0.1, "
        "first_decay_steps: 8}}",
        keras.optimizers.SGD(schedules.CosineDecayRestarts(0.1, 8)),
    ),
    "exponential": (
        "{type: SGD, learning_rate: {type: ExponentialDecay, initial_learning_rate: 0.1, "
        "decay_steps: 10, decay_rate: 0.5, staircase: true}}",
        keras.optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True)),
    ),
    "inverse time": (
        "{type: SGD, learning_rate: {type: InverseTimeDecay, initial_learning_rate: 0.1, "
        "decay_steps: 5, decay_rate: 0.5}}",
        keras.optimizers.SGD(schedules.InverseTimeDecay(0.1, 5, 0.5)),
    ),
    "piecewise": (
        "{type: SGD, learning_rate: {type: PiecewiseConstantDecay, boundaries: [10, 30], "
        "values: [0.1, 0.05, 0.01]}}",
        keras.optimizers.SGD(schedules.PiecewiseConstantDecay([10, 30], [0.1, 0.05, 0.01])),
    ),
    "polynomial": (
        "{type: SGD, learning_rate: {type: PolynomialDecay, initial_learning_rate: 0.1, "
        "decay_steps: 20, power: 2.0, cycle: true}}",
        keras.optimizers.SGD(schedules.PolynomialDecay(0.1, 20, power=2.0, cycle=True)),
    ),
}


def test_every_optimizer_and_schedule_of_keras_is_compared():
    bases = {"Optimizer", "OptimizerMap", "MultiOptimizer", "LearningRateSchedule"}
    names = {name for name in dir(keras.optimizers) if name[0].isupper()} | {
        name for name in dir(schedules) if name[0].isupper()
    }
    declared = " ".join(text for text, _ in DECLARED.values())
    assert {name for name in names - bases if f"type: {name}" not in declared} == set()


@pytest.fixture(scope="module")
def batches(compose):
    config = compose(*SMALL)
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    order = np.random.default_rng(7).integers(0, len(train), (STEPS, 32))
    return [(train.features["image"][rows], train.labels["digit"][rows]) for rows in order]


@pytest.mark.parametrize(("declared", "optimizer"), DECLARED.values(), ids=DECLARED)
def test_fifty_steps_are_those_of_eager_keras(compose, batches, declared, optimizer):
    # In the place of Adam's own keys, so that none of them remains.
    config = compose(*SMALL, "plan.fused_kernels=false")
    config.optimizer = compose(*SMALL, f"+feeds.optimizer={declared}").feeds["optimizer"]
    with open_experiment(config) as (graph, session):
        weights = {weight.path: weight.value for weight in graph.model.keras_model.weights}
        initial = session.read(weights)
        train = session.callable(graph.training.train)
        losses = [train({"image": x, "digit": y})["batch_loss"] for x, y in batches]
        final = session.read(weights)

    eager = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    eager.set_weights(list(initial.values()))
    eager.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    wanted = [eager.train_on_batch(x, y) for x, y in batches]
    np.testing.assert_allclose(losses, wanted, rtol=1e-5, atol=1e-5)
    for (path, ours), theirs in zip(final.items(), eager.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=path)
    assert any(not np.array_equal(initial[path], final[path]) for path in final)
