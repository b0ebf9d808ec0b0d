"""Divides examples into training, validation and test, the same way on every machine."""

from collections.abc import Sequence

import numpy as np

from models.problems import ConfigError, Problem, expected
from runner.config import (
    DataConfig,
    EvaluateConfig,
    ExperimentConfig,
    PredictConfig,
    SplitConfig,
    TrainConfig,
)
from runner.data.examples import Dataset, Examples
from runner.data.labels import read_classes

# The column that says in which split rows are, or that they are drawn, where a source knows.
PLACES = "data.split"
FREE = ""
SPLITS = ("train", "validation", "test")
ALL = "all"
_HELD_OUT = ("test", "validation")


def choose_splits(config: ExperimentConfig, examples: Examples) -> dict[str, Examples]:
    """Returns what the task takes of `examples`, by split; the whole is ``all``.

    Raises:
        ConfigError: If a split would be empty, or cannot be made in the way that is declared.
    """
    match config.task:
        case EvaluateConfig(splits=list(names)):
            path = "task.splits"
        case PredictConfig(split=name):
            names, path = [name], "task.split"
        case _:
            dataset = split_examples(examples, config.data, config.seed)
            if isinstance(config.task, TrainConfig):
                _check_batches(config.data, len(dataset.train))
            return dict(vars(dataset))
    splits = {ALL: examples}
    if set(names) != {ALL}:
        splits |= vars(split_examples(examples, config.data, config.seed))
    for name in names:
        if not len(splits[name]):
            raise ConfigError([expected(path, "splits with examples in them", name)])
    return {name: splits[name] for name in names}


def _check_batches(config: DataConfig, trained: int) -> None:
    if config.drop_remainder and trained < config.batch_size:
        what = (
            f"{trained} or fewer, as there are examples to train on and data.drop_remainder is set"
        )
        raise ConfigError([expected("data.batch_size", what, config.batch_size)])


def split_examples(examples: Examples, config: DataConfig, seed: int) -> Dataset:
    """Returns the splits that `config` declares; what is drawn is drawn from `seed`.

    Where the first label is a class, each split keeps the shares of the classes.

    Raises:
        ConfigError: If a split would be empty, or cannot be made in the way that is declared.
    """
    places = _place(examples, config)
    rows = {name: np.flatnonzero(places == name) for name in SPLITS}
    free = np.flatnonzero(places == FREE)
    if len(free):
        names = [name for name in _HELD_OUT if not len(rows[name]) and name not in examples.further]
        if config.split.time is not None:
            rows |= _split_by_time(examples.columns[config.split.time], free, names, config.split)
        else:
            rows |= _draw(examples, free, names, config, seed)
    for name in SPLITS:
        if not len(rows[name]) and name not in examples.further and _is_needed(config, name):
            message = f"expected examples in each split; none of {len(examples)} is in {name}."
            raise ConfigError([Problem("data.split", message)])
    if config.shards > len(rows["train"]):
        what = f"up to {len(rows['train'])}, as many as there are examples to train on"
        raise ConfigError([expected("data.shards", what, config.shards)])
    # As many to each worker, so that all take as many steps.
    even = len(rows["train"]) // config.shards * config.shards
    rows["train"] = rows["train"][config.shard : even : config.shards]
    if any(column.reader.blocks is not None for column in examples.lazy.values()):
        # What is read in blocks is read in order; training draws an order of its own.
        rows = {name: np.sort(places) for name, places in rows.items()}
    splits = {name: examples.select(rows[name]) for name in SPLITS}
    return Dataset(**{**splits, **examples.further})


def read_places(values: np.ndarray, column: str) -> np.ndarray:
    """Returns (rows,) the split of each row, as a column says.

    Raises:
        ConfigError: If the column says anything else.
    """
    names: np.ndarray = values.astype(str)
    is_known = np.isin(names, SPLITS)
    if not is_known.all():
        what = f"one of {', '.join(SPLITS)} in each row of {column!r}"
        raise ConfigError([expected("data.split.column", what, str(names[~is_known][0]))])
    return names


def _place(examples: Examples, config: DataConfig) -> np.ndarray:
    """Returns (rows,) the split that each row is given to, ``FREE`` where it is drawn."""
    if PLACES in examples.columns:
        return examples.columns[PLACES]
    column = config.split.column
    if column is None:
        return np.full(len(examples), FREE)
    places = read_places(examples.columns[column], column)
    has_test, has_validation = ((places == name).any() for name in _HELD_OUT)
    if has_test and not has_validation and config.split.validation > 0:
        places[places == "train"] = FREE
    return places


