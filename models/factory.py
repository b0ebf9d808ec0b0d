"""Builds a ``keras.Model`` from its configuration.

Call it where the model's variables are to live: inside a ``tf.Graph`` for a Session, or eagerly.
"""

import re
from collections.abc import Mapping
from typing import Any

import keras

from models.config import ModelConfig
from models.problems import ConfigError, Problem
from models.registry import Kind, is_nested
from models.shapes import format_shape

# What TensorFlow and Keras say of an input smaller than the window over it.
_TOO_SMALL = ("Negative dimension size", "Computed output size would be zero or negative")

# Keras puts a line in front of the reason, and prints the reason in bold.
_PREAMBLE = "Exception encountered when calling"
_STYLE = re.compile(r"\x1b\[\d*m")

_MODULES: dict[Kind, Any] = {
    "layers": keras.layers,
    "optimizers": keras.optimizers,
    "losses": keras.losses,
    "metrics": keras.metrics,
}


def build_model(config: ModelConfig) -> keras.Model:
    """Returns the functional model that `config` declares, its variables created.

    Input shape: (batch, ...) of the declared input, in its dtype.
    Output shape: that of the last layer.

    Args:
        config: A configuration in which ``validate_model`` found nothing.

    Raises:
        ConfigError: If Keras refuses a layer's arguments or the shape that reaches it.
    """
    features = {
        name: keras.Input(shape=tuple(tensor.shape), dtype=tensor.dtype, name=name)
        for name, tensor in config.inputs.items()
    }
    (hidden,) = features.values()
    applied: list[str] = []
    for name, spec in config.layers.items():
        path = f"model.layers.{name}"
        layer = build_object(path, "layers", spec, name=name)
        try:
            hidden = layer(hidden)
        except (ValueError, TypeError, ArithmeticError, IndexError) as error:
            message = _shape_message(layer, hidden, applied, config, error)
            raise ConfigError([Problem(path, message)]) from error
        if not isinstance(hidden, keras.KerasTensor):
            message = f"{spec['type']} gives {len(hidden)} outputs; a stack takes one."
            raise ConfigError([Problem(path, message)])
        applied.append(name)
    return keras.Model(features, hidden, name=config.name)


def build_object(path: str, kind: Kind, spec: Mapping[str, Any], **given: object) -> Any:
    """Returns the Keras object that a mapping of ``type`` and arguments declares.

    Args:
        path: The place of `spec` in the configuration.
        kind: The module of Keras that ``type`` is looked up in.
        spec: A mapping in which ``check_call`` found nothing.
        **given: Further arguments, such as the name that is the mapping's key.

    Raises:
        ConfigError: If Keras refuses the arguments.
    """
    arguments = {
        argument: build_object(f"{path}.{argument}", "layers", value) if is_nested(value) else value
        for argument, value in spec.items()
        if argument != "type"
    }
    try:
        return getattr(_MODULES[kind], spec["type"])(**arguments, **given)
    except (ValueError, TypeError, AttributeError, NotImplementedError, ImportError) as error:
        message = f"{spec['type']} cannot be built: {keras_reason(error)}"
        raise ConfigError([Problem(path, message)]) from error


def call_layers(
    model: keras.Model, features: Mapping[str, Any], *, training: bool, mask: Any = None
) -> dict[str, Any]:
    """Calls each layer of a model once and returns every layer's output, by layer name.

    Calling the layers rather than the model gives the tensors of a graph the layers' own names
    (``conv1/Relu:0``): Keras opens a name scope for building and another for calling a layer, and
    the second of one name becomes ``conv1_1`` unless the layer's scope is open already.

    Args:
        model: A model of ``build_model``.
        features: A tensor for each input, (batch, ...), by input name.
        training: Whether layers such as Dropout behave as in training.
        mask: Boolean tensor of the leading axes of the input, true where it is to be used.
    """
    (hidden,) = features.values()
    if mask is not None:
        hidden._keras_mask = mask
    outputs = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        with keras.name_scope(layer.name, caller=layer):
            hidden = layer(hidden, training=training)
        outputs[layer.name] = hidden
    return outputs


def keras_reason(error: Exception) -> str:
    """Returns the one sentence of a Keras error that says what is wrong."""
    lines = [_STYLE.sub("", line).strip() for line in str(error).splitlines()]
    reasons = [line for line in lines if line and not line.startswith(_PREAMBLE)]
    text = reasons[0] if reasons else type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _shape_message(
    layer: keras.layers.Layer,
    hidden: keras.KerasTensor,
    applied: list[str],
    config: ModelConfig,
    error: Exception,
) -> str:
    (tensor,) = config.inputs.values()
    came_before = f"; {', '.join(applied)} came before" if applied else ""
    return (
        f"{type(layer).__name__} cannot take {format_shape(hidden.shape)}: "
        f"{_shape_reason(layer, error)} "
        f"The input was {format_shape((None, *tensor.shape))}{came_before}."
    )


def _shape_reason(layer: keras.layers.Layer, error: Exception) -> str:
    window = getattr(layer, "pool_size", getattr(layer, "kernel_size", None))
    if window is not None and any(text in str(error) for text in _TOO_SMALL):
        return f"the window {window} is larger than the input."
    return keras_reason(error)
