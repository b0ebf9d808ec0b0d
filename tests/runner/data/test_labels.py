"""Labels that are classes: their range, their names, and as vectors."""

import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.provenance import describe_data
from runner.data.reading import read_examples
from runner.data.sources.digits import read_digits
from runner.validation import validate
from tests.datasets import load_dataset

ONE_HOT = "data.label_format=one_hot"


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.fixture
def compose_arrays(compose, tmp_path):
    def write(labels, *overrides):
        labels = np.asarray(labels)
        image = np.random.default_rng(0).random((len(labels), 8, 8, 1), np.float32)
        np.savez(tmp_path / "data.npz", image=image, kind=labels)
        file = f"data.file={tmp_path / 'data.npz'}"
        return compose("data=arrays", file, "data.targets=[kind]", *overrides)

    return write


def test_one_hot_labels_are_rows_of_the_identity(compose):
    config = compose(ONE_HOT)
    assert (config.data.labels["digit"].shape, config.data.labels["digit"].dtype) == (
        [10],
        "float32",
    )
    assert config.data.labels["parity"].shape == []
    digits = read_digits().labels["digit"]
    examples = read_examples(config.data, config.model.inputs, config.seed)
    np.testing.assert_array_equal(examples.labels["digit"], np.eye(10, dtype=np.float32)[digits])
    assert examples.labels["digit"].dtype == np.float32


def test_one_hot_labels_are_split_as_integers_are(compose):
    config, plain = compose(ONE_HOT), compose()
    one_hot, integers = (
        load_dataset(one.data, one.model.inputs, one.seed) for one in (config, plain)
    )
    np.testing.assert_array_equal(one_hot.test.rows, integers.test.rows)
    balance = describe_data(config.data, 0, one_hot.train, vars(one_hot)).splits["test"].balance
    counts = np.bincount(integers.test.labels["digit"])
    assert list(balance["digit"].values()) == counts.tolist()


def test_one_hot_labels_of_files_and_of_random_data(compose, compose_arrays):
    config = compose_arrays([0, 2, 1, 2], ONE_HOT)
    assert config.data.labels["kind"].shape == [3]
    examples = read_examples(config.data, config.model.inputs, 0)
    np.testing.assert_array_equal(examples.labels["kind"], np.eye(3)[[0, 2, 1, 2]])
    config = compose("data=random", ONE_HOT)
    drawn = read_examples(config.data, config.model.inputs, 0).labels["label"]
    plain = read_examples(compose("data=random").data, config.model.inputs, 0).labels["label"]
    np.testing.assert_array_equal(drawn, np.eye(10)[plain])


def test_a_label_outside_its_classes_is_refused_by_its_row(compose_arrays):
    config = compose_arrays([0, 1, 5, 1], "data.classes=3")
    assert error_of(read_examples, config.data, config.model.inputs, 0) == (
        "data.classes: expected a class from 0 to 2 in each row of 'kind'; received 5 (int). "
        "It stands in row 2, counted from 0."
    )


def test_classes_are_as_many_as_their_names(compose_arrays):
    names = "data.class_names=[ant,bee,cow,dog]"
    config = compose_arrays([0, 1, 2, 1], names)
    validate(config)
    assert config.data.classes == 4
    assert error_of(validate, compose_arrays([0, 1, 2, 1], names, "data.classes=3")) == (
        "data.class_names: expected 3 names, as data.classes is; "
        "received ['ant', 'bee', 'cow', 'dog'] (list)."
    )
    assert error_of(validate, compose_arrays([0, 1], "data.class_names=[ant,ant]")) == (
        "data.class_names: expected names that differ; received ['ant', 'ant'] (list)."
    )


def test_balance_is_told_by_name(compose):
    config = compose("model=tabular", "data=iris")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    balance = describe_data(config.data, 0, dataset.train, vars(dataset)).splits["test"].balance
    assert balance == {"species": {"setosa": 10, "versicolor": 10, "virginica": 10}}


def test_names_are_read_from_folders_and_categories(compose, tmp_path):
    images = compose("data=images", "data.file=tests/samples/digits").data
    assert images.class_names == list("0123456789")
    file = tmp_path / "pets.csv"
    file.write_text("weight,kind\n4.5,cat\n9,dog\n8,dog\n", encoding="utf-8")
    table = ["model=tabular", "data=table", f"data.file={file}", "data.targets=[kind]"]
    assert compose(*table).data.class_names == ["cat", "dog"]
    named = compose(*table, "data.class_names=[feline,canine]").data
    assert (named.class_names, named.classes) == (["feline", "canine"], 2)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.label_format=onehot"],
            "data.label_format: expected integer or one_hot; received 'onehot' (str). "
            "Did you mean 'one_hot'?",
        ),
        (
            ["model=regression", "data=diabetes", ONE_HOT],
            "data.label_format: expected integer, since the label of data 'diabetes' is no class; "
            "received 'one_hot' (str).",
        ),
    ],
)
def test_formats_that_cannot_be_are_refused(compose, overrides, message):
    assert error_of(validate, compose(*overrides)) == message
