"""Gives a model the weights of an earlier one: all of a run's, or those of chosen layers of a file.

Weights are told apart by our names, ``layer.weight``. Keras's files of weights have no such names,
but those of layers, and within each the weights in their order.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

import h5py
import keras
import numpy as np
import tensorflow as tf

from models.factory import BuiltModel
from models.imported import run_eagerly
from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.config import PretrainedConfig
from runner.engine.fetches import locate_weight, name_variables, name_weight
from runner.results import LoadedWeight, PretrainedResult

Arrays = Mapping[str, np.ndarray]

_SOURCE = "pretrained.source"
_REFUSALS = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)
_MOST_TOLD = 3
# What Keras puts behind a name that was given before.
_COUNT = re.compile(r"_\d+(?=[./]|$)")

_Value = TypeVar("_Value")
_NO_PLACE = "the model has no such weight"


@dataclass(frozen=True)
class _Weight:
    """A weight of a model."""

    layer: str
    name: str
    path: str
    variable: keras.Variable


def require_fit(model: BuiltModel, weights: Arrays) -> dict[str, np.ndarray]:
    """Returns what of a run's variables is the model's; of its weights, that is all.

    Args:
        model: The model.
        weights: The variables of the run in ``from_run`` by name.

    Raises:
        ConfigError: If a weight of the model is not there, or of another shape or dtype.
    """
    differing = [
        f"{one.name} is {_describe(weights[one.name])} in the run, {_describe(one.variable)} here"
        if one.name in weights
        else f"{one.name} is not in the run"
        for one in _list_weights(model)
        if one.name not in weights or not _agree(weights[one.name], one.variable)
    ]
    if differing:
        rest = len(differing) - _MOST_TOLD
        told = [*differing[:_MOST_TOLD], *([f"{rest} more"] if rest > 0 else [])]
        message = (
            f"the weights of the run do not fit the model: {'; '.join(told)}. "
            "Take those that fit with pretrained.source in place of from_run."
        )
        raise ConfigError([Problem("from_run", message)])
    return {
        name: weights[name]
        for name, variable in name_variables(model).items()
        if name in weights and _agree(weights[name], variable)
    }


def load_pretrained(
    config: PretrainedConfig, model: BuiltModel, run_weights: Arrays
) -> tuple[dict[str, np.ndarray], PretrainedResult]:
    """Returns the values of the weights that are loaded, by name, and what became of each.

    Args:
        config: A source, and the layers chosen.
        model: The model whose weights they are to be.
        run_weights: The weights of the run that the source is; empty where it is a file.

    Raises:
        ConfigError: If the source cannot be read, a pattern is of no layer, or nothing is loaded.
    """
    _check_patterns(config, model)
    own = _list_weights(model)
    given = dict(run_weights) or _read_source(str(config.source), own)
    given = _align(given, {one.name: f"{one.layer}." for one in own})
    judged = [_judge(one, given, config.layers) for one in own]
    known = name_variables(model)
    others = [_describe_other(name, array) for name, array in given.items() if name not in known]
    result = PretrainedResult(str(config.source), tuple(judged), tuple(others))
    if not result.loaded:
        reasons = "; ".join(f"{one.name}: {one.reason}" for one in judged[:_MOST_TOLD])
        what = "a source that has weights of the model's names, shapes and dtypes"
        hint = f"Nothing would be loaded: {reasons}."
        raise ConfigError([expected(_SOURCE, what, config.source, hint)])
    return {one.name: given[one.name] for one in result.loaded}, result


def _list_weights(model: BuiltModel) -> list[_Weight]:
    """Returns the weights of `model`, each once; the seeds of layers are none."""
    weights = [
        _Weight(layer, name_weight(layer, weight.path), locate_weight(layer, weight.path), weight)
        for layer, built in model.layers.items()
        for weight in built.weights
    ]
    return list({one.name: one for one in weights}.values())


def _check_patterns(config: PretrainedConfig, model: BuiltModel) -> None:
    layers = list(model.layers)
    problems = [
        expected(
            f"pretrained.layers[{index}]",
            "the name of a layer, or a pattern of some",
            pattern,
            did_you_mean(pattern, layers),
        )
        for index, pattern in enumerate(config.layers)
        if not any(fnmatchcase(layer, pattern) for layer in layers)
    ]
    if problems:
        raise ConfigError(problems)


def _judge(weight: _Weight, given: Arrays, patterns: Sequence[str]) -> LoadedWeight:
    """Returns what becomes of a weight of the model."""
    reason = ""
    if not any(fnmatchcase(weight.layer, pattern) for pattern in patterns):
        reason = "not chosen by pretrained.layers"
    elif weight.name not in given:
        reason = "not in the source"
    elif not _agree(given[weight.name], weight.variable):
        reason = f"{_describe(given[weight.name])} in the source"
    return LoadedWeight(
        weight.name, tuple(weight.variable.shape), str(weight.variable.dtype), reason
    )


def _describe_other(name: str, array: np.ndarray) -> LoadedWeight:
    return LoadedWeight(name, array.shape, array.dtype.name, _NO_PLACE)


def _agree(array: np.ndarray, variable: keras.Variable | tf.Variable) -> bool:
    return _describe(array) == _describe(variable)


def _describe(value: np.ndarray | keras.Variable | tf.Variable) -> str:
    dtype = keras.backend.standardize_dtype(value.dtype)
    return f"({', '.join(map(str, value.shape))}) {dtype}"


def _read_source(source: str, own: Sequence[_Weight]) -> dict[str, np.ndarray]:
    """Returns the weights of a file by our names."""
    try:
        if source.endswith(".keras"):
            return run_eagerly(lambda: _read_keras(source))
        if source.endswith(".h5"):
            return _read_h5(source, own)
        with np.load(source, allow_pickle=False) as arrays:
            return dict(arrays)
    except _REFUSALS as error:
        reason = str(error).strip().splitlines()[0]
        message = f"{source} cannot be read: {reason}"
        raise ConfigError([Problem(_SOURCE, message)]) from error


def _read_keras(file: str) -> dict[str, np.ndarray]:
    """Returns the weights of a model in a ``.keras`` file; safe mode refuses any code in it."""
    model = keras.saving.load_model(file, compile=False, safe_mode=True)
    # As a Sequential model does, some begin the paths of their weights with their own name.
    prefix = f"{model.name}/"
    return {
        name_weight(layer.name, weight.path.removeprefix(prefix)): weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }


def _read_h5(file: str, own: Sequence[_Weight]) -> dict[str, np.ndarray]:
    """Returns the weights in a ``.weights.h5`` file: by our names those that the model has.

    Each group of ``vars`` is a layer, or a layer within one, whose name is an attribute, and holds
    its weights by their place among them.
    """
    with h5py.File(file) as opened:
        places = dict(_walk_h5(opened, ""))
    if not any(places.values()):
        message = f"{file} names no layers, as Keras 3.15 does. Give the .keras file."
        raise ConfigError([Problem(_SOURCE, message)])
    layers = {one.path.rpartition("/")[0]: f"{one.layer}/" for one in own}
    places = _align(places, layers)
    seen: dict[str, int] = {}
    arrays = {}
    for weight in own:
        layer = weight.path.rpartition("/")[0]
        index = seen[layer] = seen.get(layer, -1) + 1
        array = places.get(layer, {}).pop(str(index), None)
        if array is not None:
            arrays[weight.name] = array
    rest = {
        f"{layer}.{index}".replace("/", "."): array
        for layer, group in places.items()
        for index, array in group.items()
    }
    return {**arrays, **rest}


def _align(given: Mapping[str, _Value], wanted: Mapping[str, str]) -> dict[str, _Value]:
    """Returns `given` under the names that are wanted, where layers within one are counted anew.

    Keras counts the names that it gives, over the process: ``forward_lstm`` is ``forward_lstm_1``
    where there was another before.

    Args:
        given: Anything by name.
        wanted: The names to find, each with the name of its layer, as it begins.
    """
    plain: dict[str, list[str]] = {}
    for name, layer in wanted.items():
        plain.setdefault(f"{layer}{_uncount(name.removeprefix(layer))}", []).append(name)
    aligned = {}
    for name, value in given.items():
        layer = next((layer for layer in wanted.values() if name.startswith(layer)), "")
        like = plain.get(f"{layer}{_uncount(name.removeprefix(layer))}", [])
        is_one = len(like) == 1 and like[0] not in given and like[0] not in aligned
        aligned[like[0] if is_one and name not in wanted else name] = value
    return aligned


def _uncount(name: str) -> str:
    return _COUNT.sub("", name)


def _walk_h5(group: h5py.Group, path: str) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the path of each layer by the names of those around it, and its weights by index."""
    for key, child in group.items():
        if key in ("vars", "optimizer", "seed_generator") or not isinstance(child, h5py.Group):
            continue
        place = path
        values = child.get("vars")
        if values is not None and "name" in values.attrs:
            place = f"{path}/{values.attrs['name']}".lstrip("/")
            yield place, {index: _read_dataset(values[index]) for index in values}
        yield from _walk_h5(child, place)


def _read_dataset(dataset: h5py.Dataset) -> np.ndarray:
    array = np.asarray(dataset)
    if dataset.attrs.get("dtype") == "bfloat16":
        return array.view(tf.bfloat16.as_numpy_dtype)
    return array
