"""Makes layers of models in files: ``.keras`` files, SavedModels and frozen graphs.

Keras and TensorFlow read weights only where tensors have values. In a ``tf.Graph`` they have none,
so the file is read in a thread of its own, where TensorFlow runs eagerly, and what it holds comes
back as arrays for the Session to assign.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from models.files import FileKind, find_kind
from models.problems import ConfigError, Problem, did_you_mean, expected

_DEFAULT_SIGNATURE = "serving_default"
_REFUSALS = (ValueError, TypeError, OSError, KeyError, tf.errors.OpError)

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Imported:
    """A layer, and the values that its weights are to have.

    Attributes:
        layer: The layer, built.
        weights: One array a weight, in the order of ``layer.weights``; empty where they are set.
    """

    layer: keras.layers.Layer
    weights: Sequence[np.ndarray] = ()


@keras.saving.register_keras_serializable(package="feedfetch")
class FrozenGraph(keras.layers.Layer):
    """A graph without variables, imported where it is called.

    Its operations are named under the layer, as ``net/dense/Relu:0``.

    Input shape: as the graph's placeholders.
    Output shape: as the graph's tensors; a mapping by name where ``outputs`` names several.
    """

    def __init__(
        self,
        graph: bytes,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        **options: Any,
    ) -> None:
        """Keeps the graph.

        Args:
            graph: A serialized ``GraphDef``.
            inputs: Name of each argument to the tensor that it replaces; the first is positional.
            outputs: Name of each output to its tensor.
            **options: Those of every layer.
        """
        super().__init__(**options)
        self._graph_def = tf.compat.v1.GraphDef.FromString(graph)
        self._inputs = dict(inputs)
        self._outputs = dict(outputs)
        self.built = True

    def call(self, inputs: tf.Tensor, **named: tf.Tensor) -> Any:
        """Returns the outputs for the inputs: a tensor, or several by name."""
        first = next(iter(self._inputs))
        given = {first: inputs, **named}
        scope = tf.get_current_name_scope()
        values = tf.graph_util.import_graph_def(
            self._graph_def,
            input_map={self._inputs[name]: tensor for name, tensor in given.items()},
            return_elements=list(self._outputs.values()),
            name=f"{scope}/" if scope else None,
        )
        return _unwrap(dict(zip(self._outputs, values, strict=True)))


class SavedModelLayer(keras.layers.TFSMLayer):
    """A signature of a SavedModel.

    Input shape: as the signature's inputs; the first is positional, others by name.
    Output shape: as the signature's; a mapping by name where there are several.
    """

    def call(self, inputs: Any, training: bool = False, **named: Any) -> Any:
        """Returns the signature's outputs for its inputs."""
        _, arguments = self.call_endpoint_fn.structured_input_signature
        first = next(name for name in arguments if name not in named)
        return _unwrap(self.call_endpoint_fn(**{first: inputs, **named}))


def import_file(path: str, spec: Mapping[str, Any], name: str) -> Imported:
    """Returns the layer that a mapping with ``file`` declares.

    Args:
        path: The place of `spec` in the configuration.
        spec: A mapping in which the checks found nothing.
        name: The layer's name.

    Raises:
        ConfigError: If the file cannot be read, or holds no such signature or tensor.
    """
    kind = find_kind(spec["file"])
    make = {
        FileKind.KERAS: _import_keras,
        FileKind.SAVED_MODEL: _import_saved_model,
        FileKind.GRAPH_DEF: _import_graph_def,
    }
    if kind is None:
        raise ConfigError([expected(f"{path}.file", "a model's file", spec["file"])])
    try:
        return make[kind](path, spec, name)
    except _REFUSALS as error:
        reason = str(error).strip().splitlines()[0]
        message = f"{kind.value} at {spec['file']} cannot be read: {reason}"
        raise ConfigError([Problem(f"{path}.file", message)]) from error


