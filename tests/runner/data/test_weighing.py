"""What examples count: where weights come from, what a loss makes of them, what is refused."""

import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.labels import decode_classes
from runner.data.reading import read_examples
from runner.data.weighing import check_sample_weight
from runner.validation import validate
from tests.datasets import load_dataset
from tests.opening import open_experiment

TABLE = "age,trust,group\n36,1,b\n41,0,a\n53,2,b\n71,,c\n85,0.5,a\n81,1,c\n"


@pytest.fixture
def compose_table(compose, tmp_path):
    (tmp_path / "people.csv").write_text(TABLE, encoding="utf-8")
    table = ["model=tabular", "data=table", f"data.file={tmp_path}/people.csv"]
    weighted = ["data.targets=[group]", "data.sample_weight=trust", "data.split.validation=0"]
    return lambda *overrides: compose(*table, *weighted, "data.split.test=0.5", *overrides)


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_column_of_weights_is_a_label_and_no_feature(compose_table):
    config = compose_table("data.columns.trust.fill=3", "data.split.test=0")
    validate_but_split(config)
    assert {name: (one.shape, one.dtype) for name, one in config.data.labels.items()} == {
        "group": ([], "int64"),
        "trust": ([], "float32"),
    }
    assert config.data.features["numbers"].shape == [1]
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    weights = dict(zip(train.features["numbers"][:, 0], train.labels["trust"], strict=True))
    assert weights == {36: 1, 41: 0, 53: 2, 71: 3, 85: 0.5, 81: 1}


def validate_but_split(config):
    message = error_of(validate, config)
    assert message.startswith("data.split.test: expected a share above 0"), message


def test_a_missing_weight_is_refused_as_any_missing_value(compose_table):
    config = compose_table()
    message = error_of(load_dataset, config.data, config.model.inputs, config.seed)
    assert "column 'trust' has none in row 3" in message


def test_an_array_of_weights_is_a_label_and_no_feature(compose, tmp_path):
    np.savez(tmp_path / "a.npz", image=np.ones((9, 4)), digit=np.arange(9), trust=np.arange(9))
    given = ["data=arrays", f"data.file={tmp_path}/a.npz", "data.targets=[digit]", "model=mlp"]
    data = compose(*given, "data.sample_weight=trust").data
    assert (list(data.features), list(data.labels)) == (["image"], ["digit", "trust"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.sample_weight=trusts"],
            "data.sample_weight: expected a column of the table; received 'trusts' (str). "
            "Did you mean 'trust'?",
        ),
        (
            ["data.columns.trust.type=categorical"],
            "data.columns.trust.type: expected numeric, since data.sample_weight names it; "
            "received 'categorical' (str).",
        ),
    ],
)
def test_a_column_that_cannot_be_weights_is_refused(compose_table, overrides, message):
    assert error_of(compose_table, *overrides) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.sample_weight=party"],
            "data.sample_weight: expected a label of data 'digits'; received 'party' (str). "
            "Did you mean 'parity'?",
        ),
        (
            ["data.class_weight=balance"],
            "data.class_weight: expected balanced, or a mapping of classes to weights; received "
            "'balance' (str).",
        ),
        (
            ["data.class_weight={one: 1.0}"],
            "data.class_weight: expected classes counted from 0 as keys; received 'one' (str).",
        ),
        (
            ["data.class_weight={ant: 1.0}", "data.class_names=[ant,bee]", "data.classes=2"],
            "data.class_weight: expected classes counted from 0 as keys; received 'ant' (str). "
            "Of the names, 0 is ant, 1 is bee.",
        ),
        (
            ["data.class_weight={1: -1.0}"],
            "data.class_weight.1: expected a number of 0 or more; received -1.0 (float).",
        ),
        (
            ["data.class_weight={12: 1.0}"],
            "data.class_weight: expected classes from 0 to 9 as keys; received 12 (int).",
        ),
        (
            ["data.class_weight=balanced", "model=multitask"],
            "data.class_weight: expected null for a model of 2 losses, as in Keras; received "
            "'balanced' (str). Use data.sample_weight.",
        ),
        (
            ["data.class_weight=balanced", "model=autoencoder"],
            "data.class_weight: expected null, since what the loss compares with, 'image', is no "
            "class; received 'balanced' (str).",
        ),
        (
            ["+model.metrics.accuracy.weighted=maybe"],
            "model.metrics.accuracy.weighted: expected true or false; received 'maybe' (str).",
        ),
    ],
)
def test_weights_that_cannot_be_are_refused(compose, overrides, message):
    assert error_of(validate, compose("model=mlp", *overrides)) == message


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_a_weight_below_zero_is_named_with_its_row(compose, wrong):
    config = compose("model=mlp", "data.sample_weight=parity")
    examples = load_dataset(config.data, config.model.inputs, config.seed).train
    check_sample_weight(examples, "parity")
    examples.labels["parity"] = examples.labels["parity"].astype(float)
    examples.labels["parity"][7] = wrong
    assert error_of(check_sample_weight, examples, "parity") == (
        "data.sample_weight: expected weights of 0 or more in 'parity', such as in row "
        f"{examples.rows[7]}; received {wrong} (float)."
    )


def test_a_weight_below_zero_is_named_in_a_file_that_is_a_split(compose_table, tmp_path):
    (tmp_path / "more.csv").write_text("age,trust,group\n20,1,a\n30,-2,b\n", encoding="utf-8")
    overrides = ["data.columns.trust.fill=1", f"data.split.test_file={tmp_path}/more.csv"]
    config = compose_table(*overrides)
    assert error_of(read_examples, config.data, config.model.inputs, config.seed) == (
        "data.split.test_file: in more.csv, data.sample_weight: expected weights of 0 or more in "
        "'trust', such as in row 1; received -2.0 (float)."
    )


def test_classes_are_read_of_each_form_of_labels():
    classes = np.array([2, 0, 1])
    for labels in (classes, classes[:, np.newaxis], np.eye(3)[classes], classes.astype(float)):
        np.testing.assert_array_equal(decode_classes(labels), classes)


def test_a_loss_of_many_values_an_example_is_multiplied_example_by_example(compose):
    """Keras multiplies (batch, 8, 8) losses by (batch,) weights along another axis."""
    config = compose("model=autoencoder", "data.sample_weight=parity")
    validate(config)
    rng = np.random.default_rng(5)
    image, weight = rng.random((8, 8, 8, 1), np.float32), rng.integers(0, 5, 8)
    with open_experiment(config) as (graph, session):
        evaluated = session.callable(graph.evaluation.evaluate)({"image": image, "parity": weight})
        output = session.callable(graph.predict)({"image": image})["outputs"]
    losses = np.square(output - image).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(evaluated["batch_loss"], (losses * weight).mean(), rtol=1e-5)


def test_a_fetched_loss_is_weighted_as_in_evaluation(compose):
    overrides = ["model=mlp", "data.sample_weight=parity", "data.class_weight={1: 7.0}"]
    config = compose(*overrides, "task=forward", "fetches={loss: loss, logits: logits}")
    validate(config)
    image = np.random.default_rng(5).random((8, 8, 8, 1), np.float32)
    digit, weight = np.arange(8), np.arange(8) % 3
    feeds = {"image": image, "digit": digit, "parity": weight}
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)(feeds)
    logits = fetched["logits"].astype(np.float64)
    likelihood = logits[np.arange(8), digit] - np.log(np.exp(logits).sum(axis=1))
    np.testing.assert_allclose(fetched["loss"], (-likelihood * weight).mean(), rtol=1e-5)
