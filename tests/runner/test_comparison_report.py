"""What a person is told of a run that was repeated."""

import numpy as np

from runner.comparison import Values, compare_runs, metric_values
from runner.comparison_report import describe_comparison, is_explained
from runner.differences import CODE, OVERRIDE, Difference

CHANGED = Difference(OVERRIDE, "seed=1, was 0")
MAYBE = Difference(CODE, "those of the run are not known", is_known=False)


def compare(before, after):
    return compare_runs(before, after, tolerance=1e-6, is_whole=True)


def describe(comparison, *differences, status="FINISHED"):
    return describe_comparison(comparison, differences, run="abc", status=status, tolerance=1e-6)


def values(loss, weight=1.0):
    return {
        "test/loss": metric_values([(0, loss)]),
        "weights/dense.kernel": Values(np.full(2, weight)),
    }


def test_a_run_that_is_the_same_is_said_to_be():
    comparison = compare(values(0.5), values(0.5))
    assert describe(comparison) == [
        "rerun    of abc: bit for bit the same, 1 metric and 1 weight",
        "differs  nothing that is known",
    ]
    assert is_explained(comparison, [])


def test_the_largest_difference_within_the_tolerance_is_told():
    comparison = compare(values(0.5), values(0.5 + 1e-8))
    assert describe(comparison)[0] == (
        "rerun    of abc: the same within 1e-06, 1 metric of 1 metric and 1 weight not bit for "
        "bit; the largest relative difference is 2e-08 (test/loss)"
    )
    assert is_explained(comparison, [])


def test_both_values_of_what_differs_are_told_and_why():
    comparison = compare(values(0.5, 1.0), values(0.25, 1.5))
    assert describe(comparison, CHANGED, MAYBE) == [
        "rerun    of abc: not the same: 1 metric and 1 weight of 1 metric and 1 weight differ",
        "         test/loss             was 0.5, is 0.25; relative difference 0.5",
        "         weights/dense.kernel  [0]: was 1, is 1.5; relative difference 0.33",
        "differs  override: seed=1, was 0",
        "unknown  code: those of the run are not known",
    ]
    assert is_explained(comparison, [CHANGED])


def test_the_first_difference_and_the_largest_are_told_with_their_places():
    before = {
        "step/loss": metric_values([(0, 1.0), (1, 1.0), (2, 1.0)]),
        "weights/a": Values(np.array([[4.0, 1.0], [3.0, 2.0]])),
    }
    after = {
        "step/loss": metric_values([(0, 1.0), (1, 0.75), (2, 0.25)]),
        "weights/a": Values(np.array([[4.0, 2.0], [3.0, 0.0]])),
    }
    assert describe(compare(before, after))[1:3] == [
        "         step/loss  step 1: was 1, is 0.75; relative difference 0.25; at most 0.75, "
        "in step 2",
        "         weights/a  [0, 1]: was 1, is 2; relative difference 0.25; at most 0.5, in [1, 1]",
    ]


def test_values_that_differ_in_the_last_digit_are_told_apart():
    comparison = compare_runs(values(0.1), values(0.1 + 2**-56), tolerance=0, is_whole=True)
    (line,) = [line for line in describe(comparison) if "test/loss" in line]
    assert "was 0.1, is 0.10000000000000002" in line


def test_what_nothing_explains_is_said_to_be_unexplained():
    comparison = compare(values(0.5), values(0.25))
    assert describe(comparison)[-1] == "differs  nothing that is known"
    assert not is_explained(comparison, [])
    assert not is_explained(comparison, [MAYBE])


def test_of_many_arrays_the_first_are_told():
    pair = ({f"weights/{i}": Values(np.full(1, value)) for i in range(7)} for value in (1.0, 2.0))
    lines = describe(compare(*pair))
    assert "         and 2 more arrays" in lines
    assert sum("weights/" in line for line in lines) == 5


def test_a_run_that_was_cut_short_is_said_to_be():
    lines = describe(compare(values(0.5), values(0.5)), status="KILLED")
    assert "         that run is KILLED; compared is what it logged" in lines


def test_what_only_one_logged_is_named():
    before, after = values(0.5), values(0.5)
    del after["weights/dense.kernel"]
    lines = describe(compare(before, after))
    assert "         only that run logged weights/dense.kernel" in lines


def test_runs_without_a_value_in_common_are_not_the_same():
    comparison = compare({}, values(0.5))
    assert "nothing to compare, since there is no value that both logged" in describe(comparison)[0]
    assert not is_explained(comparison, [CHANGED])