def run_eagerly(function: Callable[[], _Value]) -> _Value:
    """Returns what `function` returns in a thread without a graph, where TensorFlow is eager."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


def _import_keras(path: str, spec: Mapping[str, Any], name: str) -> Imported:
    """Rebuilds the model of a ``.keras`` file; safe mode refuses any code in it."""

    def load() -> tuple[dict[str, Any], list[np.ndarray]]:
        model = keras.saving.load_model(spec["file"], compile=False, safe_mode=True)
        return keras.saving.serialize_keras_object(model), model.get_weights()

    described, weights = run_eagerly(load)
    described["config"]["name"] = name
    layer = keras.saving.deserialize_keras_object(described, safe_mode=True)
    if not layer.built:
        message = "the model in it is not built; save it after a first call."
        raise ConfigError([Problem(f"{path}.file", message)])
    return Imported(layer, weights)


def _import_saved_model(path: str, spec: Mapping[str, Any], name: str) -> Imported:
    signature = spec.get("signature", _DEFAULT_SIGNATURE)
    content = (Path(spec["file"]) / "saved_model.pb").read_bytes()
    meta_graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
    known = [key for key in meta_graph.signature_def if not key.startswith("__")]
    if signature not in known:
        hint = did_you_mean(signature, known)
        raise ConfigError([expected(f"{path}.signature", "one of its signatures", signature, hint)])
    if meta_graph.HasField("object_graph_def"):
        return Imported(SavedModelLayer(spec["file"], call_endpoint=signature, name=name))
    inputs, outputs = (
        {key: info.name for key, info in sorted(tensors.items())}
        for tensors in (
            meta_graph.signature_def[signature].inputs,
            meta_graph.signature_def[signature].outputs,
        )
    )
    tags = list(meta_graph.meta_info_def.tags)
    graph = run_eagerly(lambda: _freeze(spec["file"], tags, list(outputs.values())))
    return Imported(FrozenGraph(graph, inputs, outputs, name=name))


def _freeze(folder: str, tags: list[str], outputs: list[str]) -> bytes:
    """Returns the graph of a SavedModel of TensorFlow 1, its variables turned into constants."""
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.compat.v1.saved_model.load(session, tags, folder)
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [output.partition(":")[0] for output in outputs]
        )
        serialized: bytes = frozen.SerializeToString()
        return serialized


def _import_graph_def(path: str, spec: Mapping[str, Any], name: str) -> Imported:
    content = Path(spec["file"]).read_bytes()
    nodes = tf.compat.v1.GraphDef.FromString(content).node
    placeholders = [node.name for node in nodes if node.op == "Placeholder"]
    inputs = _by_name(spec.get("inputs") or placeholders)
    outputs = _by_name(spec["outputs"])
    if not inputs:
        raise ConfigError([expected(f"{path}.inputs", "the names of tensors to feed", None)])
    known = [node.name for node in nodes]
    problems = [
        expected(f"{path}.{key}", "tensors of the graph", tensor, did_you_mean(tensor, known))
        for key, tensors in (("inputs", inputs), ("outputs", outputs))
        for tensor in tensors.values()
        if tensor.partition(":")[0] not in known
    ]
    if problems:
        raise ConfigError(problems)
    return Imported(FrozenGraph(content, inputs, outputs, name=name))


def _by_name(tensors: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """Returns tensors by the name that the configuration knows each by."""
    if isinstance(tensors, Mapping):
        named = dict(tensors)
    else:
        listed = [tensors] if isinstance(tensors, str) else tensors
        named = {tensor.partition(":")[0].replace("/", "_"): tensor for tensor in listed}
    return {key: tensor if ":" in tensor else f"{tensor}:0" for key, tensor in named.items()}


def _unwrap(outputs: Any) -> Any:
    """Returns the only one of `outputs` by itself."""
    if isinstance(outputs, Mapping) and len(outputs) == 1:
        return next(iter(outputs.values()))
    return outputs
