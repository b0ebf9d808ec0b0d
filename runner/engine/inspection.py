"""Tells what each layer of a model costs at inference, for one size of batch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from models.factory import BuiltModel, build_model, find_output, iterate_layers
from models.preprocessing import preprocess_calls
from models.wiring import LayerCall
from runner.config import ExperimentConfig
from runner.engine.errors import find_layer
from runner.engine.feeds import Placeholder, open_placeholder
from runner.engine.flops import Cost, FlopsCounter, find_needed
from runner.engine.graph import ExperimentGraph, open_graph
from runner.engine.operations import UnknownShapeError, count_elements
from runner.results import InspectResult, LayerCost, LayersResult

# What gives the same numbers in the same memory.
_VIEWS = frozenset(
    ("Identity", "Reshape", "ExpandDims", "Squeeze", "StopGradient", "EnsureShape", "Snapshot")
)


@dataclass(frozen=True)
class _Traced:
    """What a call left in the graph.

    Attributes:
        operations: Those that the outputs of the model need, and no other call made.
        outputs: Tensors that the layer gives, and those that the layers within a model give.
    """

    operations: list[tf.Operation]
    outputs: list[tf.Tensor]


def inspect_model(config: ExperimentConfig, batch_size: int) -> InspectResult:
    """Returns what the model of `config` costs at inference.

    Args:
        config: A configuration in which ``validate`` found nothing.
        batch_size: Examples in a batch.

    Raises:
        ConfigError: If Keras refuses a layer.
    """
    with open_graph(config) as graph:
        features = {
            name: open_placeholder(name, tensor, batch_size)
            for name, tensor in config.model.inputs.items()
        }
        with tf.name_scope("variables"):
            model = build_model(config.model)
        traced = _trace_calls(model, features, graph, batch_size)
    counter = FlopsCounter(graph)
    costs = {name: counter.count(parts.operations) for name, parts in traced.items()}
    return InspectResult(
        batch_size=batch_size,
        inputs={name: tuple(symbol.shape) for name, symbol in _inputs(model).items()},
        layers=tuple(_describe_layers(model, traced, costs)),
        outputs={name: reference.name for name, reference in model.outputs.items()},
        flops_by_operation=sum(costs.values(), Cost()).flops,
    )


def count_layers(graph: ExperimentGraph, batch_size: int) -> LayersResult:
    """Returns the layers of a graph that is built, and the FLOPs of each.

    What the outputs need is copied, for one size of batch, to a graph of its own, in which the
    shapes are inferred anew: 13 ms for the CNN, where to build it again takes 180. Where layers
    behave as in training, nothing is counted.

    Args:
        graph: The experiment's graph.
        batch_size: Examples in a batch, where the graph is not built for one size.
    """
    costs: dict[str, Cost] = {}
    if graph.answer is not None:
        outputs = [tensor.op.name for tensor in _tensors(dict(graph.answer.fetches))]
        batch_size = _find_batch_size(graph) or batch_size
        copy = _fix_batch(graph, outputs, batch_size)
        places = {call.name: call.path for call in graph.model.calls}
        owned: dict[str, list[tf.Operation]] = {}
        for operation in copy.get_operations():
            layer = find_layer([operation.name], places)
            if layer is not None:
                owned.setdefault(layer, []).append(operation)
        # The functions that are called go by the names that they were traced by.
        counter = FlopsCounter(graph.graph)
        costs = {layer: counter.count(operations) for layer, operations in owned.items()}
    unknown = {layer: cost.unknown.total() for layer, cost in costs.items() if cost.unknown}
    flops = {layer: cost.total for layer, cost in costs.items()}
    return LayersResult(batch_size, graph.layers, flops, unknown)


def _find_batch_size(graph: ExperimentGraph) -> int | None:
    """Returns the size of batch that the graph is built for, as by a feed; None where any goes."""
    sizes = (tensor.shape[0] for tensor in graph.features.values() if tensor.shape.rank)
    return next((int(size) for size in sizes if size is not None), None)


def _fix_batch(graph: ExperimentGraph, outputs: list[str], batch_size: int) -> tf.Graph:
    """Returns a graph of what the operations `outputs` need, its inputs of one size of batch."""
    definition = tf.compat.v1.graph_util.extract_sub_graph(graph.graph.as_graph_def(), outputs)
    kept = {node.name for node in definition.node}
    copy = tf.Graph()
    with copy.as_default():
        fixed = {
            tensor.name: tf.compat.v1.placeholder(tensor.dtype, [batch_size, *tensor.shape[1:]])
            for tensor in graph.features.values()
            if isinstance(tensor, tf.Tensor) and tensor.op.name in kept
        }
        tf.graph_util.import_graph_def(definition, input_map=fixed, name="")
    return copy


def _inputs(model: BuiltModel) -> Mapping[str, keras.KerasTensor]:
    inputs: Mapping[str, keras.KerasTensor] = model.keras_model.input
    return inputs


def _trace_calls(
    model: BuiltModel, features: Mapping[str, Placeholder], graph: tf.Graph, batch_size: int
) -> dict[str, _Traced]:
    """Calls the layers in `graph`, and returns what each call left there."""
    values: dict[str, Any] = dict(features)
    ends = {}
    start = len(graph.get_operations())
    behind_inputs = {call.name for call in preprocess_calls(model.calls)}
    for call, value in model.iterate_calls(features, training=False):
        if call.name in behind_inputs and isinstance(value, tf.Tensor) and value.shape.rank:
            # To look up words loses how many texts there are.
            value.set_shape([batch_size, *value.shape[1:]])
        values[call.name] = value
        ends[call.name] = len(graph.get_operations())
    outputs = [find_output(values, reference) for reference in model.outputs.values()]
    needed = find_needed(_tensors(outputs))
    operations = graph.get_operations()
    traced = {}
    for call in model.calls:
        end = ends[call.name]
        own = [each for each in operations[start:end] if each.name in needed]
        given = _tensors(values[call.name])
        if isinstance(model.layers[call.layer], keras.Model):
            given += _find_inner(own)
        traced[call.name] = _Traced(own, given)
        start = end
    return traced


def _find_inner(operations: Sequence[tf.Operation]) -> list[tf.Tensor]:
    """Returns the tensors that one layer within a model takes of another, by their name scopes."""
    layers = {operation.name: operation.name.split("/")[:2] for operation in operations}
    return [
        tensor
        for operation in operations
        for tensor in operation.inputs
        if layers.get(tensor.op.name, layers[operation.name]) != layers[operation.name]
    ]


def _tensors(value: Any) -> list[tf.Tensor]:
    """Returns the dense tensors of nested values, sparse ones taken apart."""
    flat = tf.nest.flatten(value, expand_composites=True)
    return [tensor for tensor in flat if isinstance(tensor, tf.Tensor)]


def _describe_layers(
    model: BuiltModel, traced: Mapping[str, _Traced], costs: Mapping[str, Cost]
) -> Iterator[LayerCost]:
    seen: set[int] = set()
    for call, layer, symbol in iterate_layers(model):
        trained = list(_take_new(layer.trainable_weights, seen))
        frozen = list(_take_new(layer.non_trainable_weights, seen))
        sizes = [_count_bytes(tensor) for tensor in _find_new(traced[call.name])]
        yield LayerCost(
            name=call.name,
            type=type(layer).__name__,
            sources=_sources(call),
            output_shapes=tuple(tuple(output.shape) for output in keras.tree.flatten(symbol)),
            trained_parameters=_count_parameters(trained),
            frozen_parameters=_count_parameters(frozen),
            parameter_bytes=sum(_count_bytes(weight.value) or 0 for weight in trained + frozen),
            flops=costs[call.name].total,
            activation_bytes=sum(size for size in sizes if size is not None),
            unknown=costs[call.name].unknown,
            varying_outputs=sizes.count(None),
        )


def _sources(call: LayerCall) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reference.name for reference in call.references()))


def _take_new(weights: Iterable[keras.Variable], seen: set[int]) -> Iterator[keras.Variable]:
    """Yields the weights that no layer before had, and adds them to `seen`."""
    for weight in weights:
        if id(weight) not in seen:
            seen.add(id(weight))
            yield weight


def _count_parameters(weights: Iterable[keras.Variable]) -> int:
    return sum(weight.shape.num_elements() for weight in weights)


def _find_new(traced: _Traced) -> list[tf.Tensor]:
    """Returns the tensors that a call gives in memory of their own, each once."""
    own = {operation.name for operation in traced.operations}
    found = {}
    for output in traced.outputs:
        tensor = output
        while tensor.op.type in _VIEWS:
            tensor = tensor.op.inputs[0]
        if output.op.name in own and tensor.op.name in own:
            found[tensor.name] = tensor
    return list(found.values())


def _count_bytes(tensor: tf.Tensor) -> int | None:
    """Returns the memory that a tensor or a variable takes; None where its size varies."""
    try:
        return count_elements(tensor) * int(tensor.dtype.size)
    except UnknownShapeError:
        return None
