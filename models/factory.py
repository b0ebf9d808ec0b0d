"""Builds a Keras model from its configuration.

Call it where the model's variables are to live: inside a ``tf.Graph`` for a Session, or eagerly.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.config import InputConfig, ModelConfig
from models.imported import Imported, import_file, run_eagerly
from models.mending import mend_layer
from models.objects import build_object, keras_reason
from models.preprocessing import is_unadapted, preprocess_calls
from models.problems import ConfigError, Problem, expected
from models.registry import APPLICATION, signature_of
from models.shapes import format_shape
from models.wiring import WIRING_KEYS, LayerCall, Reference, Source, Wiring, read_wiring

# What TensorFlow and Keras say of an input smaller than the window over it.
_TOO_SMALL = ("Negative dimension size", "Computed output size would be zero or negative")
# How deep Keras goes for each layer in a row; 1 was enough where this was tried.
_CALLS_PER_LAYER = 2
_REFUSALS = (ValueError, TypeError, ArithmeticError, IndexError, NotImplementedError)


@dataclass(frozen=True)
class BuiltModel:
    """A Keras model, and how its layers are called one by one.

    Attributes:
        keras_model: The functional model; its output is a tensor, or a mapping of several by name.
        calls: Each call of each layer, in order.
        layers: The layers by name.
        outputs: What the model gives, by name.
        names: What each input, layer and block gives, by the name that refers to it.
        symbols: What each call gives by the call's name, as ``KerasTensor`` of (batch, ...).
        weights: Variables that a file gave values, with these, for the Session to assign.
    """

    keras_model: keras.Model
    calls: tuple[LayerCall, ...]
    layers: Mapping[str, keras.layers.Layer]
    outputs: Mapping[str, Reference]
    names: Mapping[str, Reference]
    symbols: Mapping[str, Any]
    weights: Sequence[tuple[keras.Variable, np.ndarray]]

    def call(self, features: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Returns the model's outputs by name.

        Args:
            features: A tensor for each input, (batch, ...), by input name.
            training: Whether layers such as Dropout behave as in training.
        """
        outputs = self.keras_model(dict(features), training=training)
        return dict(outputs) if len(self.outputs) > 1 else {next(iter(self.outputs)): outputs}

    def call_layers(self, features: Mapping[str, Any], *, training: bool) -> dict[str, Any]:
        """Calls each layer and returns the features and what each gives, by the call's name.

        Calling the layers rather than the model gives the tensors of a graph the layers' own names
        (``conv1/Relu:0``): Keras opens a name scope for building and another for calling a layer,
        and the second of one name becomes ``conv1_1`` unless the layer's scope is open already.

        Args:
            features: A tensor for each input, (batch, ...), by input name.
            training: Whether layers such as Dropout behave as in training.
        """
        with _one_call(self.keras_model):
            called = self.iterate_calls(features, training=training)
            return {**features, **{call.name: value for call, value in called}}

    def iterate_calls(
        self, features: Mapping[str, Any], *, training: bool
    ) -> Iterator[tuple[LayerCall, Any]]:
        """Yields each call, right after it is made, and what it gives; as ``call_layers``."""
        values = dict(features)
        for call in self.calls:
            layer = self.layers[call.layer]
            with keras.name_scope(call.name, caller=layer):
                values[call.name] = apply_layer(layer, call, values, training=training)
            yield call, values[call.name]


def build_model(config: ModelConfig) -> BuiltModel:
    """Returns the model that `config` declares, its variables created.

    Input shape: (batch, ...) of each declared input, in its dtype.
    Output shape: that of the layers that ``outputs`` names.

    Args:
        config: A configuration in which ``validate_model`` found nothing.

    Raises:
        ConfigError: With every layer whose arguments Keras refuses, or the shape that reaches it.
    """
    wiring = read_wiring(config)
    _require_statistics(wiring)
    features = {name: _open_input(name, tensor) for name, tensor in config.inputs.items()}
    builder = _Builder(wiring, dict(features))
    builder.call_all()
    outputs = {
        name: builder.take(reference, "model.outputs") for name, reference in wiring.outputs.items()
    }
    if builder.problems:
        raise ConfigError(dict.fromkeys(builder.problems))
    if tf.executing_eagerly():
        for variable, array in builder.weights:
            variable.assign(array)
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    with allow_recursion(len(wiring.calls)):
        keras_model = keras.Model(features, outputs if only is None else only, name=config.name)
    return BuiltModel(
        keras_model=keras_model,
        calls=wiring.calls,
        layers=builder.layers,
        outputs=wiring.outputs,
        names=wiring.names,
        symbols=builder.values,
        weights=() if tf.executing_eagerly() else tuple(builder.weights),
    )


