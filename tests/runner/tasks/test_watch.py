"""Values that are not finite: planted faults are found in the right layer and step."""

import numpy as np
import pytest

from runner.data.examples import Dataset
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.feeds import read_feeds
from runner.results import CheckpointResult, LearningRateResult, SplitResult
from runner.tasks.forward import forward
from runner.tasks.train import train
from runner.tasks.watch import NotFiniteError
from runner.tracking.faults import save_fault
from runner.validation import validate
from tests.datasets import load_dataset

LAYERS = '''
import keras
from keras import ops


class Log(keras.layers.Layer):
    """The natural logarithm."""

    def call(self, inputs):
        return ops.log(inputs)


class Inverse(keras.layers.Layer):
    """One divided by each value."""

    def call(self, inputs):
        return 1.0 / inputs


class Root(keras.layers.Layer):
    """The square root, whose gradient at 0 is infinite."""

    def call(self, inputs):
        return ops.sqrt(inputs)


class Late(keras.layers.Layer):
    """Divides by how many calls of training are left."""

    def __init__(self, calls=3, **kwargs):
        super().__init__(**kwargs)
        self.calls = calls

    def build(self, input_shape):
        self.left = self.add_weight(
            name="left", shape=(), initializer=keras.initializers.Constant(self.calls),
            trainable=False,
        )

    def call(self, inputs, training=False):
        if training:
            self.left.assign(self.left - 1.0)
        return inputs / self.left
'''

MODEL = """
name: own
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  flatten: {type: Flatten}
  hidden: {type: Dense, units: 16, activation: relu}
  odd: {class: feedfetch_faults.%s}
  logits: {type: Dense, units: 10}
outputs: logits
loss: {type: SparseCategoricalCrossentropy, from_logits: true}
metrics: {}
"""


@pytest.fixture
def compose_odd(compose, tmp_path, monkeypatch):
    """Composes a model with a layer of the module above in it."""
    (tmp_path / "feedfetch_faults.py").write_text(LAYERS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "model").mkdir()

    def compose_odd(layer, *overrides):
        (tmp_path / "model" / "own.yaml").write_text(MODEL % layer, encoding="utf-8")
        return compose(
            f"hydra.searchpath=[file://{tmp_path}]",
            "model=own",
            "trusted_modules=[feedfetch_faults]",
            "task.epochs=2",
            *overrides,
        )

    return compose_odd


def fault_of(config, change=lambda dataset: dataset):
    """Returns the fault that training with `config` ends in."""
    validate(config)
    dataset = change(load_dataset(config.data, config.model.inputs, config.seed))
    graph = build_graph(config)
    with open_session(graph, config.session) as session, pytest.raises(NotFiniteError) as caught:
        list(train(config, config.task, graph, session, dataset))
    return caught.value.fault


def test_the_logarithm_of_zero(compose_odd):
    fault = fault_of(compose_odd("Log"))
    assert fault.name == "step_1"
    assert fault.message.startswith("step 1: model.layers.odd: Log gave ")
    assert "-inf)" in fault.message
    assert "What went in: hidden (32, 16), from 0 to " in fault.message


def test_a_division_by_zero(compose_odd):
    fault = fault_of(compose_odd("Inverse"))
    assert fault.message.startswith("step 1: model.layers.odd: Inverse gave ")
    assert " inf)" in fault.message


def test_a_gradient_of_which_no_value_tells(compose_odd):
    fault = fault_of(compose_odd("Root"))
    assert fault.name == "step_1"
    assert fault.message.startswith(
        "step 1: model.layers.odd: the gradient that Root gives hidden has "
    )


def test_steps_are_repeated_with_the_learning_rate_that_they_were_taken_with(compose_odd):
    plateau = ["task.plateau.patience=1", "task.plateau.min_delta=100", "task.plateau.factor=0.5"]
    every = ["task.every.validate=6", "task.every.checkpoint=49"]
    config = compose_odd("Late", "+model.layers.odd.calls=50", "optimizer=sgd", *plateau, *every)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    graph = build_graph(config)
    kept = []
    with open_session(graph, config.session) as session, pytest.raises(NotFiniteError) as caught:
        kept.extend(train(config, config.task, graph, session, dataset))
    assert caught.value.fault.name == "step_50"
    (checkpoint,) = [one for one in kept if isinstance(one, CheckpointResult)]
    rates = [one.step for one in kept if isinstance(one, LearningRateResult) and one.is_reduced]
    assert rates == [12, 18, 24, 30, 36, 42, 48]
    for name in ("hidden.kernel", "logits.kernel"):
        np.testing.assert_array_equal(caught.value.fault.arrays[name], checkpoint.arrays[name])


