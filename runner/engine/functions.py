"""Opens the functions that the operations of a graph call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def
from tensorflow.python.ops.handle_data_util import copy_handle_data

# What TensorFlow notes of shapes at the time a function was traced.
_TRACED_SHAPES = "_output_shapes"


@dataclass(frozen=True)
class Body:
    """The inside of a function.

    Attributes:
        inputs: The placeholders of what goes in.
        outputs: What comes out.
        operations: Everything in between, in the order in which it was made.
    """

    inputs: Sequence[tf.Tensor]
    outputs: Sequence[tf.Tensor]
    operations: Sequence[tf.Operation]


class Functions:
    """The functions of one graph, each opened once for the shapes that it is called with."""

    def __init__(self, graph: tf.Graph) -> None:
        """Opens functions of `graph`."""
        self._graph = graph
        self._bodies: dict[tuple[str, tuple[str, ...]], Body] = {}

    def open(self, name: str, inputs: Sequence[tf.Tensor]) -> Body:
        """Returns a function's body, its tensors as large as `inputs` make them."""
        key = (name, tuple(str(tensor.shape) for tensor in inputs))
        if key not in self._bodies:
            body = self._open_traced(name)
            self._bodies[key] = body if _fits(body, inputs) else self._import(name, inputs)
        return self._bodies[key]

    def open_step(self, name: str, inputs: Sequence[tf.Tensor]) -> Body:
        """Returns the body of a loop; as it was traced where its tensors change in size."""
        body = self.open(name, inputs)
        keeps = all(
            str(given.shape) == str(left.shape)
            for given, left in zip(body.inputs, body.outputs, strict=True)
        )
        return body if keeps else self._open_traced(name)

    def _open_traced(self, name: str) -> Body:
        graph = self._graph._get_function(name).graph
        return Body(tuple(graph.inputs), tuple(graph.outputs), tuple(graph.get_operations()))

    def _import(self, name: str, inputs: Sequence[tf.Tensor]) -> Body:
        """Builds a function anew, so that TensorFlow finds the shapes of all its tensors."""
        definition = _without_shapes(self._graph._get_function(name).cached_definition)
        with self._graph.as_default():
            graph_def, names = function_def_to_graph_def(definition, include_library_functions=True)
        signature = definition.signature
        with tf.Graph().as_default() as graph:
            given = []
            for tensor in inputs:
                placeholder = tf.compat.v1.placeholder(tensor.dtype, tensor.shape)
                copy_handle_data(tensor, placeholder)
                given.append(placeholder)
            arguments = [names[argument.name] for argument in signature.input_arg]
            outputs = tf.graph_util.import_graph_def(
                graph_def,
                input_map=dict(zip(arguments, given, strict=True)),
                return_elements=[
                    names[definition.ret[argument.name]] for argument in signature.output_arg
                ],
                name="body",
            )
        return Body(tuple(given), tuple(outputs), tuple(graph.get_operations()))


def _fits(body: Body, inputs: Sequence[tf.Tensor]) -> bool:
    return all(
        inner.dtype == tf.resource or str(inner.shape) == str(given.shape)
        for inner, given in zip(body.inputs, inputs, strict=True)
    )


def _without_shapes(traced: Any) -> Any:
    definition = type(traced)()
    definition.CopyFrom(traced)
    for attributes in (*definition.arg_attr.values(), *definition.node_def):
        attributes.attr.pop(_TRACED_SHAPES, None)
    return definition
