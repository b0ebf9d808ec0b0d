"""The sets of keras.datasets, loaded by Keras from small files of the same form."""

import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.config import KERAS_DATASETS
from runner.data.reading import read_examples
from runner.data.sources.keras import read_keras
from runner.validation import validate
from tests.datasets import load_dataset
from tests.keras_cache import fill_cache, point_to

# Which Keras takes to have 50,000 pictures; cifar100 is of the same form.
SETS = sorted(set(KERAS_DATASETS) - {"cifar10"})
MODELS = {
    "california_housing": "regression",
    "cifar10": "resnet",
    "cifar100": "resnet",
    "imdb": "tokens",
    "reuters": "tokens",
}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    return fill_cache(monkeypatch, tmp_path / "keras")


@pytest.fixture
def compose_set(compose):
    return lambda name, *overrides: compose(
        f"model={MODELS.get(name, 'cnn')}", f"data={name}", *overrides
    )


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_as_its_yaml_declares(compose_set, cache, name):
    config = compose_set(name)
    validate(config)
    examples = read_examples(config.data, config.model.inputs, 0)
    for declared, arrays in (
        (config.data.features, examples.features),
        (config.data.labels, examples.labels),
    ):
        assert list(declared) == list(arrays)
        for key, tensor in declared.items():
            assert list(arrays[key].shape[1:]) == tensor.shape
            assert arrays[key].dtype.name == tensor.dtype
    assert len(config.data.class_names) in (0, config.data.classes)


def test_pictures_are_from_0_to_1_with_an_axis_of_channels(compose_set, cache):
    image = read_keras(compose_set("mnist").data).features["image"]
    every = np.concatenate([cache["x_train"], cache["x_test"]])
    np.testing.assert_array_equal(image[..., 0], every.astype(np.float32) / 255)
    assert (image.min(), image.max()) == (0, 1)
    np.testing.assert_array_equal(
        image, read_keras(compose_set("fashion_mnist").data).features["image"]
    )


def test_colours_come_last(compose_set, cache):
    (pictures, _), _ = keras.datasets.cifar100.load_data()
    image = read_keras(compose_set("cifar100").data).features["image"]
    np.testing.assert_array_equal(image[:200], pictures.astype(np.float32) / 255)


@pytest.mark.parametrize(("name", "maxlen"), [("imdb", 5), ("imdb", 20), ("reuters", 8)])
def test_texts_are_those_of_keras_padded_at_the_end(compose_set, cache, name, maxlen):
    config = compose_set(name, f"data.pad.tokens.length={maxlen}", "data.num_words=30")
    (train, _), (test, _) = getattr(keras.datasets, name).load_data(num_words=30)
    padded = keras.utils.pad_sequences(
        [*train, *test], maxlen=maxlen, padding="post", truncating="post"
    )
    tokens = read_examples(config.data, config.model.inputs, 0).features["tokens"]
    np.testing.assert_array_equal(tokens, padded)
    assert tokens.max() < 30


def test_the_published_test_is_the_test(compose_set, cache):
    config = compose_set("mnist", "data.split.validation=0.25")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    assert sorted(dataset.test.rows) == list(range(40, 60))
    assert [len(dataset.train), len(dataset.validation)] == [30, 10]
    assert sorted([*dataset.train.rows, *dataset.validation.rows]) == list(range(40))
    assert np.bincount(dataset.validation.labels["digit"]).tolist() == [1] * 10


def test_shares_may_be_drawn_of_all(compose_set, cache):
    shares = ["data.split.test=0.5", "data.split.validation=0"]
    config = compose_set("mnist", "data.split.column=null", *shares)
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    assert len(dataset.test) == 30
    assert min(dataset.test.rows) < 40


def test_a_set_that_cannot_be_downloaded_says_where_to_put_it(
    compose_set, monkeypatch, tmp_path, capsys
):
    point_to(monkeypatch, tmp_path)

    def retrieve(origin, target, _):
        Path(target).write_bytes(b"half of it")
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", retrieve)
    with pytest.raises(ConfigError) as caught:
        read_keras(compose_set("mnist").data)
    assert str(caught.value) == (
        "data.dataset: mnist is not in Keras's cache and cannot be downloaded: URL fetch failure "
        "on https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz: None -- no "
        "network. Download it where there is a network, and put it here as "
        f"{tmp_path / 'datasets' / 'mnist.npz'}."
    )
    assert list((tmp_path / "datasets").iterdir()) == []


def test_a_file_that_is_cut_short_is_named(compose_set, cache, tmp_path):
    file = tmp_path / "keras" / "datasets" / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ConfigError) as caught:
        read_keras(compose_set("fashion_mnist").data)
    message = str(caught.value)
    assert message.startswith("data.dataset: fashion_mnist cannot be read: EOFError(")
    assert str(file) in message
    assert message.endswith(" to have it downloaded again.")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "data.dataset=mnst",
            "data.dataset: expected a set of keras.datasets; received 'mnst' (str). "
            "Did you mean 'mnist'?",
        ),
        (
            "data.split.column=fold",
            "data.split.column: expected split, the only column of keras.datasets; "
            "received 'fold' (str).",
        ),
        (
            "data.split.test_file=other.npz",
            "data.split.test_file: expected null, since data 'mnist' takes no further files; "
            "received 'other.npz' (str).",
        ),
    ],
)
def test_wrong_options_are_named(compose_set, override, message):
    with pytest.raises(ConfigError) as caught:
        validate(compose_set("mnist", override))
    assert message in str(caught.value).splitlines()
