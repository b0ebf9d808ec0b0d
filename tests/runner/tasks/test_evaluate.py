"""A trained model measured again, against what its training measured."""

import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.reading import read_examples
from runner.data.splits import choose_splits
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.results import ClassifyResult, FetchResult, SplitResult, WeightsResult
from runner.tasks.evaluate import evaluate
from runner.tasks.train import train
from runner.tasks.watch import NotFiniteError
from tests.datasets import load_dataset
from tests.opening import open_experiment

MODEL = ("model=cnn", "model.layers.conv2.filters=8")


def of(kind, results):
    return [result for result in results if isinstance(result, kind)]


@pytest.fixture(scope="module")
def trained(compose):
    config = compose(*MODEL, "task.epochs=1")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    with open_experiment(config) as (graph, session):
        return list(train(config, config.task, graph, session, dataset))


@pytest.fixture(scope="module")
def weights(trained):
    (result,) = of(WeightsResult, trained)
    return result.arrays


@pytest.fixture(scope="module")
def measure(compose):
    def run(weights, *overrides):
        config = compose("task=evaluate", *MODEL, *overrides)
        examples = read_examples(config.data, config.model.inputs, config.seed)
        graph = build_graph(config).with_weights(weights)
        with open_session(graph, config.session) as session:
            splits = choose_splits(config, examples)
            return list(evaluate(config, config.task, graph, session, splits))

    return run


def test_the_metrics_of_a_split_are_those_that_training_ended_with(trained, weights, measure):
    results = measure(weights, "task.splits=[test,validation]")
    wanted = {result.split: result.metrics for result in of(SplitResult, trained)}
    measured = {result.split: result.metrics for result in of(SplitResult, results)}
    assert measured == {name: wanted[name] for name in ("test", "validation")}
    assert [result.split for result in of(FetchResult, results)] == ["test", "validation"]
    (classified,) = of(ClassifyResult, trained)
    again, _ = of(ClassifyResult, results)
    np.testing.assert_array_equal(again.predicted, classified.predicted)
    np.testing.assert_array_equal(again.rows, classified.rows)


def test_all_that_the_source_gives_is_measured_as_one(weights, measure):
    (result,) = of(SplitResult, measure(weights, "task.splits=[all]"))
    splits = of(SplitResult, measure(weights, "task.splits=[train,validation,test]"))
    counts = [1258, 180, 359]
    accuracies = [split.metrics["accuracy"] for split in splits]
    assert result.split == "all"
    np.testing.assert_allclose(
        result.metrics["accuracy"], np.average(accuracies, weights=counts), rtol=1e-6
    )


def test_the_graph_of_an_evaluation_has_no_optimizer(compose):
    graph = build_graph(compose("task=evaluate", *MODEL))
    assert graph.training is None
    assert not [name for name in graph.variables if name.startswith("optimizer")]


def test_a_split_without_examples_is_refused(weights, measure):
    with pytest.raises(ConfigError) as caught:
        measure(weights, "task.splits=[validation]", "data.split.validation=0")
    message = "task.splits: expected splits with examples in them; received 'validation' (str)."
    assert str(caught.value) == message


def test_a_loss_that_is_not_finite_is_told_with_its_layer(weights, measure):
    broken = {**weights, "logits.bias": np.full(10, np.nan, np.float32)}
    with pytest.raises(NotFiniteError, match=r"^test: .*logits"):
        measure(broken)
