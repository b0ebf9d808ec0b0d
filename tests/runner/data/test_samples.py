"""The examples that are looked at, and their values in short."""

import numpy as np
import pytest

from runner.data import samples
from runner.data.examples import Examples, LazyColumn
from runner.data.samples import sample_examples, spread_rows
from runner.results import LabelBalance

ROWS = np.random.default_rng(0).permutation(1000)
VALUES = np.random.default_rng(1).normal(size=(1000, 3)).astype(np.float32)
TEXTS = np.array([f"text {row}" for row in range(1000)], object)
BALANCE = LabelBalance("y", ("0", "1"), np.empty(0), {})


class NotingReader:
    """A reader that notes what is read of it."""

    blocks = lengths = by_tensors = None

    def __init__(self):
        self.read_rows = []

    def read(self, rows, names):
        self.read_rows.append(rows)
        return dict.fromkeys(names, VALUES[rows])

    def digest(self):
        return ""


def test_of_a_small_split_all_values_count():
    examples = Examples({"x": VALUES, "text": TEXTS}, {"y": ROWS % 2}, ROWS)
    result = sample_examples(examples, (BALANCE,), 5)
    x, text, y = result.tensors
    told = [x.least, x.mean, x.largest]
    np.testing.assert_allclose(told, [VALUES.min(), VALUES.mean(dtype=float), VALUES.max()])
    assert (x.shape, x.dtype, x.classes, x.is_label) == ((3,), "float32", None, False)
    assert (text.dtype, np.isnan(text.mean)) == ("string", True)
    assert (y.classes, y.is_label) == (2, True)
    assert (result.sampled, result.total) == (1000, 1000)


def test_classes_are_shown_by_their_names():
    labels = {"y": ROWS % 2, "odd": ROWS % 2, "share": VALUES}
    names = {"y": ["ant", "bee"], "odd": [], "share": ["ant", "bee"]}
    result = sample_examples(Examples({"x": VALUES}, labels, ROWS), (BALANCE,), 5, names=names)
    assert result.labels["y"].tolist() == [["ant", "bee"][row % 2] for row in result.rows]
    assert result.labels["odd"].tolist() == (result.rows % 2).tolist()
    assert result.labels["share"].shape == (5, 3)


def test_the_examples_shown_are_spread_over_the_source():
    result = sample_examples(Examples({"x": VALUES}, {"y": ROWS % 2}, ROWS), (), 5)
    assert result.rows.tolist() == [0, 249, 499, 749, 999]
    places = [ROWS.tolist().index(row) for row in result.rows]
    np.testing.assert_array_equal(result.features["x"], VALUES[places])
    np.testing.assert_array_equal(result.labels["y"], result.rows % 2)


@pytest.mark.parametrize(("show", "shown"), [(0, 0), (1, 1), (2000, 1000)])
def test_no_more_are_shown_than_there_are_or_asked_for(show, shown):
    result = sample_examples(Examples({"x": VALUES}, {}, ROWS), (), show)
    assert len(result.rows) == len(result.features["x"]) == shown


def find_runs(rows):
    return [len(run) for run in np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)]


def test_of_a_large_split_a_few_blocks_are_looked_at(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_ROWS", 64)
    result = sample_examples(Examples({"row": ROWS}, {}, ROWS), (), 64)
    assert (result.sampled, result.total) == (64, 1000)
    assert find_runs(result.features["row"]) == [4] * 16


def test_what_is_lazy_is_read_once_in_large_blocks(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_BYTES", 64 * (VALUES[0].nbytes + 1))
    reader = NotingReader()
    column = LazyColumn(reader, "x", ROWS, (3,), np.dtype(np.float32))
    result = sample_examples(Examples({"x": column}, {}, ROWS), (), 4)
    (rows,) = reader.read_rows
    assert (result.sampled, find_runs(rows)) == (64, [16] * 4)
    assert result.tensors[0].mean == pytest.approx(VALUES[rows].mean(dtype=float))


@pytest.mark.parametrize(("axis", "rows"), [(None, 16), (64, 64)])
def test_a_length_that_varies_is_taken_to_be_long(monkeypatch, axis, rows):
    monkeypatch.setattr(samples, "_MOST_BYTES", 16 * (256 * 4 + 1))
    column = LazyColumn(NotingReader(), "x", ROWS, (axis,), np.dtype(np.float32))
    result = sample_examples(Examples({"x": column}, {}, ROWS), (), 1)
    assert result.sampled == pytest.approx(rows, abs=4)
    assert result.tensors[0].shape == (axis,)


@pytest.mark.parametrize("count", [1, 7, 16, 100, 995, 999, 1000, 5000])
def test_rows_are_chosen_once_and_in_the_order_of_the_source(count):
    chosen = spread_rows(ROWS, count, 16)
    assert 0 < len(chosen) <= min(count, 1000)
    assert (np.diff(ROWS[chosen]) > 0).all()


def test_values_that_are_not_finite_are_counted():
    values = np.array([1.0, np.nan, np.inf, 3.0])
    (tensor,) = sample_examples(Examples({"x": values}, {}, np.arange(4)), (), 1).tensors
    assert (tensor.least, tensor.mean, tensor.largest, tensor.not_finite) == (1.0, 2.0, 3.0, 2)


def test_what_holds_no_number_has_no_values_in_short():
    values = np.full((4, 2), np.nan)
    (tensor,) = sample_examples(Examples({"x": values}, {}, np.arange(4)), (), 1).tensors
    assert np.isnan([tensor.least, tensor.mean, tensor.largest]).all()
    assert tensor.not_finite == 8
