"""Builds a trained model anew in eager Keras, which can save it; that of a graph it cannot."""

import importlib
import math
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.classes import list_classes
from models.config import ModelConfig
from models.factory import BuiltModel, allow_recursion, build_model
from models.imported import FrozenGraph, SavedModelLayer
from models.objects import keras_reason
from runner.engine.fetches import name_variables
from runner.results import Arrays, ModelTensor

MODEL_FILE = "model.keras"
# As MLflow calls it. Any pickle of classes that names them is one of cloudpickle's too.
CLASSES_FILE = "custom_objects.cloudpickle"

_CPU = "/CPU:0"
# How far apart the numbers around 1 are of what layers compute in.
_UNITS = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
_MOST_UNITS = 8
# A GPU multiplies float32 with the 10 bits of TensorFloat-32.
_GPU_UNIT = 2.0**-10
# What Keras, and the classes of users, say of what they do not take.
REFUSALS = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.PicklingError,
    tf.errors.OpError,
)


class UnsavableError(Exception):
    """A model cannot be saved, or not be loaded again; the message says why."""


def build_twin(config: ModelConfig, weights: Arrays) -> BuiltModel:
    """Returns the model that `config` declares, eager and on the CPU, with `weights` by name.

    Its inputs are dense, also those that the graph's takes as sparse tensors.

    Raises:
        ConfigError: If Keras refuses a layer.
        UnsavableError: If a layer is of a file that Keras's format does not hold.
        KeyError: If a weight is not among `weights`.
    """
    # Keras counts names over the process.
    keras.utils.clear_session()
    inputs = {name: replace(tensor, sparse=False) for name, tensor in config.inputs.items()}
    with tf.device(_CPU):
        twin = build_model(replace(config, inputs=inputs))
        _require_layers_of_keras(twin)
        for name, variable in name_variables(twin).items():
            variable.assign(weights[name])
    return twin


def _require_layers_of_keras(twin: BuiltModel) -> None:
    for call in twin.calls:
        if isinstance(twin.layers[call.layer], FrozenGraph | SavedModelLayer):
            file = "a SavedModel or a frozen graph, which a .keras file cannot hold."
            raise UnsavableError(f"{call.path} is made from {file}")


def save_twin(twin: BuiltModel, config: ModelConfig, folder: Path) -> keras.Model:
    """Writes a model as ``model.keras``, its own classes beside it, and returns it as read back.

    Args:
        twin: A model that was built eagerly.
        config: What it was built of.
        folder: Where to; it is created.

    Raises:
        UnsavableError: If Keras cannot save it, or cannot load what it saved.
    """
    classes = read_classes(config)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with allow_recursion(len(twin.calls)), tf.device(_CPU):
            twin.keras_model.save(folder / MODEL_FILE)
            if classes:
                (folder / CLASSES_FILE).write_bytes(pickle.dumps(classes))
            return keras.saving.load_model(
                folder / MODEL_FILE, custom_objects=classes, compile=False, safe_mode=True
            )
    except REFUSALS as error:
        raise UnsavableError(keras_reason(error)) from error


def read_classes(config: ModelConfig) -> dict[str, type]:
    """Returns the classes that a model names, by what Keras calls each in a file."""
    classes = {}
    for reference in list_classes({"layers": config.layers, "preprocess": config.preprocess}):
        module, _, name = reference.rpartition(".")
        found = getattr(importlib.import_module(module), name)
        classes[keras.saving.get_registered_name(found)] = found
    return classes


def list_requirements() -> tuple[str, ...]:
    """Returns the distributions that load a model, as pip takes them."""
    return (
        f"tensorflow=={tf.__version__}",
        f"keras=={keras.__version__}",
        f"numpy=={np.__version__}",
    )


def describe_tensors(
    tensors: Mapping[str, keras.KerasTensor],
) -> tuple[ModelTensor, ...]:
    """Returns what inputs or outputs of a model are."""
    return tuple(
        ModelTensor(name, tuple(tensor.shape[1:]), keras.backend.standardize_dtype(tensor.dtype))
        for name, tensor in tensors.items()
    )


def name_inputs(model: keras.Model) -> dict[str, keras.KerasTensor]:
    """Returns the inputs of a model of the factory by name, in its own order."""
    return {name: model.input[name] for name in model.input}


def name_outputs(model: keras.Model, names: tuple[str, ...]) -> dict[str, Any]:
    """Returns the outputs of a model of the factory by name."""
    return dict(model.output) if len(names) > 1 else {names[0]: model.output}


def answer(model: keras.Model, features: Arrays, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Returns the outputs of a model by name.

    Args:
        model: A model of the factory, eager.
        features: (examples, ...) arrays by input name.
        names: Those of its outputs.

    Raises:
        UnsavableError: If it cannot be called.
    """
    try:
        with tf.device(_CPU):
            given = {name: tf.convert_to_tensor(array) for name, array in features.items()}
            outputs = model(given, training=False)
    except REFUSALS as error:
        raise UnsavableError(f"it cannot be called: {keras_reason(error)}") from error
    named = dict(outputs) if len(names) > 1 else {names[0]: outputs}
    return {name: value.numpy() for name, value in named.items() if isinstance(value, tf.Tensor)}


def find_tolerance(model: keras.Model, *, has_gpu: bool) -> float:
    """Returns how far outputs may be from the Session's, relative to their scale.

    Rounding adds up as a random walk does, with the root of the number of layers.

    Args:
        model: The model.
        has_gpu: Whether a GPU may have computed those of the Session.
    """
    layers = [layer for layer in model._flatten_layers() if layer.compute_dtype in _UNITS]
    units = [_UNITS[layer.compute_dtype] for layer in layers]
    unit = max([_UNITS["float32"], *units, *([_GPU_UNIT] if has_gpu else [])])
    return _MOST_UNITS * unit * math.sqrt(max(1, len(layers)))
