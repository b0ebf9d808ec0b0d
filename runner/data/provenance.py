"""Says what a run saw: where its examples come from, how many there are, and a digest of them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from runner.config import (
    SPLIT_FILES,
    DataConfig,
    FileDataConfig,
    KerasDataConfig,
    OwnDataConfig,
    RandomDataConfig,
    SyntheticDataConfig,
)
from runner.data.digests import digest_source_files
from runner.data.examples import Examples, LazyColumn
from runner.data.labels import name_classes, read_classes
from runner.example_weights import read_weights
from runner.results import DataResult, SplitSummary

# Labels of more values than these are not taken for classes.
MOST_CLASSES = 1000
_DIGEST_BYTES = 8


def describe_data(
    config: DataConfig, seed: int, examples: Examples, splits: Mapping[str, Examples]
) -> DataResult:
    """Returns what is logged of the data.

    Args:
        config: The data.
        seed: What random examples are drawn from.
        examples: All that the source gave.
        splits: What the run takes of it, by name.
    """
    return DataResult(
        name=config.name,
        source=_name_source(config, seed),
        digest=digest_examples(examples),
        source_digest=digest_source(config, examples),
        features={name: asdict(tensor) for name, tensor in config.features.items()},
        labels={name: asdict(tensor) for name, tensor in config.labels.items()},
        splits={
            name: SplitSummary(
                len(split), digest_examples(split), dict(_count_classes(split, config))
            )
            for name, split in splits.items()
            if len(split)
        },
        class_weight=read_weights(config).by_class,
    )


def digest_examples(examples: Examples) -> str:
    """Returns 16 hexadecimal digits that are others where a value, a dtype or a row is.

    Of what is lazy, where what its reader tells of its content is.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    arrays = {
        **{f"feature {name}": array for name, array in examples.features.items()},
        **{f"label {name}": array for name, array in examples.labels.items()},
        "rows": examples.rows,
    }
    for name, array in sorted(arrays.items()):
        if isinstance(array, LazyColumn):
            told = f"{name} {array.dtype} {array.item_shape} {array.reader.digest()}"
            digest.update(told.encode())
            continue
        # Of text, as it is spelled; its objects have no bytes of their own.
        plain = array.astype(str) if array.dtype.hasobject else array
        digest.update(f"{name} {plain.dtype.str} {plain.shape}".encode())
        digest.update(np.ascontiguousarray(plain).data.cast("B") if plain.size else b"")
    for name, split in sorted(examples.further.items()):
        digest.update(f"{name} {digest_examples(split)}".encode())
    return digest.hexdigest()


def digest_source(config: DataConfig, examples: Examples) -> str | None:
    """Returns 16 hexadecimal digits that are others where the source is, however it is read.

    Args:
        config: The data.
        examples: All that the source gave.

    Returns:
        Of files, of their content; of a function of the user's own, of what it gave; None for a
        source that is always the same.
    """
    match config:
        case FileDataConfig():
            files = [replace(config, file=file) for file in _list_files(config)]
            content = " ".join(map(digest_source_files, files))
            return hashlib.blake2b(content.encode(), digest_size=_DIGEST_BYTES).hexdigest()
        case OwnDataConfig():
            return digest_examples(examples)
        case _:
            return None


def _list_files(config: FileDataConfig) -> list[str]:
    further = [getattr(config.split, key) for key in SPLIT_FILES]
    return [config.file, *(file for file in further if file is not None)]


def _name_source(config: DataConfig, seed: int) -> str:
    match config:
        case FileDataConfig():
            return ", ".join(str(Path(file).resolve()) for file in _list_files(config))
        case KerasDataConfig():
            return f"keras.datasets.{config.dataset}"
        case OwnDataConfig():
            given = {"seed": seed, **config.source}
            arguments = [f"{key}={value!r}" for key, value in given.items() if key != "class"]
            return f"{config.source['class']}({', '.join(arguments)})"
        case RandomDataConfig() | SyntheticDataConfig():
            return f"drawn from seed {seed}"
        case _:
            return f"scikit-learn {version('scikit-learn')}"


def _count_classes(
    examples: Examples, config: DataConfig
) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Yields how many examples there are of each value of the labels that are classes."""
    for name in examples.labels:
        classes = read_classes(name, examples, config)
        if classes is None:
            continue
        counts = count_values(classes, name_classes(config, name))
        if len(counts) <= MOST_CLASSES:
            yield name, counts


def count_values(array: np.ndarray, names: Sequence[str] = ()) -> Mapping[str, int]:
    """Returns how often each value is in a (rows,) array of integers or booleans.

    Args:
        array: The values.
        names: What they are called, by their number; none for the numbers themselves.
    """
    values, counts = np.unique(array, return_counts=True)
    named = [names[int(value)] if names else str(value) for value in values.tolist()]
    return dict(zip(named, counts.tolist(), strict=True))
