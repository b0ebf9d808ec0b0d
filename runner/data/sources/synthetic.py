"""Examples made from the seed, of which something can be learned."""

from collections.abc import Iterator

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import SYNTHETIC_KINDS, SyntheticDataConfig
from runner.data.description import Description
from runner.data.examples import Batch

SHAPES = ("cylinder", "bell", "funnel")

# Of a series of 128 values, as they were published.
_PUBLISHED_LENGTH = 128
_LEAST_LENGTH = 8
_FIRST_START, _LAST_START = 16, 32
_SHORTEST, _LONGEST = 32, 96
_HEIGHT = 6.0


def describe_synthetic(config: SyntheticDataConfig) -> Description:
    """Returns the shapes and the classes that the numbers of the configuration make.

    Raises:
        ConfigError: If these cannot be had together.
    """
    problems = list(_check(config))
    if problems:
        raise ConfigError(problems)
    numbers = {"numbers": TensorConfig([config.numbers], "float32")}
    match config.kind:
        case "regression":
            return Description(numbers, {"target": TensorConfig([], "float32")}, None)
        case "classification":
            return Description(numbers, {"class": TensorConfig([], "int64")}, config.classes)
    series = {"series": TensorConfig([config.length, config.channels], "float32")}
    names = SHAPES[: config.classes]
    return Description(series, {"class": TensorConfig([], "int64")}, config.classes, names)


def make_synthetic(config: SyntheticDataConfig, seed: int) -> Batch:
    """Returns ``data.examples`` examples drawn from `seed`.

    For classification ``numbers`` (rows, numbers) and ``class``, by scikit-learn's
    ``make_classification`` with a cluster a class; for regression likewise and ``target``, by
    ``make_regression``; for sequences ``series`` (rows, length, channels) and ``class``.
    """
    if config.kind == "sequences":
        return _make_sequences(config, seed)
    # This imports scikit-learn, which takes its time.
    from sklearn.datasets import make_classification, make_regression

    if config.kind == "classification":
        numbers, labels = make_classification(
            n_samples=config.examples,
            n_features=config.numbers,
            n_informative=config.informative,
            n_redundant=0,
            n_classes=config.classes,
            n_clusters_per_class=1,
            flip_y=config.noise,
            random_state=seed,
        )
        named = {"class": labels.astype(np.int64)}
    else:
        numbers, labels = make_regression(
            n_samples=config.examples,
            n_features=config.numbers,
            n_informative=config.informative,
            noise=config.noise,
            random_state=seed,
        )
        named = {"target": labels.astype(np.float32)}
    return Batch({"numbers": numbers.astype(np.float32)}, named, np.arange(config.examples))


def _make_sequences(config: SyntheticDataConfig, seed: int) -> Batch:
    """Returns series of noise in which, for a while, a plateau, a rise or a fall stands out.

    As many of each class as of any other, in random order; start and end are drawn for the example,
    height and noise for each channel. Lengths are those published, to scale.

    Source: Saito, Local feature extraction and its applications using a library of bases (1994),
    the data set cylinder, bell and funnel.
    """
    random = np.random.default_rng(seed)
    shape = (config.examples, config.length, config.channels)
    classes = random.permutation(np.arange(config.examples) % (config.classes or 1))
    scale = config.length / _PUBLISHED_LENGTH
    start = random.uniform(_FIRST_START, _LAST_START, (config.examples, 1)) * scale
    span = random.uniform(_SHORTEST, _LONGEST, (config.examples, 1)) * scale
    place = (np.arange(config.length) - start) / span
    is_within = (place >= 0) & (place <= 1)
    profiles = np.stack([np.ones_like(place), place, 1 - place])
    profile = np.where(is_within, profiles[classes, np.arange(config.examples)], 0.0)
    height = _HEIGHT + random.standard_normal((config.examples, 1, config.channels))
    series = profile[..., np.newaxis] * height + config.noise * random.standard_normal(shape)
    return Batch(
        {"series": series.astype(np.float32)},
        {"class": classes.astype(np.int64)},
        np.arange(config.examples),
    )


def _check(config: SyntheticDataConfig) -> Iterator[Problem]:
    if config.kind not in SYNTHETIC_KINDS:
        yield expected("data.kind", f"one of {', '.join(SYNTHETIC_KINDS)}", config.kind)
        return
    keys = ["examples"]
    keys += ["channels"] if config.kind == "sequences" else ["numbers", "informative"]
    for key in keys:
        if getattr(config, key) < 1:
            yield expected(f"data.{key}", "a number of 1 or more", getattr(config, key))
    if config.noise < 0 or (config.kind == "classification" and config.noise > 1):
        what = "a share from 0 to 1" if config.kind == "classification" else "a number of 0 or more"
        yield expected("data.noise", what, config.noise)
    if config.kind == "sequences" and config.length < _LEAST_LENGTH:
        yield expected("data.length", f"a number of {_LEAST_LENGTH} or more", config.length)
    if config.kind != "sequences" and config.informative > config.numbers:
        what = f"a number of at most {config.numbers}, as data.numbers is"
        yield expected("data.informative", what, config.informative)
    yield from _check_classes(config)


def _check_classes(config: SyntheticDataConfig) -> Iterator[Problem]:
    if config.kind == "regression":
        return
    if config.kind == "sequences":
        most, why = len(SHAPES), f"the shapes are {', '.join(SHAPES)}"
    else:
        most = 2 ** min(config.informative, 30)
        why = f"data.informative is {config.informative}"
    if config.classes is None or not 1 < config.classes <= most:
        yield expected("data.classes", f"a number from 2 to {most}, since {why}", config.classes)
