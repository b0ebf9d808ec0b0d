"""Arrays in NumPy's files: an .npz, or a folder of .npy."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem, did_you_mean, expected
from models.registry import DTYPES
from runner.config import ArraysDataConfig
from runner.data.description import Description, check_columns, split_columns
from runner.data.digests import digest_files
from runner.data.examples import Blocks, Examples, LazyColumn
from runner.data.memory import is_streamed
from runner.data.missing import choose_rows, warn_of_dropped
from runner.example_weights import list_labels

Value = TypeVar("Value")

_STRETCH_ROWS = 10_000
_HINT = "Set data.missing to drop such rows or to keep them, or data.fill to a number."


def describe_arrays(config: ArraysDataConfig) -> Description:
    """Returns the shapes and dtypes of the arrays; of the first target also how many classes.

    Raises:
        ConfigError: If a file cannot be read, or arrays do not belong together.
    """
    arrays = _open_arrays(config)
    tensors = {name: _describe(config, name, array) for name, array in arrays.items()}
    features, labels = _part(config, tensors)
    return Description(features, labels, _count_classes(config, arrays))


def read_arrays(config: ArraysDataConfig) -> Examples:
    """Returns the rows of the arrays.

    Raises:
        ConfigError: If a file cannot be read, or a value is missing and that is refused.
    """
    arrays = dict(_open_arrays(config))
    _read_npz.cache_clear()
    if is_streamed(config, sum(array.nbytes for array in arrays.values())):
        return _open_stream(config, arrays)
    floats = {name: array for name, array in arrays.items() if array.dtype.kind in "fc"}
    if config.fill is not None:
        # NaN alone: an infinity is a value, if rarely a good one.
        arrays |= {
            name: np.where(np.isnan(array), array.dtype.type(config.fill), array)
            for name, array in floats.items()
        }
        floats = {}
    rows = np.arange(len(next(iter(arrays.values()))))
    if floats:
        missing = {name: _has_nan(array) for name, array in floats.items()}
        rows = choose_rows(missing, config.missing, _HINT, rows)
    features, labels = _part(config, arrays)
    columns = {name: arrays[name] for name in split_columns(config)}
    every = np.arange(len(next(iter(arrays.values()))))
    ids = None if config.id is None else arrays[config.id]
    return Examples(features, labels, every, columns, ids).select(rows)


def _open_stream(config: ArraysDataConfig, arrays: Mapping[str, np.ndarray]) -> Examples:
    """Returns the rows of arrays that are read from their files when they are asked for."""
    if Path(config.file).is_file():
        hint = "Put each array into a file of its own, or set data.stream=false."
        what = "a folder of .npy to stream"
        raise ConfigError([expected("data.file", what, config.file, hint)])
    features, labels = _part(config, arrays)
    reader = _ArrayReader(config, arrays)
    rows = np.arange(len(next(iter(arrays.values()))))
    if config.missing == "drop" and config.fill is None:
        stretches = np.array_split(rows, -(-len(rows) // _STRETCH_ROWS))
        every = len(rows)
        rows = np.concatenate([reader.find_complete(stretch) for stretch in stretches])
        warn_of_dropped(every - len(rows), every)
    columns = {name: arrays[name][rows] for name in split_columns(config)}
    return Examples(
        {
            name: LazyColumn(reader, name, rows, array.shape[1:], array.dtype)
            for name, array in features.items()
        },
        reader.read(rows, list(labels)),
        rows,
        columns,
        None if config.id is None else columns[config.id],
    )


class _ArrayReader:
    """Reads rows of arrays that are mapped into memory."""

    blocks: Blocks | None = None
    lengths: np.ndarray | None = None
    by_tensors = None

    def __init__(self, config: ArraysDataConfig, arrays: Mapping[str, np.ndarray]) -> None:
        self._config = config
        self._arrays = arrays

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns `rows` of arrays, (rows, ...) by name.

        Raises:
            ConfigError: If one holds NaN, and that is refused.
        """
        taken = {name: np.asarray(self._arrays[name][rows]) for name in names}
        for name, array in taken.items():
            if array.dtype.kind in "fc" and self._config.fill is not None:
                fill = array.dtype.type(self._config.fill)
                taken[name] = np.where(np.isnan(array), fill, array)
        if self._config.missing == "refuse":
            missing = {
                name: _has_nan(array) for name, array in taken.items() if array.dtype.kind in "fc"
            }
            choose_rows(missing, "refuse", _HINT, rows)
        return taken

    def find_complete(self, rows: np.ndarray) -> np.ndarray:
        """Returns those of `rows` that hold no NaN."""
        missing = [
            _has_nan(np.asarray(array[rows]))
            for array in self._arrays.values()
            if array.dtype.kind in "fc"
        ]
        complete: np.ndarray = rows[~np.logical_or.reduce([np.zeros(len(rows), bool), *missing])]
        return complete

    def digest(self) -> str:
        """Returns text of the sizes of the files and what is in parts of them."""
        return digest_files(sorted(Path(self._config.file).glob("*.npy")), self._config)


