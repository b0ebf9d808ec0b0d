"""Divides examples into training, validation and test."""

import numpy as np

from models.problems import ConfigError, expected
from runner.config import DataConfig
from runner.data.examples import Dataset, Examples


def split_examples(examples: Examples, config: DataConfig, seed: int) -> Dataset:
    """Returns the splits that `config` declares, drawn from `seed`: the same on every machine.

    Where the first label is a class, each split keeps the shares of the classes.

    Raises:
        ConfigError: If a split would be empty, or a class is too rare to be in each split.
    """
    strata = _strata(examples, config)
    random = np.random.default_rng(seed)
    rest = random.permutation(len(examples))
    held_out = {}
    for name in ("test", "validation"):
        share = getattr(config.split, name)
        count = round(share * len(examples))
        try:
            is_taken = _choose(strata[rest], count)
        except ValueError as error:
            what = f"a share that can be drawn from {len(examples)} examples"
            raise ConfigError([expected(f"data.split.{name}", what, share, str(error))]) from error
        held_out[name], rest = rest[is_taken], rest[~is_taken]
    return Dataset(
        train=examples.take(rest),
        validation=examples.take(held_out["validation"]),
        test=examples.take(held_out["test"]),
    )


def _choose(strata: np.ndarray, count: int) -> np.ndarray:
    """Chooses the first rows of each stratum, as many as are its share.

    Args:
        strata: (rows,) what each row is a case of, in random order.
        count: How many to choose.

    Returns:
        (rows,) whether each is chosen.

    Raises:
        ValueError: If nothing is left, or a stratum is not on both sides.
    """
    rows = len(strata)
    if count == 0:
        return np.zeros(rows, bool)
    if count >= rows:
        raise ValueError(f"It asks for {count} of {rows} examples, and leaves none to train on.")
    _, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    if min(count, rows - count) < len(sizes):
        raise ValueError(
            f"There are {len(sizes)} classes, and {count} of {rows} examples to hold out."
        )
    if sizes.min() < 2:
        raise ValueError("A class has a single example, which cannot be on both sides.")
    exact = count * sizes / rows
    quota = np.floor(exact).astype(int)
    # What rounding down left over goes to those that lost most.
    most_lost = np.argsort(quota - exact, kind="stable")
    quota[most_lost[: count - quota.sum()]] += 1
    by_stratum = np.argsort(stratum, kind="stable")
    place = np.empty(rows, int)
    place[by_stratum] = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    is_chosen: np.ndarray = place < quota[stratum]
    return is_chosen


def _strata(examples: Examples, config: DataConfig) -> np.ndarray:
    """Returns (rows,) the class of each example; all zeros where it has none."""
    if config.classes is not None and examples.labels:
        labels = next(iter(examples.labels.values()))
        if labels.ndim == 1:
            return labels
    return np.zeros(len(examples), int)