def _is_needed(config: DataConfig, name: str) -> bool:
    if name == "train" or (name == "test" and config.fold is not None):
        return True
    if config.split.column is not None:
        return name == "test"
    return bool(getattr(config.split, name) > 0)


def _split_by_time(
    times: np.ndarray, free: np.ndarray, names: Sequence[str], split: SplitConfig
) -> dict[str, np.ndarray]:
    """Returns the rows of each split; those of one time are all in one split, the later one."""
    order = free[np.argsort(times[free], kind="stable")]
    ordered = times[order]
    rows = {}
    end = len(order)
    for name in names:
        count = round(getattr(split, name) * len(order))
        start = max(end - count, 0)
        if count and start < end:
            start = int(np.searchsorted(ordered, ordered[start]))
        rows[name], end = order[start:end], start
    return {**rows, "train": order[:end]}


def _draw(
    examples: Examples, free: np.ndarray, names: Sequence[str], config: DataConfig, seed: int
) -> dict[str, np.ndarray]:
    """Returns the rows of each split among those of `free`, drawn from `seed`."""
    rest = free[np.random.default_rng(seed).permutation(len(free))]
    groups = None if config.split.group is None else examples.columns[config.split.group]
    strata = _strata(examples, config)
    rows = {}
    for name in names:
        share = getattr(config.split, name)
        count = round(share * len(free))
        try:
            if name == "test" and config.fold is not None:
                is_taken = _deal(strata, rest, groups, config.folds) == config.fold
            elif groups is None:
                is_taken = _choose(strata[rest], count, names=config.class_names)
            else:
                is_taken = _choose_groups(groups[rest], count)
        except ValueError as error:
            what = f"a share that can be drawn from {len(free)} examples"
            raise ConfigError([expected(f"data.split.{name}", what, share, str(error))]) from error
        rows[name], rest = rest[is_taken], rest[~is_taken]
    return {**rows, "train": rest}


def _deal(
    strata: np.ndarray, order: np.ndarray, groups: np.ndarray | None, folds: int
) -> np.ndarray:
    """Returns (rows,) the fold of each row in `order`, all of which are about as large.

    Args:
        strata: (rows,) what each example is a case of; each fold has its share of each.
        order: (rows,) the examples in random order.
        groups: (rows,) to which group each example belongs, of which none is divided; None where
            there are none. Then the strata are not looked at.
        folds: How many.
    """
    fold_of = np.empty(len(order), int)
    if groups is None:
        by_stratum = np.argsort(strata[order], kind="stable")
        fold_of[by_stratum] = np.arange(len(order)) % folds
        return fold_of
    _, first, group, sizes = np.unique(
        groups[order], return_index=True, return_inverse=True, return_counts=True
    )
    sums = np.zeros(folds, int)
    fold_of_group = np.empty(len(sizes), int)
    # The largest first, each to the fold that has least; those of one size as they were drawn.
    for index in np.lexsort((first, -sizes)):
        fold_of_group[index] = sums.argmin()
        sums[fold_of_group[index]] += sizes[index]
    return fold_of_group[group]


def _choose_groups(groups: np.ndarray, count: int) -> np.ndarray:
    """Chooses whole groups, in the order in which they first come, up to about `count` rows.

    Args:
        groups: (rows,) to which each row belongs, in random order.
        count: How many rows to choose, about.

    Returns:
        (rows,) whether each is chosen.
    """
    _, first, group, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    drawn = np.argsort(first)
    sums = np.cumsum(sizes[drawn])
    # Those whose middle lies before the count.
    is_chosen = np.empty(len(sizes), bool)
    is_chosen[drawn] = sums - sizes[drawn] / 2 < count
    return is_chosen[group]


def _choose(strata: np.ndarray, count: int, *, names: Sequence[str] = ()) -> np.ndarray:
    """Chooses the first rows of each stratum, as many as are its share.

    Args:
        strata: (rows,) what each row is a case of, in random order.
        count: How many to choose.
        names: What the strata are called, by their number; none for the numbers themselves.

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
    classes, stratum, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    if min(count, rows - count) < len(sizes):
        raise ValueError(
            f"There are {len(sizes)} classes, and {count} of {rows} examples to hold out."
        )
    if sizes.min() < 2:
        single = int(classes[sizes.argmin()])
        name = names[single] if names else single
        raise ValueError(f"Class {name!r} has a single example, which cannot be on both sides.")
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
        classes = read_classes(next(iter(examples.labels)), examples, config)
        if classes is not None:
            return classes
    return np.zeros(len(examples), int)
