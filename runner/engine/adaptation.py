"""Adapts layers behind inputs to the training split, and writes what they learn in their arguments.

Keras adapts eagerly. Nothing of its layers is kept but their statistics, from which the graph's are
built like any other.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.config import ModelConfig
from models.factory import apply_layer, build_layer, find_output
from models.objects import keras_reason
from models.preprocessing import is_unadapted, preprocess_calls, set_statistics
from models.problems import ConfigError, Problem
from models.wiring import LayerCall, read_wiring

# Yields batches of the named features of the training split, (examples, ...) each, in its order.
ReadFeatures = Callable[[Sequence[str]], Iterator[Mapping[str, np.ndarray]]]

_REFUSALS = (ValueError, TypeError, ArithmeticError, IndexError, tf.errors.OpError)
# Where TensorFlow says that an operation ran.
_OPERATION = re.compile(r"\{\{.*?\}\} | \[Op:\w+\].*")


def adapt_layers(config: ModelConfig, read: ReadFeatures) -> ModelConfig:
    """Returns `config` in which each layer behind an input has its statistics.

    A layer sees what those before it give, as in inference; one that has its statistics already
    is left as it is.

    Args:
        config: A model in which ``validate_model`` found nothing.
        read: Reads the training split; it is read once for each layer that is adapted.

    Raises:
        ConfigError: If a layer cannot be adapted to what it is given.
    """
    adapter = _Adapter(config, read)
    with tf.device("/CPU:0"):
        for name in [call.name for call in preprocess_calls(read_wiring(config).calls)]:
            adapter.open_call(name)
    return adapter.config


class _Adapter:
    """Goes through the layers in order, and holds those that have their statistics."""

    def __init__(self, config: ModelConfig, read: ReadFeatures) -> None:
        self.config = config
        self._read = read
        self._layers: dict[str, keras.layers.Layer] = {}

    def open_call(self, name: str) -> None:
        """Builds the layer of a call, adapted."""
        calls = {call.name: call for call in preprocess_calls(read_wiring(self.config).calls)}
        call = calls[name]
        if call.layer in self._layers:
            return
        if is_unadapted(call.spec):
            statistics = self._adapt(call, calls)
            stacks = set_statistics(self.config.preprocess, call.path, statistics)
            self.config = replace(self.config, preprocess=stacks)
            call = replace(call, spec={**call.spec, **statistics})
        self._layers[call.layer] = build_layer(call).layer

    def _adapt(self, call: LayerCall, calls: Mapping[str, LayerCall]) -> dict[str, Any]:
        layer = build_layer(call).layer
        try:
            if isinstance(layer, keras.layers.Normalization):
                # Otherwise it takes the batch's axis for one of known length.
                layer.build(self._shape_of(call, calls))
            layer.adapt(self._batches(call, calls, layer))
            statistics = _read_statistics(layer)
        except _REFUSALS as error:
            reason = _OPERATION.sub("", keras_reason(error)).rstrip(".")
            message = f"{type(layer).__name__} cannot be adapted: {reason}."
            raise ConfigError([Problem(call.path, message)]) from error
        _check_statistics(call, statistics)
        return statistics

    def _batches(
        self, call: LayerCall, calls: Mapping[str, LayerCall], layer: keras.layers.Layer
    ) -> Iterator[Any]:
        """Yields what the layer is given for each batch of the training split."""
        is_lookup = not isinstance(layer, keras.layers.Normalization | keras.layers.Discretization)
        for value in self._given(call, calls):
            # Keras takes a batch of texts or integers without a further axis for one document.
            yield tf.expand_dims(value, -1) if is_lookup and value.shape.rank == 1 else value

    def _given(self, call: LayerCall, calls: Mapping[str, LayerCall]) -> Iterator[Any]:
        before = _find_before(call, calls)
        inputs = list(
            dict.fromkeys(
                reference.name
                for one in (*before, call)
                for reference in one.references()
                if reference.name in self.config.inputs
            )
        )
        for features in self._read(inputs):
            values: dict[str, Any] = {
                name: _to_tensor(features[name], self.config.inputs[name].dtype) for name in inputs
            }
            for one in before:
                values[one.name] = apply_layer(self._layers[one.layer], one, values, training=False)
            (source,) = call.references()
            yield find_output(values, source)

    def _shape_of(self, call: LayerCall, calls: Mapping[str, LayerCall]) -> tuple[int | None, ...]:
        first = next(self._given(call, calls))
        return (None, *first.shape[1:])


def _find_before(call: LayerCall, calls: Mapping[str, LayerCall]) -> list[LayerCall]:
    """Returns the calls that `call` is made of, in order."""
    needed: set[str] = set()
    pending = [call]
    while pending:
        for reference in pending.pop().references():
            if reference.name in calls and reference.name not in needed:
                needed.add(reference.name)
                pending.append(calls[reference.name])
    return [one for name, one in calls.items() if name in needed]


def _to_tensor(array: np.ndarray, dtype: str) -> tf.Tensor:
    if dtype == "string":
        return tf.constant(array.astype(object).tolist(), tf.string, array.shape)
    return tf.constant(array.astype(tf.as_dtype(dtype).as_numpy_dtype, copy=False))


def _read_statistics(layer: Any) -> dict[str, Any]:
    """Returns what `layer` has learned, as the arguments that it is built with."""
    match layer:
        case keras.layers.Normalization():
            mean, variance = (np.asarray(one) for one in (layer.adapt_mean, layer.adapt_variance))
            return {"mean": mean.tolist(), "variance": variance.tolist()}
        case keras.layers.Discretization():
            return {"bin_boundaries": [*map(float, layer.bin_boundaries)], "num_bins": None}
        case keras.layers.TextVectorization():
            return _read_vocabulary(layer._lookup_layer)
    return _read_vocabulary(layer)


def _read_vocabulary(lookup: Any) -> dict[str, Any]:
    words = [
        str(word) if isinstance(word, str) else int(word)
        for word in lookup.get_vocabulary(include_special_tokens=False)
    ]
    if lookup.output_mode != "tf_idf" or not words:
        return {"vocabulary": words}
    weights = np.asarray(lookup.idf_weights_const)
    start = lookup._token_start_index()
    return {"vocabulary": words, "idf_weights": weights[start : start + len(words)].tolist()}


def _check_statistics(call: LayerCall, statistics: Mapping[str, Any]) -> None:
    """Refuses statistics that say nothing of the data."""
    for name, values in statistics.items():
        if name in ("mean", "variance") and not np.isfinite(values).all():
            message = (
                f"the {name} of the training split is not finite; data.missing and data.fill "
                "say what becomes of NaN in it."
            )
            raise ConfigError([Problem(call.path, message)])
        if name == "vocabulary" and not values:
            message = "nothing to make a vocabulary of is in the training split."
            raise ConfigError([Problem(call.path, message)])
