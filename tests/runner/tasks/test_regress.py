"""How far numbers are off, over all examples and in a sample."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from models.regressors import Regressor
from runner.data.examples import Examples
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.results import ClassifyResult, FetchResult, RegressResult, SplitResult
from runner.tasks.regress import MOST_SAMPLED, MOST_SHOWN, Numbers
from runner.tasks.train import train
from tests.datasets import load_dataset


def judge(actual, predicted, *, batch=7, room=None):
    """Returns the results of `predicted`, added batch by batch; None where it is refused."""
    numbers = Numbers(Regressor("value", "target"), room or len(actual))
    for start in range(0, len(actual), batch):
        part = slice(start, start + batch)
        if not numbers.add({"value": predicted[part]}, {"target": actual[part]}):
            return None
    rows = np.arange(len(actual)) + 100
    examples = Examples({"size": np.asarray(actual, np.float64)}, {}, rows=rows)
    return list(numbers.conclude(examples, "test", None))


def test_sums_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    actual = random.normal(size=50)
    predicted = actual + random.normal(0.3, 0.5, size=50)
    (result,) = judge(actual, predicted.reshape(50, 1))
    assert result.examples == 50
    assert result.mean_error == pytest.approx((predicted - actual).mean())
    assert result.mean_absolute_error == pytest.approx(mean_absolute_error(actual, predicted))
    squared = mean_squared_error(actual, predicted)
    assert result.root_mean_squared_error == pytest.approx(squared**0.5)
    assert result.r2 == pytest.approx(r2_score(actual, predicted))
    assert result.counts.sum() == 50
    np.testing.assert_allclose(result.predicted, predicted)


def test_the_furthest_off_are_shown():
    actual = np.arange(100.0)
    predicted = actual.copy()
    predicted[[40, 60]] += [-3, 9]
    (result,) = judge(actual, predicted)
    assert len(result.shown_rows) == MOST_SHOWN
    np.testing.assert_array_equal(result.shown_rows[:2], [160, 140])
    np.testing.assert_array_equal(result.shown_predicted[:2], [69, 37])
    np.testing.assert_array_equal(result.features["size"][:2], [60, 40])


def test_of_many_a_sample_is_kept_and_all_are_counted():
    actual = np.arange(10_001.0)
    (result,) = judge(actual, actual + 1, batch=1000)
    assert result.examples == result.counts.sum() == 10_001
    assert len(result.actual) == len(result.predicted) <= MOST_SAMPLED
    assert result.mean_error == 1


def test_what_is_not_finite_is_left_out():
    (result,) = judge(np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, np.inf]))
    assert (result.examples, result.left_out) == (1, 2)
    assert result.mean_absolute_error == 0
    assert np.isnan(result.r2)


def test_each_number_of_an_example_is_a_result():
    actual = np.arange(12.0).reshape(6, 2)
    first, second = judge(actual, actual + np.array([1, 2]))
    assert (first.output, first.label, first.mean_error) == ("value[0]", "target[0]", 1)
    assert (second.output, second.label, second.mean_error) == ("value[1]", "target[1]", 2)


@pytest.mark.parametrize(
    ("actual", "predicted"),
    [
        (np.zeros((4, 9)), np.zeros((4, 9))),
        (np.zeros(4), np.zeros((4, 2))),
        (np.array(["a", "b"]), np.zeros(2)),
    ],
)
def test_pictures_texts_and_other_shapes_are_no_numbers(actual, predicted):
    assert judge(actual, predicted) is None


def test_fewer_examples_than_there_was_room_for_are_judged():
    (result,) = judge(np.zeros(3), np.ones(3), room=10)
    assert result.examples == 3


def test_a_trained_model_is_judged_by_its_own_metric(compose):
    config = compose("model=regression", "data=diabetes", "task.epochs=1", "task.examples=400")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        results = list(train(config, config.task, graph, session, dataset))
    (regressed,) = [one for one in results if isinstance(one, RegressResult)]
    (test,) = [one for one in results if isinstance(one, SplitResult) and one.split == "test"]
    (fetched,) = [one for one in results if isinstance(one, FetchResult)]
    assert not [one for one in results if isinstance(one, ClassifyResult)]
    measured = test.metrics["mean_absolute_error"]
    assert regressed.mean_absolute_error == pytest.approx(measured, rel=1e-5)
    np.testing.assert_allclose(regressed.predicted, fetched.fetched["outputs"][:, 0], rtol=1e-5)
