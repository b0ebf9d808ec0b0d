"""Sources, splits and batches."""

import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)

from models.problems import ConfigError
from runner.data.examples import Examples
from runner.data.ordering import order_epoch
from runner.data.sources.breast_cancer import read_breast_cancer
from runner.data.sources.diabetes import read_diabetes
from runner.data.sources.digits import read_digits
from runner.data.sources.iris import read_iris
from runner.data.sources.wine import read_wine
from runner.data.streams import iterate_batches
from tests.datasets import load_dataset

MODELS = {"breast_cancer": "model=wide_deep", "digits": "model=cnn"}


def load(config):
    return load_dataset(config.data, config.model.inputs, config.seed)


def test_digits_are_those_of_scikit_learn():
    source = load_digits()
    digits = read_digits()
    assert len(digits) == 1797
    np.testing.assert_array_equal(digits.features["image"][..., 0] * 16, source.images)
    np.testing.assert_array_equal(digits.labels["digit"], source.target)
    assert digits.features["image"].dtype == np.float32
    assert (digits.features["image"].min(), digits.features["image"].max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("read", "source", "label"),
    [
        (read_iris, load_iris(), "species"),
        (read_wine, load_wine(), "cultivar"),
        (read_diabetes, load_diabetes(scaled=False), "progression"),
    ],
)
def test_bundled_tables_are_those_of_scikit_learn(read, source, label):
    examples = read()
    np.testing.assert_array_equal(examples.features["numbers"], source.data.astype(np.float32))
    np.testing.assert_array_equal(examples.labels[label], source.target)
    assert examples.rows.tolist() == list(range(len(source.target)))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("breast_cancer", read_breast_cancer),
        ("diabetes", read_diabetes),
        ("digits", read_digits),
        ("iris", read_iris),
        ("wine", read_wine),
    ],
)
def test_bundled_data_is_as_its_yaml_declares(compose, name, read):
    config = compose(f"data={name}", MODELS.get(name, "model=tabular"))
    examples = read()
    for declared, arrays in (
        (config.data.features, examples.features),
        (config.data.labels, examples.labels),
    ):
        assert list(declared) == list(arrays)
        for name, tensor in declared.items():
            assert list(arrays[name].shape[1:]) == tensor.shape
            assert arrays[name].dtype.name == tensor.dtype
    if config.data.classes is not None:
        main = next(iter(examples.labels.values()))
        assert len(np.unique(main)) == config.data.classes


def test_splits_hold_every_row_once(compose):
    dataset = load(compose())
    rows = [split.rows for split in vars(dataset).values()]
    assert [len(split) for split in rows] == [1258, 180, 359]
    assert sorted(np.concatenate(rows)) == list(range(1797))


def test_rows_stay_with_their_features_and_labels(compose):
    source, test = read_digits(), load(compose()).test
    np.testing.assert_array_equal(test.features["image"], source.features["image"][test.rows])
    np.testing.assert_array_equal(test.labels["digit"], source.labels["digit"][test.rows])


def test_splits_keep_the_shares_of_the_classes(compose):
    dataset = load(compose())
    whole = np.bincount(read_digits().labels["digit"]) / 1797
    for split in vars(dataset).values():
        shares = np.bincount(split.labels["digit"], minlength=10) / len(split)
        # Each class is rounded to a whole number of rows.
        assert np.abs(shares - whole).max() <= 1 / len(split)


def test_splits_come_from_the_seed(compose):
    first, again, other = (load(compose(f"seed={seed}")).test.rows for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_split_too_small_for_the_classes_is_refused(compose):
    with pytest.raises(
        ConfigError, match=r"^data\.split\.test: expected a share that can be drawn"
    ):
        load(compose("data.split.test=0.003"))


def test_random_features_have_the_shapes_of_the_inputs_and_are_uniform(compose):
    config = compose("data=random", "model.inputs.image.shape=[2,3]", "data.examples=5000")
    dataset = load(config)
    values = dataset.train.features["image"]
    assert values.shape == (3500, 2, 3)
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() < 1
    # Moments of the uniform distribution: 1/2 and 1/12; standard errors 0.002 and 0.0005.
    assert abs(values.mean() - 0.5) < 0.01
    assert abs(values.var() - 1 / 12) < 0.003


def test_random_integers_are_zeros_and_ones(compose):
    config = compose("data=random", "model.inputs.image.dtype=int32")
    values = load(config).train.features["image"]
    assert values.dtype == np.int32
    assert set(np.unique(values)) == {0, 1}


def test_random_labels_are_classes(compose):
    labels = load(compose("data=random", "data.examples=2000")).train.labels["label"]
    assert set(np.unique(labels)) == set(range(10))


def test_batches_hold_every_row_in_order(compose):
    train = load(compose()).train
    batches = list(iterate_batches(train, 100))
    assert [len(batch) for batch in batches] == [100] * 12 + [58]
    np.testing.assert_array_equal(np.concatenate([batch.rows for batch in batches]), train.rows)


def test_each_epoch_has_an_order_of_its_own_from_the_seed(compose):
    train = load(compose()).train
    first, again = (order_epoch(train, seed=0, epoch=1).rows for _ in range(2))
    second = order_epoch(train, seed=0, epoch=2).rows
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)
    assert sorted(first) == sorted(second) == list(range(len(train)))


@pytest.mark.parametrize("seed", range(5))
def test_every_share_holds_every_class_to_a_row(compose, seed):
    config = compose("data.split.validation=0.15", "data.split.test=0.25", f"seed={seed}")
    dataset = load(config)
    sizes = np.bincount(read_digits().labels["digit"])
    held_out = np.bincount(dataset.test.labels["digit"])
    assert held_out.sum() == round(0.25 * 1797)
    assert np.abs(held_out - sizes * held_out.sum() / 1797).max() < 1


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["data.split.test=0.9", "data.split.validation=0.1"], "leaves none to train on."),
        (["data.split.test=0.003"], "There are 10 classes, and 5 of 1797 examples to hold out."),
    ],
)
def test_a_share_that_cannot_be_drawn_says_why(compose, overrides, reason):
    with pytest.raises(ConfigError) as caught:
        load(compose(*overrides))
    assert str(caught.value).endswith(reason)


def test_tumours_are_those_of_scikit_learn():
    source = load_breast_cancer()
    tumours = read_breast_cancer()
    joined = np.concatenate([tumours.features[name] for name in ("mean", "error", "worst")], axis=1)
    np.testing.assert_array_equal(joined, source.data.astype(np.float32))
    np.testing.assert_array_equal(tumours.labels["benign"], source.target)


def test_what_is_taken_can_be_shared_with_a_graph(compose):
    train = load(compose()).train
    for array in (*train.features.values(), *train.labels.values()):
        assert array.ctypes.data % 64 == 0
    texts = Examples({"text": np.array([b"a", b"bc"], object)}, {}, np.arange(2))
    assert texts.take(np.array([1, 0])).features["text"].tolist() == [b"bc", b"a"]
