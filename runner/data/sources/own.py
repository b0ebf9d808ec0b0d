"""A source of the user's own: a function, or a class, that returns features and labels."""

import importlib
import importlib.util
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from models.classes import OWN_MODULES, is_trusted
from models.config import TensorConfig
from models.problems import ConfigError, Problem, did_you_mean, expected
from models.registry import DTYPES
from runner.config import OwnDataConfig
from runner.data.description import Description
from runner.data.examples import Batch

_PLACE = "data.source"
_CLASS = "class"
_SEED = "seed"


def describe_own(config: OwnDataConfig, seed: int, trusted: Sequence[str]) -> Description:
    """Returns the shapes and dtypes of what the source returns; it is called once in a process.

    Args:
        config: The source.
        seed: What it is called with, if it takes one.
        trusted: Modules that may be named beside those of ``models``.

    Raises:
        ConfigError: If its module is not trusted or not there, it does not take the arguments, or
            it does not return examples.
    """
    check_own(config, trusted)
    examples = read_own(config, seed)
    features, labels = (
        {name: _describe(array) for name, array in arrays.items()}
        for arrays in (examples.features, examples.labels)
    )
    return Description(features, labels, _count_classes(config, examples))


def check_own(config: OwnDataConfig, trusted: Sequence[str]) -> None:
    """Refuses a source that is not of a trusted module.

    Raises:
        ConfigError: If it is not.
    """
    reference = config.source.get(_CLASS)
    path = f"{_PLACE}.{_CLASS}"
    if not isinstance(reference, str) or "." not in reference:
        what = "a function or a class such as my_package.my_module.read_flowers"
        raise ConfigError([expected(path, what, reference)])
    module = reference.rpartition(".")[0]
    if not is_trusted(module, trusted):
        hint = f"Add it, if you trust its code: trusted_modules=[{module}]."
        listed = ", ".join((*OWN_MODULES, *trusted))
        what = f"a function or a class of a trusted module ({listed})"
        raise ConfigError([expected(path, what, reference, hint)])


def read_own(config: OwnDataConfig, seed: int) -> Batch:
    """Returns what the source returns, of a module that ``check_own`` lets pass.

    Raises:
        ConfigError: If it cannot be called so, or does not return examples.
    """
    arguments = {key: value for key, value in config.source.items() if key != _CLASS}
    return _call_once(config.source[_CLASS], json.dumps(arguments, sort_keys=True), seed)


@lru_cache(maxsize=1)
def _call_once(reference: str, arguments: str, seed: int) -> Batch:
    """Returns what is asked for once to be described and once to be read."""
    source = _find(reference)
    given = json.loads(arguments)
    known = inspect.signature(source).parameters
    if _SEED in known and _SEED not in given:
        given[_SEED] = seed
    _check_arguments(source, given)
    return _read_returned(reference, source(**given))


def _find(reference: str) -> Callable[..., Any]:
    path = f"{_PLACE}.{_CLASS}"
    module, _, name = reference.rpartition(".")
    try:
        is_there = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        what = f"a module that is there in {reference!r}"
        raise ConfigError([expected(path, what, module)])
    imported = importlib.import_module(module)
    found = getattr(imported, name, None)
    if not callable(found):
        names = [key for key, value in vars(imported).items() if callable(value)]
        what = f"a function or a class of {module}"
        raise ConfigError([expected(path, what, name, did_you_mean(name, names))])
    return found  # type: ignore[no-any-return]


def _check_arguments(source: Callable[..., Any], given: Mapping[str, object]) -> None:
    signature = inspect.signature(source)
    try:
        signature.bind(**given)
    except TypeError as error:
        known = [name for name in signature.parameters if name != _SEED]
        hint = f"It takes {', '.join(known)}." if known else "It takes none."
        message = f"the arguments do not fit: {error}. {hint}"
        raise ConfigError([Problem(_PLACE, message)]) from error


