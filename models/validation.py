"""What is wrong with a model's configuration, as far as can be told without TensorFlow."""

import re
from collections.abc import Mapping
from itertools import chain

from models.config import ModelConfig, TensorConfig
from models.problems import Problem, did_you_mean, expected
from models.registry import check_call

# What TensorFlow takes as the name of a scope.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAMED_BY = "letters, digits and _"

_LOSS_NAMES = ("loss", "batch_loss")

DTYPES = (
    "bfloat16", "bool", "complex128", "complex64", "float16", "float32", "float64", "int16",
    "int32", "int64", "int8", "string", "uint16", "uint32", "uint64", "uint8",
)  # fmt: skip


def validate_model(config: ModelConfig, path: str = "model") -> list[Problem]:
    """Returns every problem found in `config`, in the order of the file."""
    problems = []
    if not _MODEL_NAME.fullmatch(config.name):
        problems.append(expected(f"{path}.name", f"a name of {_NAMED_BY}, - and .", config.name))
    problems += [*validate_tensors(config.inputs, f"{path}.inputs", "an input")]
    if len(config.inputs) > 1:
        what = "one input, as a stack of layers takes it"
        problems.append(expected(f"{path}.inputs", what, list(config.inputs)))
    if not config.layers:
        problems.append(expected(f"{path}.layers", "at least one layer", config.layers))
    problems += chain.from_iterable(
        _validate_layer(f"{path}.layers.{name}", name, layer, config)
        for name, layer in config.layers.items()
    )
    problems += _validate_outputs(config, path)
    if config.loss is not None:
        problems += check_call(f"{path}.loss", "losses", config.loss)
    problems += chain.from_iterable(
        check_call(f"{path}.metrics.{name}", "metrics", metric, named=True)
        for name, metric in config.metrics.items()
    )
    for name in config.metrics:
        if name in _LOSS_NAMES:
            message = "the name is taken by the loss; choose another."
            problems.append(Problem(f"{path}.metrics.{name}", message))
        elif not NAME.fullmatch(str(name)):
            what = f"a metric named by {_NAMED_BY}"
            problems.append(expected(f"{path}.metrics.{name}", what, name))
    return problems


def validate_tensors(tensors: Mapping[str, TensorConfig], path: str, noun: str) -> list[Problem]:
    """Returns what is wrong with declared names, shapes and dtypes.

    Args:
        tensors: The declared tensors, by name.
        path: Their place in the configuration.
        noun: What one of them is called, with its article.
    """
    problems = []
    if not tensors:
        problems.append(expected(path, f"at least {noun.replace('an ', 'one ')}", {}))
    for name, tensor in tensors.items():
        if not NAME.fullmatch(name):
            problems.append(expected(f"{path}.{name}", f"{noun} named by {_NAMED_BY}", name))
        if any(axis is not None and axis < 1 for axis in tensor.shape):
            what = "axes of 1 or more, or null where the length varies"
            problems.append(expected(f"{path}.{name}.shape", what, list(tensor.shape)))
        if tensor.dtype not in DTYPES:
            hint = did_you_mean(tensor.dtype, DTYPES)
            what = "a dtype such as float32"
            problems.append(expected(f"{path}.{name}.dtype", what, tensor.dtype, hint))
    return problems


def _validate_layer(path: str, name: str, layer: object, config: ModelConfig) -> list[Problem]:
    if not NAME.fullmatch(str(name)):
        return [expected(path, f"a layer named by {_NAMED_BY}", name)]
    problems = []
    if name in config.inputs:
        problems.append(Problem(path, f"the name {name!r} is taken by an input; choose another."))
    return problems + check_call(path, "layers", layer, named=True)


def _validate_outputs(config: ModelConfig, path: str) -> list[Problem]:
    if not config.layers or config.outputs == list(config.layers)[-1]:
        return []
    names = list(config.layers)
    if config.outputs not in config.layers:
        hint = did_you_mean(config.outputs, names)
        return [expected(f"{path}.outputs", "the name of a layer", config.outputs, hint)]
    what = f"the last layer of the stack, {names[-1]!r}"
    unused = ", ".join(names[names.index(config.outputs) + 1 :])
    hint = f"Nothing would use {unused}."
    return [expected(f"{path}.outputs", what, config.outputs, hint)]
