"""Builds a ``keras.Model`` from its configuration.

Call it where the model's variables are to live: inside a ``tf.Graph`` for a Session, or eagerly.
"""

from collections.abc import Mapping
from typing import Any

import keras

from models.config import ModelConfig
from models.problems import ConfigError, Problem, expected
from models.registry import Kind, is_nested
from models.shapes import format_shape

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
            message = _shape_message(spec["type"], hidden, applied, config, error)
            raise ConfigError([Problem(path, message)]) from error
        if not isinstance(hidden, keras.KerasTensor):
            what = "a layer with one output, as a stack takes it"
            raise ConfigError([expected(path, what, f"{spec['type']} with several")])
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
        message = f"{spec['type']} cannot be built: {_first_line(error)}"
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


def _shape_message(
    class_name: str,
    hidden: keras.KerasTensor,
    applied: list[str],
    config: ModelConfig,
    error: Exception,
) -> str:
    (tensor,) = config.inputs.values()
    came_before = f"; {', '.join(applied)} came before" if applied else ""
    return (
        f"{class_name} cannot take {format_shape(hidden.shape)}: {_first_line(error)} "
        f"The input was {format_shape((None, *tensor.shape))}{came_before}."
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