def _read_returned(reference: str, returned: Any) -> Batch:
    parts = (
        (returned.features, returned.labels)
        if hasattr(returned, "features") and hasattr(returned, "labels")
        else returned
    )
    if not (
        isinstance(parts, tuple) and len(parts) == 2 and all(isinstance(p, Mapping) for p in parts)
    ):
        what = f"features and labels, two mappings of names to arrays, from {reference}"
        raise ConfigError([expected(_PLACE, what, _sketch(returned))])
    features, labels = parts
    problems = list(_check_returned(reference, features, labels))
    if problems:
        raise ConfigError(problems)
    rows = len(next(iter(features.values())))
    return Batch(dict(features), dict(labels), np.arange(rows))


def _check_returned(
    reference: str, features: Mapping[str, Any], labels: Mapping[str, Any]
) -> Iterator[Problem]:
    if not features:
        yield expected(_PLACE, f"a feature or more from {reference}", dict(features))
    arrays = {**features, **labels}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.ndim == 0:
            what = f"a NumPy array with an axis of examples as {name!r} from {reference}"
            yield expected(_PLACE, what, _sketch(array))
            return
        if _varies(array):
            yield from _check_rows(reference, name, array, is_label=name in labels)
        elif _dtype_of(array) not in DTYPES:
            what = f"an array of a dtype that TensorFlow has as {name!r} from {reference}"
            yield expected(_PLACE, what, array.dtype.name)
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        message = f"expected as many rows in each array from {reference}; they have: {told}."
        yield Problem(_PLACE, message)
    elif lengths and not max(lengths.values()):
        yield Problem(_PLACE, f"expected examples; {reference} returns no row.")


def _check_rows(
    reference: str, name: str, rows: np.ndarray, *, is_label: bool
) -> Iterator[Problem]:
    """Yields what is wrong with rows whose lengths differ."""
    if is_label:
        what = f"an array whose rows are of one length as the label {name!r} from {reference}"
        yield expected(_PLACE, what, "arrays of their own lengths")
        return
    odd = next((row for row in rows if row.shape[1:] != rows[0].shape[1:] or not row.ndim), None)
    if odd is not None:
        what = f"rows that differ in their first axis alone as {name!r} from {reference}"
        yield expected(_PLACE, what, f"{rows[0].shape} and {odd.shape}")
    elif _dtype_of_rows(rows).kind not in "iuf" or _dtype_of_rows(rows).name not in DTYPES:
        what = f"rows of numbers of a dtype that TensorFlow has as {name!r} from {reference}"
        yield expected(_PLACE, what, _dtype_of_rows(rows).name)


def _varies(array: np.ndarray) -> bool:
    """Returns whether each row is an array of its own."""
    is_held = array.dtype.hasobject and array.ndim == 1 and len(array) > 0
    return is_held and all(isinstance(row, np.ndarray) for row in array)


def _dtype_of_rows(rows: np.ndarray) -> np.dtype:
    """Returns the dtype of the values of rows, or of the first that has no numbers."""
    # NumPy makes an empty list float64.
    found = {row.dtype for row in rows if row.size} or {rows[0].dtype}
    others = [dtype for dtype in found if dtype.kind not in "iuf"]
    return others[0] if others else np.result_type(*found)


def _sketch(value: object) -> object:
    """Returns a value that is short to print: of an array its shape."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return type(value).__name__ if len(repr(value)) > 80 else value


def _dtype_of(array: np.ndarray) -> str:
    is_text = array.dtype.kind in "SU" or (
        array.dtype.hasobject and all(isinstance(value, str | bytes) for value in array.flat)
    )
    return "string" if is_text else array.dtype.name


def _describe(array: np.ndarray) -> TensorConfig:
    if _varies(array):
        return TensorConfig([None, *array[0].shape[1:]], _dtype_of_rows(array).name)
    return TensorConfig(list(array.shape[1:]), _dtype_of(array))


def _count_classes(config: OwnDataConfig, examples: Batch) -> int | None:
    """Returns how many classes the first label has; None where it is no class."""
    label = next(iter(examples.labels.values()), None)
    if label is None or label.ndim != 1 or label.dtype.kind not in "iub":
        return None
    return max(int(label.max()) + 1, len(config.class_names))
