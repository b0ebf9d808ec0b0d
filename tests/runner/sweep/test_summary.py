"""What is made of a sweep's jobs, held to SciPy."""

import numpy as np
import pytest
from scipy import stats

from runner.results import JobResult, Spread
from runner.sweep.summary import find_varying, measure_spread, summarize_jobs

ACCURACIES = [0.77, 0.775, 0.8273, 0.81, 0.78]


def job(number, overrides, accuracy=None, status="FINISHED"):
    metrics = {} if accuracy is None else {"test/accuracy": accuracy, "train/loss": 1.0}
    return JobResult(number, overrides, status, metrics, None)


def folds(**overrides):
    return [
        job(fold, {**overrides, "data.fold": str(fold)}, accuracy)
        for fold, accuracy in enumerate(ACCURACIES)
    ]


@pytest.mark.parametrize("values", [ACCURACIES, [1.0, 3.0], [-1e9, 5.0, 1e9]])
def test_a_spread_is_that_of_scipy(values):
    spread = measure_spread(values)
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    told = [spread.jobs, spread.mean, spread.std, spread.low, spread.high]
    wanted = [len(values), np.mean(values), stats.tstd(values), low, high]
    np.testing.assert_allclose(told, wanted, rtol=1e-12)


def test_equal_values_do_not_spread():
    assert measure_spread([2.0, 2.0, 2.0]) == Spread(3, 2.0, 0.0, 2.0, 2.0)


def test_one_value_has_a_mean_alone():
    spread = measure_spread([0.5])
    assert (spread.jobs, spread.mean) == (1, 0.5)
    assert np.isnan([spread.std, spread.low, spread.high]).all()


def test_folds_and_seeds_are_repetitions():
    seeds = [
        job(5, {"model": "mlp", "data.fold": "0", "++seed": "1"}, 0.9),
        job(6, {"model": "mlp", "data.fold": "1", "++seed": "1"}, 0.7),
    ]
    (group,) = summarize_jobs([*folds(model="mlp"), *seeds]).groups
    assert (group.overrides, group.jobs, list(group.spreads)) == ({}, 7, ["test/accuracy"])
    assert group.spreads["test/accuracy"].mean == pytest.approx(np.mean([*ACCURACIES, 0.9, 0.7]))


def test_what_else_varies_divides_repetitions_into_groups():
    jobs = [*folds(model="mlp", epochs="1"), *folds(model="cnn", epochs="1")]
    result = summarize_jobs(jobs)
    assert result.varying == ("model", "data.fold")
    assert [group.overrides for group in result.groups] == [{"model": "mlp"}, {"model": "cnn"}]
    assert [group.jobs for group in result.groups] == [5, 5]


def test_without_repetitions_there_are_no_groups():
    jobs = [job(0, {"model": "mlp"}, 0.5), job(1, {"model": "cnn"}, 0.7)]
    assert summarize_jobs(jobs).groups == ()
    assert summarize_jobs(jobs[:1]).groups == ()


def test_a_job_that_failed_is_counted_and_not_averaged():
    jobs = [*folds(), job(5, {"data.fold": "5"}, status="FAILED")]
    result = summarize_jobs(jobs)
    assert result.counts == {"FINISHED": 5, "FAILED": 1}
    (group,) = result.groups
    assert (group.jobs, group.spreads["test/accuracy"].jobs) == (6, 5)


def test_where_no_job_finished_nothing_spreads():
    result = summarize_jobs([job(fold, {"data.fold": str(fold)}) for fold in range(2)])
    assert [group.spreads for group in result.groups] == [{}]


def test_a_key_that_some_jobs_do_not_have_varies():
    assert find_varying([{"a": "1", "b": "2"}, {"a": "1"}]) == ("b",)
    assert find_varying([]) == ()
