"""Divides examples into training, validation and test."""

import numpy as np
from sklearn.model_selection import train_test_split

from models.problems import ConfigError, expected
from runner.config import DataConfig
from runner.data.examples import Dataset, Examples


def split_examples(examples: Examples, config: DataConfig, seed: int) -> Dataset:
    """Returns the splits that `config` declares, drawn from `seed`.

    Where the first label is a class, each split keeps the shares of the classes.

    Raises:
        ConfigError: If a split would be empty, or a class is too rare to be in each split.
    """
    strata = _strata(examples, config)
    rest = np.arange(len(examples))
    held_out = {}
    for name in ("test", "validation"):
        count = round(getattr(config.split, name) * len(examples))
        if count == 0:
            held_out[name] = rest[:0]
            continue
        try:
            rest, held_out[name] = train_test_split(
                rest,
                test_size=count,
                random_state=seed,
                stratify=None if strata is None else strata[rest],
            )
        except ValueError as error:
            what = f"a share that can be drawn from {len(examples)} examples"
            problem = expected(f"data.split.{name}", what, getattr(config.split, name), str(error))
            raise ConfigError([problem]) from error
    return Dataset(
        train=examples.take(rest),
        validation=examples.take(held_out["validation"]),
        test=examples.take(held_out["test"]),
    )


def _strata(examples: Examples, config: DataConfig) -> np.ndarray | None:
    if config.classes is None or not examples.labels:
        return None
    labels = next(iter(examples.labels.values()))
    return labels if labels.ndim == 1 else None
