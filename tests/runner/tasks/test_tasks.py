"""What the tasks yield."""

import json

import numpy as np
import pytest

from runner.data.provenance import describe_data
from runner.data.reading import read_examples
from runner.data.splits import split_examples
from runner.results import (
    BalanceResult,
    DrawingResult,
    ExamplesResult,
    FetchResult,
    InspectResult,
    SplitResult,
    Started,
    StepsResult,
    TraceResult,
)
from runner.tasks.forward import forward
from runner.tasks.inspect import inspect
from runner.tasks.train import train
from tests.datasets import load_dataset
from tests.opening import open_experiment


@pytest.fixture(scope="module")
def run(compose):
    def run_task(task, *overrides):
        config = compose(*overrides)
        dataset = load_dataset(config.data, config.model.inputs, config.seed)
        with open_experiment(config) as (graph, session):
            return list(task(config, config.task, graph, session, dataset)), dataset

    return run_task


def of(kind, results):
    return [result for result in results if isinstance(result, kind)]


def losses_of(results):
    return [loss for call in of(StepsResult, results) for loss in call.losses.tolist()]


@pytest.fixture(scope="module")
def trained(run):
    return run(train, "model=mlp", "task.epochs=2", "task.examples=359")


def test_train_counts_its_steps(trained):
    results, _ = trained
    (started,) = of(Started, results)
    assert (started.epochs, started.steps_per_epoch) == (2, 40)
    assert started.examples == {"train": 1258, "validation": 180, "test": 359}
    calls = of(StepsResult, results)
    steps = [step for call in calls for step in range(call.first_step, call.last_step + 1)]
    assert steps == list(range(1, 81))
    assert {call.epoch for call in calls if call.last_step <= 40} == {1}
    assert {call.epoch for call in calls if call.first_step > 40} == {2}


def test_train_validates_after_each_epoch_and_tests_at_the_end(trained):
    results, _ = trained
    splits = [(result.split, result.epoch, result.step) for result in of(SplitResult, results)]
    assert splits == [
        ("train", 1, 40),
        ("validation", 1, 40),
        ("train", 2, 80),
        ("validation", 2, 80),
        ("test", 2, 80),
    ]


def test_an_epochs_loss_is_the_mean_over_its_examples(trained):
    results, _ = trained
    losses = losses_of(results)[:40]
    sizes = [32] * 39 + [10]
    (train_result, *_) = of(SplitResult, results)
    np.testing.assert_allclose(
        train_result.metrics["loss"], np.average(losses, weights=sizes), rtol=1e-5
    )


def test_the_test_accuracy_is_that_of_the_fetched_outputs(trained):
    results, dataset = trained
    (fetched,) = of(FetchResult, results)
    np.testing.assert_array_equal(fetched.rows, dataset.test.rows)
    is_right = fetched.fetched["outputs"].argmax(axis=1) == dataset.test.labels["digit"]
    (test,) = [result for result in of(SplitResult, results) if result.split == "test"]
    np.testing.assert_allclose(test.metrics["accuracy"], is_right.mean(), rtol=1e-6)


def test_the_traced_step_is_the_configured_one(trained):
    results, _ = trained
    (trace,) = of(TraceResult, results)
    assert trace.name == "train_step_3"
    assert json.loads(trace.chrome_trace)["traceEvents"]
    at = results.index(trace)
    assert (results[at + 1].first_step, results[at + 1].last_step) == (3, 3)


def test_tracing_changes_nothing(run, trained):
    results, _ = trained
    untraced, _ = run(train, "model=mlp", "task.epochs=2", "trace.steps=null")
    assert of(TraceResult, untraced) == []
    assert losses_of(untraced) == losses_of(results)


def test_the_last_step_of_a_short_run_is_traced(run):
    results, _ = run(train, "model=mlp", "task.epochs=1", "data.batch_size=2000", "trace.steps=[9]")
    assert [trace.name for trace in of(TraceResult, results)] == ["train_step_1"]


def test_training_without_validation_examples_yields_none(run):
    results, _ = run(train, "model=mlp", "task.epochs=1", "data.split.validation=0")
    assert [result.split for result in of(SplitResult, results)] == ["train", "test"]


def test_the_same_seed_gives_the_same_run_bit_for_bit_and_another_does_not(run):
    def train_from(seed):
        results, _ = run(train, f"seed={seed}", "task.epochs=1")
        return losses_of(results)

    first = train_from(3)
    assert first == train_from(3)
    assert first != train_from(4)


def test_forward_feeds_as_many_examples_as_asked_for_in_one_call(run):
    results, dataset = run(forward, "task=forward", "data=random", "task.examples=5")
    trace, fetched, _ = results
    assert trace.name == "forward"
    assert fetched.split == "test"
    assert fetched.fetched["outputs"].shape == (5, 10)
    np.testing.assert_array_equal(fetched.rows, dataset.test.rows[:5])


def test_inspect_shows_the_data_tells_what_each_layer_costs_and_draws_the_graph(compose):
    config = compose("task=inspect", "model=mlp", "task.examples=5", "task.show=3")
    examples = read_examples(config.data, config.model.inputs, config.seed)
    dataset = split_examples(examples, config.data, config.seed)
    described = describe_data(config.data, config.seed, examples, vars(dataset))
    told = list(inspect(config, config.task, dataset, described))
    data, shown, balance, costs, drawing = told
    assert data is described
    assert isinstance(shown, ExamplesResult)
    assert shown.features["image"].shape == (3, 8, 8, 1)
    assert isinstance(balance, BalanceResult)
    assert [label.label for label in balance.labels] == ["digit", "parity"]
    assert isinstance(costs, InspectResult)
    assert costs.batch_size == 5
    assert [layer.name for layer in costs.layers] == list(config.model.layers)
    assert isinstance(drawing, DrawingResult)
    assert drawing.name == "graph"
