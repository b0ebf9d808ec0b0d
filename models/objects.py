"""Builds the Keras objects that mappings declare: layers, losses, initializers and so on."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import keras

from models.classes import import_class
from models.declarations import is_declaration
from models.problems import ConfigError, Problem
from models.registry import APPLICATION, Kind, names_of, signature_of

# Keras puts a line in front of the reason, and prints the reason in bold.
_PREAMBLE = "Exception encountered when calling"
_STYLE = re.compile(r"\x1b\[\d*m")
_REFUSALS = (ValueError, TypeError, AttributeError, NotImplementedError, ImportError, OSError)

_MODULES: dict[Kind, Any] = {
    "layers": keras.layers,
    "applications": keras.applications,
    "optimizers": keras.optimizers,
    "schedules": keras.optimizers.schedules,
    "losses": keras.losses,
    "metrics": keras.metrics,
    "initializers": keras.initializers,
    "regularizers": keras.regularizers,
    "constraints": keras.constraints,
    "activations": keras.activations,
    "dtype_policies": keras.dtype_policies,
}
_PARENTS: dict[Kind, type] = {
    "layers": keras.layers.Layer,
    "optimizers": keras.optimizers.Optimizer,
    "schedules": keras.optimizers.schedules.LearningRateSchedule,
    "losses": keras.losses.Loss,
    "metrics": keras.metrics.Metric,
    "initializers": keras.initializers.Initializer,
    "regularizers": keras.regularizers.Regularizer,
    "constraints": keras.constraints.Constraint,
}


def build_object(path: str, kind: Kind, spec: Mapping[str, Any], **given: object) -> Any:
    """Returns the Keras object that a mapping of ``type`` or ``class`` and arguments declares.

    Args:
        path: The place of `spec` in the configuration.
        kind: The module of Keras that ``type`` is looked up in.
        spec: A mapping in which ``check_call`` found nothing.
        **given: Further arguments, such as the name that is the mapping's key.

    Raises:
        ConfigError: If Keras refuses the arguments.
    """
    kinds = _argument_kinds(kind, spec)
    arguments = {
        argument: _build_value(f"{path}.{argument}", kinds.get(argument), value)
        for argument, value in spec.items()
        if argument not in ("type", "class")
    }
    if "class" in spec:
        build = import_class(f"{path}.class", kind, spec["class"], _PARENTS.get(kind, object))
    elif kind == "activations" and spec["type"] in names_of("activations"):
        return functools.partial(getattr(keras.activations, spec["type"]), **arguments)
    else:
        module = keras.layers if kind == "activations" else _MODULES[kind]
        build = getattr(module, spec["type"].removeprefix(APPLICATION))
    name = spec.get("type", spec.get("class"))
    try:
        return build(**arguments, **given)
    except _REFUSALS as error:
        message = f"{name} cannot be built: {keras_reason(error)}"
        raise ConfigError([Problem(path, message)]) from error


def keras_reason(error: Exception) -> str:
    """Returns the one sentence of a Keras error that says what is wrong."""
    lines = [_STYLE.sub("", line).strip() for line in str(error).splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_PREAMBLE)]
    text = reasons[0] if reasons else type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _argument_kinds(kind: Kind, spec: Mapping[str, Any]) -> dict[str, Kind]:
    if "class" in spec:
        return {}
    name = spec["type"]
    if kind == "activations" and name not in names_of("activations"):
        kind = "layers"
    arguments = signature_of(kind, name.removeprefix(APPLICATION)).arguments
    return {argument: declared.kind for argument, declared in arguments.items() if declared.kind}


def _build_value(path: str, kind: Kind | None, value: object) -> Any:
    """Returns an argument's value, built where it declares an object of its own."""
    if isinstance(value, list):
        return [_build_value(f"{path}[{index}]", kind, item) for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if kind is None and not is_declaration(value):
        return {key: _build_value(f"{path}.{key}", None, item) for key, item in value.items()}
    declared = kind or "layers"
    if declared == "layers" and str(value.get("type", "")).startswith(APPLICATION):
        declared = "applications"
    return build_object(path, declared, value)