def _require_statistics(wiring: Wiring) -> None:
    """Refuses layers that Keras would build with statistics of nothing."""
    problems = [
        Problem(call.path, f"{call.spec['type']} is still to be adapted to the training split.")
        for call in preprocess_calls(wiring.calls)
        if is_unadapted(call.spec)
    ]
    if problems:
        raise ConfigError(problems)


@contextmanager
def _one_call(keras_model: keras.Model) -> Iterator[None]:
    """Makes the calls of layers in the block one call of the model, whose losses add up.

    Otherwise each call of a layer forgets what that layer added to the loss in the one before.
    """
    keras_model._get_call_context()
    try:
        yield
    finally:
        keras_model._maybe_reset_call_context()


@contextmanager
def allow_recursion(layers: int) -> Iterator[None]:
    """Lets Keras 3.15 walk a model of so many layers, one call within the other, in the block."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(usual + _CALLS_PER_LAYER * layers)
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


def find_output(values: Mapping[str, Any], reference: Reference) -> Any:
    """Returns what `reference` refers to among what the calls of a model gave.

    Raises:
        LookupError: If there is no such call, or it gave no such part.
    """
    value = values[reference.name]
    return value if reference.part is None else value[reference.part]


def _open_input(name: str, tensor: InputConfig) -> keras.KerasTensor:
    return keras.Input(
        shape=tuple(tensor.shape),
        batch_size=tensor.batch_size,
        dtype=tensor.dtype,
        sparse=tensor.sparse or None,
        name=name,
    )


def apply_layer(
    layer: keras.layers.Layer,
    call: LayerCall,
    values: Mapping[str, Any],
    **options: object,
) -> Any:
    """Returns what a layer gives for what its sources refer to.

    Args:
        layer: The layer.
        call: The call.
        values: What came before, by the name of the input or the call.
        **options: Further arguments of the call, such as ``training``.
    """
    arguments = {name: _take(source, values) for name, source in call.sources.items()}
    positional = [arguments.pop("")] if "" in arguments else []
    return layer(*positional, **arguments, **options)


def _take(source: Source, values: Mapping[str, Any]) -> Any:
    if isinstance(source, tuple):
        return [find_output(values, reference) for reference in source]
    return find_output(values, source)


@dataclass
class _Builder:
    """Calls layer after layer on symbols; goes on beside the ones that Keras refuses."""

    wiring: Wiring
    values: dict[str, Any]

    def __post_init__(self) -> None:
        self.inputs = dict(self.values)
        self.layers: dict[str, keras.layers.Layer] = {}
        self.weights: list[tuple[keras.Variable, np.ndarray]] = []
        self.problems: list[Problem] = []
        self._refused: set[str] = set()
        self._sources: dict[str, tuple[Reference, ...]] = {}

    def call_all(self) -> None:
        """Builds and calls every layer; what is refused is among the problems."""
        for call in self.wiring.calls:
            self._sources[call.name] = tuple(call.references())
            try:
                self._call(call)
            except ConfigError as error:
                self.problems += error.problems
                self._refused.add(call.layer)

    def _call(self, call: LayerCall) -> None:
        if call.layer not in self.layers and call.layer not in self._refused:
            imported = build_layer(call)
            self.layers[call.layer] = imported.layer
            self.weights += zip(imported.layer.weights, imported.weights, strict=False)
        for reference in self._sources[call.name]:
            self.take(reference, f"{call.path}.from")
        is_ready = all(reference.name in self.values for reference in self._sources[call.name])
        if call.layer in self._refused or not is_ready:
            return
        layer = self.layers[call.layer]
        try:
            self.values[call.name] = apply_layer(layer, call, self.values)
        except _REFUSALS as error:
            message = self._shape_message(layer, call, error)
            problem = Problem(call.path, message, self._shapes_before(call.name))
            raise ConfigError([problem]) from error

    def take(self, reference: Reference, path: str) -> Any:
        """Returns the one symbol that `reference` refers to, None where it was refused before."""
        if reference.name not in self.values:
            return None
        value = self.values[reference.name]
        if reference.part is None and isinstance(value, keras.KerasTensor):
            return value
        if isinstance(value, keras.KerasTensor):
            what = f"{reference.name!r} without a part, since it gives one output"
            raise ConfigError([expected(path, what, str(reference))])
        parts = list(value) if isinstance(value, Mapping) else list(range(len(value)))
        if reference.part not in parts:
            names = ", ".join(f"{reference.name}[{part}]" for part in parts)
            what = f"one of the outputs {names}"
            raise ConfigError([expected(path, what, str(reference))])
        return value[reference.part]

    def _shape_message(self, layer: keras.layers.Layer, call: LayerCall, error: Exception) -> str:
        sources = self._sources[call.name]
        shapes = ", ".join(
            format_shape(find_output(self.values, reference).shape) for reference in sources
        )
        before = list(dict.fromkeys(self._before(call.name)))
        inputs = [name for name in before if name in self.inputs]
        layers = [name for name in before if name not in self.inputs]
        given = " and ".join(
            format_shape(self.inputs[name].shape)
            if len(inputs) == 1
            else f"{name} {format_shape(self.inputs[name].shape)}"
            for name in inputs
        )
        was = "The input was" if len(inputs) == 1 else "The inputs were"
        came_before = f"; {', '.join(layers)} came before" if layers else ""
        return (
            f"{type(layer).__name__} cannot take {shapes}: {_shape_reason(layer, error)} "
            f"{was} {given}{came_before}."
        )

    def _shapes_before(self, name: str) -> tuple[str, ...]:
        """Returns a line a call that came before, with the shapes it gave."""
        before = list(self._before(name))
        width = max(map(len, before), default=0)
        return tuple(f"{known:{width}}  {_format_symbol(self.values[known])}" for known in before)

    def _before(self, name: str) -> Iterable[str]:
        """Returns all that a call is made of, in the order of the wiring."""
        needed: set[str] = set()
        pending = [name]
        while pending:
            for reference in self._sources.get(pending.pop(), ()):
                if reference.name not in needed:
                    needed.add(reference.name)
                    pending.append(reference.name)
        return [known for known in self.values if known in needed]


def _format_symbol(symbol: Any) -> str:
    return ", ".join(format_shape(output.shape) for output in keras.tree.flatten(symbol))


def build_layer(call: LayerCall) -> Imported:
    """Returns the layer of a call, and the weights that it comes with.

    Raises:
        ConfigError: If Keras refuses its arguments.
    """
    spec = {key: value for key, value in call.spec.items() if key not in WIRING_KEYS}
    if "file" in spec and "class" not in spec:
        imported = import_file(call.path, spec, call.layer)
    elif str(spec.get("type", "")).startswith(APPLICATION):
        imported = _build_application(call, spec)
    else:
        imported = Imported(build_object(call.path, "layers", spec, name=call.layer))
    mend_layer(imported.layer)
    if call.trainable is not None:
        imported.layer.trainable = call.trainable
    return imported


def _build_application(call: LayerCall, spec: Mapping[str, Any]) -> Imported:
    """Returns a model of ``keras.applications``; its weights' file is read eagerly."""
    empty = build_object(call.path, "applications", {**spec, "weights": None}, name=call.layer)
    weights = spec.get("weights", signature_of("layers", spec["type"]).arguments["weights"].default)
    if weights is None:
        return Imported(empty)
    loaded = run_eagerly(
        lambda: build_object(call.path, "applications", spec, name=call.layer).get_weights()
    )
    return Imported(empty, loaded)


def _shape_reason(layer: keras.layers.Layer, error: Exception) -> str:
    window = getattr(layer, "pool_size", getattr(layer, "kernel_size", None))
    if window is not None and any(text in str(error) for text in _TOO_SMALL):
        return f"the window {window} is larger than the input."
    return keras_reason(error)


def iterate_layers(model: BuiltModel) -> Iterator[tuple[LayerCall, keras.layers.Layer, Any]]:
    """Yields each call, its layer, and the symbol of what it gives."""
    for call in model.calls:
        yield call, model.layers[call.layer], model.symbols[call.name]