def _open_arrays(config: ArraysDataConfig) -> dict[str, np.ndarray]:
    path = Path(config.file)
    if path.is_dir():
        arrays = _read_folder(path)
    elif path.is_file():
        state = path.stat()
        arrays = _read_npz(path, state.st_mtime_ns, state.st_size)
    else:
        raise ConfigError([expected("data.file", "an .npz file, or a folder of .npy", config.file)])
    problems = []
    if not arrays:
        problems.append(expected("data.file", "a file with arrays in it", config.file))
    for index, target in enumerate(config.targets):
        if target not in arrays:
            hint = did_you_mean(target, list(arrays))
            place = f"data.targets[{index}]"
            problems.append(expected(place, f"an array of {path.name}", target, hint))
    problems += check_columns(config, list(arrays), f"an array of {path.name}")
    for name, array in arrays.items():
        if array.ndim == 0:
            what = f"an array with an axis of examples as {name!r} of {path.name}"
            problems.append(expected("data.file", what, array.item()))
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        message = f"expected as many rows in each array of {path.name}; they have: {told}."
        problems.append(Problem("data.file", message))
    elif lengths and not max(lengths.values()):
        problems.append(Problem("data.file", f"expected examples; {path.name} has no row."))
    if problems:
        raise ConfigError(problems)
    return arrays


@lru_cache(maxsize=1)
def _read_npz(path: Path, mtime_ns: int, size: int) -> dict[str, np.ndarray]:
    """Returns the arrays of a file, which is asked for once to be described and once to be read."""
    try:
        with path.open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as loaded:
            return {name: _read_entry(path, loaded, name) for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        hint = "Of .npy files give the folder that they are in." if path.suffix == ".npy" else ""
        message = f"{path.name} cannot be read as .npz: {error}. {hint}".rstrip()
        raise ConfigError([Problem("data.file", message)]) from error


def _read_entry(path: Path, loaded: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    try:
        return loaded[name]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        message = f"the array {name!r} of {path.name} cannot be read: {error}"
        raise ConfigError([Problem("data.file", message)]) from error


def _read_folder(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for file in sorted(path.glob("*.npy")):
        try:
            arrays[file.stem] = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            problem = Problem("data.file", f"{file.name} cannot be read: {error}")
            raise ConfigError([problem]) from error
    return arrays


def _describe(config: ArraysDataConfig, name: str, array: np.ndarray) -> TensorConfig:
    dtype = "string" if array.dtype.kind in "SU" else array.dtype.name
    if dtype not in DTYPES:
        what = f"an array of a dtype that TensorFlow has as {name!r} of {Path(config.file).name}"
        raise ConfigError([expected("data.file", what, dtype)])
    return TensorConfig(shape=list(array.shape[1:]), dtype=dtype)


def _count_classes(config: ArraysDataConfig, arrays: Mapping[str, np.ndarray]) -> int | None:
    """Returns how many classes the first target has; None where it is no class."""
    if not config.targets:
        return None
    target = arrays[config.targets[0]]
    if target.ndim != 1 or target.dtype.kind not in "iub":
        return None
    least = target.min()
    if least < 0:
        row = int(np.flatnonzero(target == least)[0])
        what = f"classes counted from 0 in {config.targets[0]!r}, such as in row {row}"
        raise ConfigError([expected("data.targets[0]", what, int(least))])
    # A name may be that of a class of which there is no example.
    return max(int(target.max()) + 1, len(config.class_names))


def _part(
    config: ArraysDataConfig, values: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Returns the features and the labels among `values`."""
    labels = {name: values[name] for name in list_labels(config)}
    others = {*labels, *split_columns(config)}
    return {name: value for name, value in values.items() if name not in others}, labels


def _has_nan(array: np.ndarray) -> np.ndarray:
    """Returns (rows,) whether a value of each is NaN."""
    is_nan: np.ndarray = np.isnan(array).reshape(len(array), -1).any(axis=1)
    return is_nan
