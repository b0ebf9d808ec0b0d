"""Which Keras classes a configuration can name, and the arguments each takes. No TensorFlow."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from models.problems import Problem, did_you_mean, expected, nearest

SIGNATURES_FILE = Path(__file__).with_name("signatures.json")

Kind = Literal["layers", "optimizers", "losses", "metrics"]

_NOUNS: dict[Kind, str] = {
    "layers": "a layer",
    "optimizers": "an optimizer",
    "losses": "a loss",
    "metrics": "a metric",
}


@cache
def _signatures() -> dict[str, dict[str, dict[str, bool]]]:
    loaded: dict[str, dict[str, dict[str, bool]]] = json.loads(
        SIGNATURES_FILE.read_text(encoding="utf-8")
    )
    return loaded


def names_of(kind: Kind) -> list[str]:
    """Returns the names of the public Keras classes of `kind`, sorted."""
    return list(_signatures()[kind])


def check_call(path: str, kind: Kind, spec: object, *, named: bool = False) -> list[Problem]:
    """Returns what is wrong with a mapping of a ``type`` and its Keras arguments.

    Args:
        path: The place of `spec` in the configuration.
        kind: The module of Keras that ``type`` is looked up in.
        spec: What stands there.
        named: Whether the key that `spec` stands under is its name, so that it takes no ``name``.
    """
    noun = _NOUNS[kind]
    if not isinstance(spec, Mapping):
        return [expected(path, f"a mapping with the type of {noun}", spec)]
    names = names_of(kind)
    if "type" not in spec:
        return [expected(f"{path}.type", noun, None, f"Name a class of keras.{kind}.")]
    class_name = spec["type"]
    if class_name not in names:
        return [expected(f"{path}.type", noun, class_name, did_you_mean(class_name, names))]
    arguments = _signatures()[kind][class_name]
    problems = [
        Problem(path, _unknown_argument(class_name, argument, list(arguments)))
        for argument in spec
        if argument != "type" and argument not in arguments
    ]
    if named and "name" in spec:
        problems.append(Problem(f"{path}.name", "the key is the name; remove this argument."))
    problems += [
        Problem(path, f"{class_name} needs the argument {argument!r}.")
        for argument, required in arguments.items()
        if required and argument not in spec
    ]
    for argument, value in spec.items():
        if is_nested(value):
            problems += check_call(f"{path}.{argument}", "layers", value)
    return problems


def is_nested(value: object) -> bool:
    """Returns whether an argument's value declares a layer of its own, as a wrapper takes one."""
    return isinstance(value, Mapping) and "type" in value


def _unknown_argument(class_name: str, argument: str, known: list[str]) -> str:
    near = nearest(argument, known)
    if near is not None:
        return f"{class_name} has no argument {argument!r}; did you mean {near!r}?"
    return f"{class_name} has no argument {argument!r}; it takes {', '.join(known)}."
