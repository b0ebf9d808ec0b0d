"""What a configuration feeds in place of the data, by name. No TensorFlow."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from models.problems import Problem, did_you_mean, expected

_FILE_KEYS = {"file", "array"}
_SPARSE_KEYS = ("indices", "values", "dense_shape")
_SUFFIX = ".npz"


class SparseValue(NamedTuple):
    """A sparse value in the order of ``tf.compat.v1.SparseTensorValue``.

    Attributes:
        indices: (entries, axes) integers.
        values: (entries,) of any dtype.
        dense_shape: (axes,) integers.
    """

    indices: np.ndarray
    values: np.ndarray
    dense_shape: np.ndarray


FeedValue: TypeAlias = np.ndarray | SparseValue


@dataclass(frozen=True)
class FeedSource:
    """Where the value of one feed is.

    Attributes:
        path: Its place in the configuration.
        value: The value itself, as YAML has it; None where it is in a file.
        file: The .npz file that holds it; None where it stands in the YAML.
        array: The file's array.
    """

    path: str
    value: Any = None
    file: str | None = None
    array: str = ""


def flatten_feeds(feeds: Any) -> dict[str, FeedSource]:
    """Returns where each value is by dotted name; nothing for a file that cannot be listed.

    Args:
        feeds: A .npz file, all of whose arrays are fed, or a mapping of name to a value, a .npz
            file or ``{file, array}``; mappings may be nested.
    """
    if isinstance(feeds, str):
        names = _list_arrays(feeds) or []
        return {name: FeedSource("feeds", file=feeds, array=name) for name in _merge(names)}
    return dict(_flatten(feeds, "")) if isinstance(feeds, Mapping) else {}


def validate_feeds(feeds: Any) -> Iterator[Problem]:
    """Yields what is wrong with the files and the values of `feeds`, but for where they go."""
    if isinstance(feeds, str):
        yield from _validate_file("feeds", feeds)
    elif not isinstance(feeds, Mapping):
        yield expected("feeds", "a mapping of name to value, or an .npz file", feeds)
    else:
        for source in flatten_feeds(feeds).values():
            if source.file is not None:
                yield from _validate_file(source.path, source.file, source.array)
            else:
                yield from _validate_value(source)


def read_feeds(feeds: Any) -> dict[str, FeedValue]:
    """Returns the value of each feed by dotted name.

    Args:
        feeds: What ``validate_feeds`` finds nothing wrong with.
    """
    return {name: _read(source) for name, source in flatten_feeds(feeds).items()}


def _flatten(feeds: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, FeedSource]]:
    for key, value in feeds.items():
        name = f"{prefix}{key}"
        path = f"feeds.{name}"
        if isinstance(value, str) and value.endswith(_SUFFIX):
            yield name, FeedSource(path, file=value, array=name)
        elif isinstance(value, Mapping) and "file" in value and set(value) <= _FILE_KEYS:
            array = str(value.get("array", name))
            yield name, FeedSource(path, file=str(value["file"]), array=array)
        elif isinstance(value, Mapping) and set(value) != set(_SPARSE_KEYS):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, FeedSource(path, value=value)


def _list_arrays(file: str) -> list[str] | None:
    """Returns the names of a file's arrays, None if it has none to name."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return None


def _merge(names: Sequence[str]) -> list[str]:
    """Returns `names`, the three of a sparse value as the one that they are of."""
    sparse = {
        stem
        for stem, _, part in (name.rpartition(".") for name in names)
        if part == _SPARSE_KEYS[0] and all(f"{stem}.{key}" in names for key in _SPARSE_KEYS)
    }
    parts = {f"{stem}.{key}": stem for stem in sparse for key in _SPARSE_KEYS}
    return list(dict.fromkeys(parts.get(name, name) for name in names))


def _validate_file(path: str, file: str, array: str | None = None) -> Iterator[Problem]:
    names = _list_arrays(file)
    if names is None:
        hint = "" if Path(file).exists() else f"There is nothing at {Path(file).absolute()}."
        yield expected(path, f"a file of arrays, {_SUFFIX}", file, hint)
    elif array is not None and array not in _merge(names):
        yield expected(path, f"an array of {file}", array, did_you_mean(array, _merge(names)))


def _validate_value(source: FeedSource) -> Iterator[Problem]:
    what = "numbers in lists of equal length, or {indices, values, dense_shape}"
    try:
        value = _read(source)
    except (ValueError, TypeError):
        yield expected(source.path, what, source.value)
        return
    parts = value if isinstance(value, SparseValue) else (value,)
    if any(part.dtype.kind == "O" for part in parts):
        yield expected(source.path, what, source.value)


def _read(source: FeedSource) -> FeedValue:
    if source.file is not None:
        with np.load(source.file, allow_pickle=False) as arrays:
            if source.array in arrays:
                found: np.ndarray = arrays[source.array]
                return found
            return SparseValue(*(arrays[f"{source.array}.{key}"] for key in _SPARSE_KEYS))
    if isinstance(source.value, Mapping):
        return SparseValue(*(np.asarray(source.value[key]) for key in _SPARSE_KEYS))
    return np.asarray(source.value)
