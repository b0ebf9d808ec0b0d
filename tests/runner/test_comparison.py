"""Values of two runs, held against what NumPy says of them."""

import math
import sys

import numpy as np
import pytest

from runner.comparison import Values, Verdict, compare_runs, metric_values


def compare(before, after, *, tolerance=1e-6, is_whole=True):
    return compare_runs(before, after, tolerance=tolerance, is_whole=is_whole)


def compare_metric(before, after, **options):
    pair = ({"test/loss": metric_values(list(enumerate(each, 1)))} for each in (before, after))
    (compared,) = compare(*pair, **options).compared
    return compared


def compare_array(before, after, **options):
    (compared,) = compare({"w": Values(before)}, {"w": Values(after)}, **options).compared
    return compared


def test_equal_metrics_are_the_same_bit_for_bit():
    compared = compare_metric([0.1, math.nan, math.inf], [0.1, math.nan, math.inf])
    assert (compared.verdict, compared.first) == (Verdict.BITWISE, None)


def test_the_last_bit_of_a_metric_makes_it_another():
    value = 0.1
    compared = compare_metric([1.0, value], [1.0, math.nextafter(value, 1)])
    assert compared.verdict is Verdict.WITHIN
    assert compared.difference == pytest.approx(np.spacing(value) / value)
    assert (compared.place, compared.first) == ("step 2", (value, math.nextafter(value, 1)))


def test_a_metric_differs_beyond_the_tolerance():
    compared = compare_metric([2.0], [2.5], tolerance=0.1)
    assert (compared.verdict, compared.place) == (Verdict.DIFFERENT, "")
    assert compared.difference == 0.2  # of the larger of both
    assert compare_metric([2.0], [2.5], tolerance=0.25).verdict is Verdict.WITHIN


@pytest.mark.parametrize("pair", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_a_number_and_none_differ(pair):
    assert compare_metric([pair[0]], [pair[1]]).verdict is Verdict.DIFFERENT


def test_a_store_keeps_the_largest_number_for_an_infinity():
    assert compare_metric([math.inf], [sys.float_info.max]).verdict is Verdict.BITWISE


def test_several_values_of_a_step_have_no_order():
    pair = ({"rate": metric_values(each)} for each in ([(4, 0.1), (4, 0.2)], [(4, 0.2), (4, 0.1)]))
    assert compare(*pair).verdict is Verdict.BITWISE


def test_a_metric_of_fewer_steps_differs():
    compared = compare_metric([0.1, 0.2, 0.3], [0.1, 0.2])
    assert (compared.verdict, compared.note) == (Verdict.DIFFERENT, "3 values, and 2")


def test_of_a_run_that_was_cut_short_what_it_has_is_compared():
    assert compare_metric([0.1, 0.2], [0.1, 0.2, 0.3], is_whole=False).verdict is Verdict.BITWISE
    compared = compare_metric([0.1, 0.2], [0.1, 0.4, 0.3], is_whole=False)
    assert (compared.place, compared.first) == ("step 2", (0.2, 0.4))


def test_an_array_is_held_against_its_largest_value():
    before = np.asarray([[1.0, 0.0], [0.0, 1e-9]], np.float32)
    after = before.copy()
    after[1, 1] = 2e-9
    compared = compare_array(before, after)
    assert (compared.verdict, compared.place) == (Verdict.WITHIN, "[1, 1]")
    assert compared.difference == pytest.approx(1e-9, rel=1e-6)


def test_arrays_of_other_shapes_differ():
    compared = compare_array(np.zeros((2, 3)), np.zeros((2, 4)))
    assert compared.note == "of shape [2, 3], and of [2, 4]"
    assert compared.verdict is Verdict.DIFFERENT


def test_texts_are_the_same_or_not():
    before = np.asarray(["cat", "dog"], object)
    assert compare_array(before, np.asarray(["cat", "dog"])).verdict is Verdict.BITWISE
    compared = compare_array(before, np.asarray(["cat", "cow"]))
    assert (compared.place, compared.first) == ("[1]", ("dog", "cow"))


def test_bfloat16_is_read_from_its_bytes():
    bits = np.asarray([0x3F80, 0x4000], np.uint16)  # 1 and 2
    other = np.asarray([0x3F80, 0x4001], np.uint16)
    assert compare_array(bits.view("V2"), bits.view("V2")).verdict is Verdict.BITWISE
    compared = compare_array(bits.view("V2"), other.view("V2"))
    assert compared.first == (2.0, 2.015625)


def test_runs_are_as_alike_as_what_is_least_alike():
    same, near, far = metric_values([(0, 1.0)]), metric_values([(0, 1 + 1e-9)]), Values(np.ones(2))
    before = {"a": same, "b": same, "old": same}
    after = {"a": same, "b": near, "new": far}
    compared = compare(before, after)
    assert compared.verdict is Verdict.WITHIN
    assert (compared.only_before, compared.only_after) == (("old",), ("new",))
    assert compare({"a": same}, {"b": same}).verdict is None
