"""The sets of ``keras.datasets``: from Keras's cache, or downloaded into it by Keras."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.problems import ConfigError, Problem
from runner.config import KerasDataConfig
from runner.data.examples import Batch

SPLIT = "split"

_LEVELS = 255
# What Keras names the files in its cache.
_FILES: Mapping[str, tuple[str, ...]] = {
    "california_housing": ("california_housing.npz",),
    "cifar10": ("cifar-10-batches-py-target_archive",),
    "cifar100": ("cifar-100-python-target_archive",),
    "fashion_mnist": (
        "fashion-mnist/train-labels-idx1-ubyte.gz",
        "fashion-mnist/train-images-idx3-ubyte.gz",
        "fashion-mnist/t10k-labels-idx1-ubyte.gz",
        "fashion-mnist/t10k-images-idx3-ubyte.gz",
    ),
    "imdb": ("imdb.npz",),
    "mnist": ("mnist.npz",),
    "reuters": ("reuters.npz",),
}
_TEXTS = ("imdb", "reuters")

Pair = tuple[np.ndarray, np.ndarray]


def read_keras(config: KerasDataConfig) -> Batch:
    """Returns the examples of the set, those that it is published with to train on first.

    ``image`` is (rows, height, width, channels) float32 from 0 to 1; ``tokens`` (rows,) objects,
    (words,) int32 each by how often a word occurs; ``numbers`` (rows, 8) float32. The column
    ``split`` says which rows are published as the test.

    Raises:
        ConfigError: If it is not in the cache and cannot be downloaded, or cannot be read.
    """
    train, test = _load(config)
    name, features = _read_features(config, [train[0], test[0]])
    labels = np.concatenate([train[1], test[1]]).reshape(len(features))
    (label,) = config.labels
    return Batch(
        {name: features},
        {label: labels.astype(np.int64 if config.classes else np.float32)},
        np.arange(len(features)),
        {SPLIT: np.repeat(["train", "test"], [len(train[1]), len(test[1])])},
    )


def _read_features(config: KerasDataConfig, parts: Sequence[np.ndarray]) -> tuple[str, np.ndarray]:
    if config.dataset in _TEXTS:
        return "tokens", np.concatenate([_list_words(part) for part in parts])
    features = np.concatenate(parts)
    if config.dataset == "california_housing":
        return "numbers", features.astype(np.float32)
    images = np.divide(features, np.float32(_LEVELS))
    return "image", images.reshape(*images.shape[:3], -1)


def _list_words(texts: np.ndarray) -> np.ndarray:
    """Returns (texts,) objects: the words of each, (words,) int32."""
    words = np.empty(len(texts), object)
    for index, text in enumerate(texts):
        words[index] = np.asarray(text, np.int32)
    return words


def _load(config: KerasDataConfig) -> tuple[Pair, Pair]:
    """Returns features and labels, of the training and of the test."""
    # This imports TensorFlow.
    from keras import datasets

    module = getattr(datasets, config.dataset)
    arguments = {"num_words": config.num_words} if config.dataset in _TEXTS else {}
    try:
        loaded: tuple[Pair, Pair] = module.load_data(**arguments)
    # Keras raises Exception itself where it cannot download.
    except Exception as error:
        raise ConfigError([Problem("data.dataset", _explain(config.dataset, error))]) from error
    return loaded


def _explain(dataset: str, error: Exception) -> str:
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    files = [folder / file for file in _FILES[dataset]]
    absent = [str(file) for file in files if not file.exists()]
    if absent:
        return (
            f"{dataset} is not in Keras's cache and cannot be downloaded: {error}. "
            f"Download it where there is a network, and put it here as {', '.join(absent)}."
        )
    return (
        f"{dataset} cannot be read: {error!r}. "
        f"Delete {', '.join(map(str, files))} to have it downloaded again."
    )
