"""What is wrong with a model's configuration, as far as can be told without TensorFlow."""

import re
from collections.abc import Iterator, Mapping, Sequence

from models.config import InputConfig, ModelConfig, TensorConfig
from models.declarations import call_arguments, check_call
from models.objectives import validate_objectives
from models.preprocessing import validate_preprocess
from models.problems import Problem, did_you_mean, expected, nearest
from models.registry import DTYPES
from models.wiring import (
    NAME,
    NAMED_BY,
    PREPROCESS_PATH,
    WIRING_KEYS,
    LayerCall,
    is_block,
    read_wiring,
)

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def validate_model(
    config: ModelConfig, path: str = "model", trusted: Sequence[str] = ()
) -> list[Problem]:
    """Returns every problem found in `config`, in the order of the file.

    Args:
        config: The model.
        path: Its place in the configuration.
        trusted: Modules of the user's own that ``class`` may name.
    """
    problems = []
    if not _MODEL_NAME.fullmatch(config.name):
        problems.append(expected(f"{path}.name", f"a name of {NAMED_BY}, - and .", config.name))
    problems += [*validate_tensors(config.inputs, f"{path}.inputs", "an input")]
    if config.layers:
        problems += _validate_layers(config, path, trusted)
    else:
        problems.append(expected(f"{path}.layers", "at least one layer", config.layers))
    return problems + validate_objectives(config, path, trusted)


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
            problems.append(expected(f"{path}.{name}", f"{noun} named by {NAMED_BY}", name))
        if any(axis is not None and axis < 1 for axis in tensor.shape):
            what = "axes of 1 or more, or null where the length varies"
            problems.append(expected(f"{path}.{name}.shape", what, list(tensor.shape)))
        if tensor.dtype not in DTYPES:
            hint = did_you_mean(tensor.dtype, DTYPES)
            what = "a dtype such as float32"
            problems.append(expected(f"{path}.{name}.dtype", what, tensor.dtype, hint))
        batch_size = tensor.batch_size if isinstance(tensor, InputConfig) else None
        if batch_size is not None and batch_size < 1:
            what = "a number of 1 or more"
            problems.append(expected(f"{path}.{name}.batch_size", what, batch_size))
    return problems


def _validate_layers(config: ModelConfig, path: str, trusted: Sequence[str]) -> list[Problem]:
    """Returns what is wrong with each layer, those in the order of the file, and their wiring."""
    wiring = read_wiring(config, path)
    by_layer: dict[str, list[Problem]] = {}
    stacks = {f"{PREPROCESS_PATH}.{name}": stack for name, stack in config.preprocess.items()}
    stacks[f"{path}.layers"] = config.layers
    for start, stack in stacks.items():
        for place, spec in _layer_specs(start, stack):
            problems = check_call(
                place, "layers", spec, named=True, ignored=WIRING_KEYS, trusted=trusted
            )
            by_layer.setdefault(place, []).extend(problems)
    for problem in wiring.problems:
        place = next((place for place in by_layer if _is_within(problem.path, place)), problem.path)
        by_layer.setdefault(place, []).append(problem)
    for call in wiring.calls:
        if not by_layer.get(call.path):
            by_layer.setdefault(call.path, []).extend(_check_call_arguments(call, trusted))
    for problem in validate_preprocess(wiring):
        by_layer.setdefault(problem.path, []).append(problem)
    return list(dict.fromkeys(problem for found in by_layer.values() for problem in found))


def _layer_specs(path: str, layers: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yields the place and the declaration of every layer, those within blocks too."""
    for name, spec in layers.items():
        if isinstance(spec, Mapping) and is_block(spec):
            if isinstance(spec["layers"], Mapping):
                yield from _layer_specs(f"{path}.{name}.layers", spec["layers"])
        elif isinstance(spec, Mapping) and "shared" not in spec:
            yield f"{path}.{name}", spec


def _is_within(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _check_call_arguments(call: LayerCall, trusted: Sequence[str]) -> Iterator[Problem]:
    """Yields what `from` gives a layer that its call does not take."""
    known = call_arguments(call.spec, trusted)
    if "*" in known or not known:
        return
    for argument in call.sources:
        if argument and argument not in known:
            name = str(call.spec.get("type", call.spec.get("class")))
            near = nearest(argument, known)
            hint = f"did you mean {near!r}?" if near else f"it takes {', '.join(known)}."
            message = f"a call of {name} takes no {argument!r}; {hint}"
            yield Problem(f"{call.path}.from.{argument}", message)
