"""How often which labels are in which split, held to NumPy."""

import numpy as np
import pytest

import runner.data.balance as balance_module
from runner.data import provenance
from runner.data.balance import measure_balance
from runner.data.examples import Dataset, Examples
from runner.data.provenance import describe_data
from tests.datasets import load_dataset

ROWS = {"train": slice(0, 60), "validation": slice(60, 70), "test": slice(70, 100)}
GENERATOR = np.random.default_rng(0)
CLASSES = GENERATOR.integers(-2, 11, 100)
INDICATORS = GENERATOR.integers(0, 2, (100, 4))
NUMBERS = GENERATOR.normal(size=100)


def measure(compose, labels, rows=ROWS):
    examples = Examples({"x": np.zeros((100, 2))}, {"y": labels}, np.arange(100))
    dataset = Dataset(**{name: examples.take(places) for name, places in rows.items()})
    described = describe_data(compose().data, 0, examples, vars(dataset))
    return measure_balance(described, dataset)


@pytest.mark.parametrize("labels", [CLASSES, CLASSES[:, np.newaxis], CLASSES > 3])
def test_classes_are_counted_in_the_order_of_their_values(compose, labels):
    (balance,) = measure(compose, labels).labels
    values = np.unique(labels)
    assert balance.classes == tuple(map(str, values.tolist()))
    for split, rows in ROWS.items():
        wanted = [int((labels[rows] == value).sum()) for value in values]
        assert balance.counts[split].tolist() == wanted


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
def test_each_class_of_an_example_counts(compose, dtype):
    (balance,) = measure(compose, INDICATORS.astype(dtype)).labels
    assert balance.classes == ("0", "1", "2", "3")
    for split, rows in ROWS.items():
        assert balance.counts[split].tolist() == INDICATORS[rows].sum(axis=0).tolist()


@pytest.mark.parametrize("labels", [NUMBERS, NUMBERS.astype(np.float32)[:, np.newaxis]])
def test_numbers_are_counted_between_edges_that_all_splits_share(compose, labels):
    (balance,) = measure(compose, labels).labels
    assert balance.classes == ()
    assert (balance.edges[0], balance.edges[-1]) == (labels.min(), labels.max())
    for split, rows in ROWS.items():
        wanted, _ = np.histogram(labels[rows].astype(float), balance.edges)
        assert balance.counts[split].tolist() == wanted.tolist()
        assert balance.counts[split].sum() == len(labels[rows])


def test_numbers_that_are_not_finite_or_all_the_same_are_counted(compose):
    (balance,) = measure(compose, np.full(100, 3.0)).labels
    assert balance.counts["test"].sum() == 30
    (balance,) = measure(compose, np.full(100, np.nan)).labels
    assert balance.counts["test"].sum() == 0


def test_integers_of_more_values_than_classes_have_are_numbers(compose, monkeypatch):
    for module in (balance_module, provenance):
        monkeypatch.setattr(module, "MOST_CLASSES", 5)
    (balance,) = measure(compose, CLASSES).labels
    assert balance.classes == ()
    assert balance.counts["test"].sum() == 30


@pytest.mark.parametrize(
    "labels", [np.zeros((100, 8, 8, 1)), NUMBERS.reshape(50, 2).repeat(2, axis=0), ["a"] * 100]
)
def test_what_is_no_class_and_no_number_is_left_out(compose, labels):
    assert measure(compose, np.array(labels)).labels == ()


def test_a_split_without_examples_is_left_out(compose):
    rows = {**ROWS, "validation": slice(60, 60)}
    result = measure(compose, CLASSES, rows)
    assert result.examples == {"train": 60, "test": 30}
    assert list(result.labels[0].counts) == ["train", "test"]


def test_the_digits_are_counted(compose):
    config = compose()
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    described = describe_data(config.data, config.seed, dataset.train, vars(dataset))
    digit, parity = measure_balance(described, dataset).labels
    wanted = np.bincount(dataset.train.labels["digit"])
    assert digit.counts["train"].tolist() == wanted.tolist()
    assert parity.counts["train"].tolist() == [wanted[::2].sum(), wanted[1::2].sum()]