def test_a_fault_in_a_later_step_is_found_in_that_step(compose_odd):
    fault = fault_of(compose_odd("Late", "model.layers.odd.calls=45"))
    assert fault.name == "step_45"  # of 40 an epoch
    assert fault.message.startswith("step 45: model.layers.odd: Late gave 512 of 512 values")


def test_an_exploding_learning_rate(compose):
    fault = fault_of(compose("model=mlp", "optimizer=sgd", "optimizer.learning_rate=1e30"))
    assert fault.name == "step_2"
    assert fault.message.startswith("step 2: model.layers.dense2: Dense gave ")
    assert fault.message.endswith("Its weights have exploded: lower optimizer.learning_rate.")


def test_an_update_that_overflows(compose):
    sgd = ("optimizer=sgd", "optimizer.learning_rate=3e38", "model.loss.weight=1000.0")
    fault = fault_of(compose("model=mlp", *sgd))
    assert fault.message.startswith("step 1: optimizer: the update makes ")


def test_nan_in_the_data(compose):
    config = compose("model=mlp")

    def spoil(dataset):
        images = dataset.train.features["image"].copy()
        images[500, 3, 4, 0] = np.nan
        train = type(dataset.train)({"image": images}, dataset.train.labels, dataset.train.rows)
        return Dataset(train, dataset.validation, dataset.test)

    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    fault = fault_of(config, spoil)
    row = dataset.train.rows[500]
    assert fault.message.split(": ", 1)[1] == (
        "data.features.image: the batch holds 1 of 2,048 values that are not finite (1 nan), "
        f"first in row {row} of the data."
    )
    step = int(fault.name.removeprefix("step_"))
    order = np.random.default_rng([config.seed, 1]).permutation(len(dataset.train))
    assert step == list(order).index(500) // config.data.batch_size + 1


def test_nan_in_the_validation(compose):
    def spoil(dataset):
        images = np.full_like(dataset.validation.features["image"], np.inf)
        held_out = type(dataset.train)(
            {"image": images}, dataset.validation.labels, dataset.validation.rows
        )
        return Dataset(dataset.train, held_out, dataset.test)

    linear = [f"model.layers.{name}.activation=linear" for name in ("dense1", "dense2")]
    fault = fault_of(compose("model=mlp", *linear), spoil)
    assert fault.name == "validation_step_40"
    assert fault.message.startswith("validation step 40: data.features.image: the batch holds ")


def test_an_overflow_in_float16(compose):
    fault = fault_of(
        compose(
            "model=mlp",
            "model.layers.dense2.dtype=float16",
            "model.layers.dense2.kernel_initializer={type: Constant, value: 60000}",
        )
    )
    assert fault.message.startswith("step 1: model.layers.dense2: Dense gave 2,048 of 2,048 ")
    assert "(2,048 inf)" in fault.message


def test_a_fault_is_replayed_from_its_file_to_the_same_values(compose, tmp_path):
    overrides = ("model=cnn", "task.epochs=1")
    fault = fault_of(compose(*overrides, "optimizer=sgd", "optimizer.learning_rate=1e20"))
    assert fault.is_training
    file = save_fault(fault, tmp_path)
    config = compose("model=cnn", "task=forward", "task.training=true", f"feeds={file}")
    validate(config)
    graph = build_graph(config, read_feeds(config.feeds))
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    with open_session(graph, config.session) as session, pytest.raises(NotFiniteError) as caught:
        list(forward(config, config.task, graph, session, dataset))
    again = caught.value.fault
    assert again.message.split(": ", 1)[1] == fault.message.split(": ", 1)[1]
    values = {row["name"]: row for row in fault.statistics if row["kind"] == "value"}
    replayed = {row["name"]: row for row in again.statistics if row["kind"] == "value"}
    assert values == replayed  # dropout's mask too
    assert "drop" in values


def test_what_is_finite_is_left_alone_and_the_check_can_be_turned_off(compose):
    config = compose(
        "model=mlp",
        "optimizer=sgd",
        "optimizer.learning_rate=1e30",
        "debug.check_finite=false",
        "task.epochs=1",
    )
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        results = list(train(config, config.task, graph, session, dataset))
    *_, test = (result for result in results if isinstance(result, SplitResult))
    assert not np.isfinite(test.metrics["loss"])
