"""Finds what the configuration fetches: values of the graph, gradients, losses and metrics."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from models.factory import BuiltModel, find_output
from models.problems import ConfigError, Problem, did_you_mean, expected
from models.wiring import LayerCall, Reference, parse_reference
from runner.engine.losses import Comparison, Tensors
from runner.feeds import SparseValue
from runner.fetches import (
    LAYER_INPUT,
    LEARNING_RATE,
    OPTIMIZER,
    Fetch,
    flatten_fetches,
    match_names,
    parse_call,
    parse_fetch,
)

# An operation gives nothing; it is only run.
Fetched: TypeAlias = tf.Tensor | tf.SparseTensor | tf.Operation

_INPUT = re.compile(rf"(?P<call>.+)\.{LAYER_INPUT}(\[(?P<part>\w+)\])?")


@dataclass(frozen=True)
class FetchScope:
    """All that has a name in a call of a model.

    Attributes:
        model: The model.
        values: The tensors of its inputs and calls, by call.
        variables: Weights, statistics and what the optimizer keeps, such as ``conv1.kernel``.
        comparison: The losses and metrics of this call.
        graph: The graph that holds what is named as TensorFlow does.
        fed: Names of tensors that are fed.
    """

    model: BuiltModel
    values: Mapping[str, Any]
    variables: Mapping[str, tf.Variable | tf.Tensor]
    comparison: Comparison
    graph: tf.Graph
    fed: Collection[str] = ()


def resolve_fetches(fetches: Mapping[str, Any], scope: FetchScope) -> dict[str, Fetched]:
    """Returns what each fetch is in the graph, by dotted name; a pattern is all that matches it.

    Args:
        fetches: What is fetched; mappings and lists may be nested.
        scope: What has a name.

    Raises:
        ConfigError: With every fetch that is not there.
    """
    return _Resolver(scope).resolve(fetches)


def find_batched(fetches: Mapping[str, Fetched], batch_size: int | None) -> frozenset[str]:
    """Returns the names of the fetches that hold a value for each example, its axis in front.

    Args:
        fetches: What is fetched, by name.
        batch_size: The only number of examples that the model takes; None for any.
    """
    shapes = {name: fetch.shape for name, fetch in fetches.items() if isinstance(fetch, tf.Tensor)}
    return frozenset(
        name for name, shape in shapes.items() if shape.rank and shape[0] in (None, batch_size)
    )


def name_variables(model: BuiltModel) -> dict[str, tf.Variable]:
    """Returns the variables of `model` as ``layer.weight``, those of shared layers once."""
    return {
        name_weight(layer, variable.path): variable.value
        for layer, built in model.layers.items()
        for variable in built.variables
    }


def name_weight(layer: str, path: str) -> str:
    """Returns the name of a variable of a layer by its path in Keras, as ``conv1.kernel``."""
    return locate_weight(layer, path).replace("/", ".")


def locate_weight(layer: str, path: str) -> str:
    """Returns the path of a variable from its layer on, as ``conv1/kernel``."""
    # A model within the model does not begin its weights' paths with its own name.
    return path if path.startswith(f"{layer}/") else f"{layer}/{path}"


def name_optimizer_variables(
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, tf.Variable | tf.Tensor]:
    """Returns what `optimizer` keeps as ``optimizer.iteration``, and its current learning rate."""
    named: dict[str, tf.Variable | tf.Tensor] = {}
    for variable in optimizer.variables:
        _, _, own = variable.path.partition("/")
        # An optimizer within the optimizer has variables of the same names.
        is_taken = f"{OPTIMIZER}.{own}" in named
        path = variable.path if is_taken else own
        named[f"{OPTIMIZER}.{path.replace('/', '.')}"] = variable.value
    rate = optimizer.learning_rate
    named[LEARNING_RATE] = getattr(rate, "value", rate)
    return named


def find_value(path: str, name: str, scope: FetchScope) -> Any:
    """Returns the tensor, variable or operation that `name` stands for.

    Args:
        path: The place of `name` in the configuration.
        name: A layer, a weight, or anything in the graph.
        scope: What has a name.

    Raises:
        ConfigError: If there is none.
    """
    return _Resolver(scope).find(path, name, name)


def fetch_tensors(fetch: Fetched) -> list[tf.Tensor]:
    """Returns the dense tensors that a fetch is made of: none for an operation."""
    if isinstance(fetch, tf.SparseTensor):
        return [fetch.indices, fetch.values, fetch.dense_shape]
    return [fetch] if isinstance(fetch, tf.Tensor) else []


def fetch_value(values: Sequence[Any]) -> Any:
    """Returns the value of a fetch from those of its ``fetch_tensors``, as ``Session.run`` does."""
    if len(values) > 1:
        return SparseValue(*values)
    return values[0] if values else None


class _Resolver:
    def __init__(self, scope: FetchScope) -> None:
        self._scope = scope
        self._found: dict[str, Fetched] = {}
        self._problems: list[Problem] = []
        # What gradients are taken of, to the fetch's name and what each is with respect to.
        self._gradients: dict[str | None, dict[str, tuple[str, Any]]] = defaultdict(dict)

    def resolve(self, fetches: Mapping[str, Any]) -> dict[str, Fetched]:
        with tf.name_scope("fetches"):
            for name, text in flatten_fetches(fetches).items():
                self._attempt(lambda: self._add(name, f"fetches.{name}", text))  # noqa: B023
            order = list(self._found)
            for of, sources in self._gradients.items():
                self._attempt(lambda: self._differentiate(of, sources))  # noqa: B023
        if self._problems:
            raise ConfigError(self._problems)
        return {name: self._found[name] for name in order}

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ConfigError as error:
            self._problems += error.problems

    def _add(self, name: str, path: str, text: str) -> None:
        fetch = parse_fetch(text)
        if not fetch.is_pattern:
            self._add_one(name, path, fetch, text)
            return
        matched = self._match(fetch)
        if not matched:
            raise ConfigError([expected(path, "a pattern that something matches", text)])
        for each in matched:
            self._add_one(f"{name}.{each}", path, Fetch(fetch.kind, each, fetch.of), text)

    def _match(self, fetch: Fetch) -> list[str]:
        scope = self._scope
        if fetch.kind == "metric":
            return match_names(fetch.name, scope.comparison.metrics)
        if fetch.kind == "loss":
            return match_names(fetch.name, scope.comparison.losses.by_output)
        if "/" in fetch.name or ":" in fetch.name:
            return match_names(fetch.name, _tensor_names(scope.graph))
        matched = match_names(fetch.name, self._names())
        if fetch.kind == "grad" and "." in fetch.name:
            variables = [name for name in matched if name in scope.variables]
            return [name for name in variables if _is_trained(scope.variables[name])]
        return matched

    def _names(self) -> list[str]:
        scope = self._scope
        calls = [name for name, given in scope.model.names.items() if str(given) == name]
        return list(dict.fromkeys([*calls, *scope.variables]))

    def _add_one(self, name: str, path: str, fetch: Fetch, text: str) -> None:
        match fetch.kind:
            case "loss":
                self._found[name] = self._loss(path, fetch.name)
            case "metric":
                self._found[name] = self._part(
                    path, "a metric", fetch.name, self._scope.comparison.metrics
                )
            case "grad":
                source = self.find(path, fetch.name, text)
                self._gradients[fetch.of][name] = (fetch.name, source)
                self._found[name] = source  # keeps its place
            case "value":
                self._found[name] = self._fetchable(self.find(path, fetch.name, text))

    def _loss(self, path: str, output: str) -> tf.Tensor:
        losses = self._scope.comparison.losses
        if not output:
            return losses.total
        return self._part(path, "an output with a loss", output, losses.by_output)

    def _part(self, path: str, what: str, name: str, parts: Tensors) -> tf.Tensor:
        if name not in parts:
            raise ConfigError([expected(path, what, name, did_you_mean(name, list(parts)))])
        return parts[name]

    def _fetchable(self, value: Any) -> Fetched:
        """Returns `value` as a Session fetches it: it refuses the very tensor that it feeds."""
        if isinstance(value, tf.SparseTensor):
            return tf.SparseTensor(*(tf.identity(part) for part in fetch_tensors(value)))
        if isinstance(value, tf.Variable):
            return tf.identity(value)
        if isinstance(value, tf.Tensor):
            is_fed = value.op.type == "Placeholder" or value.name in self._scope.fed
            return tf.identity(value) if is_fed else value
        return value

    def find(self, path: str, name: str, text: str) -> Any:
        """Returns the value that `name` stands for, or the operation."""
        scope = self._scope
        reference = parse_reference(name)
        if reference is not None and reference.name in scope.model.names:
            return self._take(path, text, scope.model.names[reference.name], reference.part)
        if name in scope.model.outputs:
            return self._take(path, text, scope.model.outputs[name], None)
        if name in scope.variables:
            return scope.variables[name]
        call = parse_call(name)
        if call is not None:
            return self._take(path, text, Reference(self._find_call(path, text, *call)), None)
        taken = _INPUT.fullmatch(name)
        calls = {call.name: call for call in scope.model.calls}
        if taken is not None and taken["call"] in calls:
            given = self._find_input(path, text, calls[taken["call"]], taken["part"])
            return self._take(path, text, given, None)
        return self._find_in_graph(path, name, text)

    def _find_call(self, path: str, text: str, layer: str, index: int) -> str:
        calls = [call.name for call in self._scope.model.calls if call.layer == layer]
        if not calls:
            layers = list(self._scope.model.layers)
            raise ConfigError([expected(path, "a layer", text, did_you_mean(layer, layers))])
        if index > len(calls):
            what = f"{layer}@1 to {layer}@{len(calls)}, its calls"
            raise ConfigError([expected(path, what, text)])
        return calls[index - 1]

    def _find_input(self, path: str, text: str, call: LayerCall, part: str | None) -> Reference:
        inputs: dict[str, Reference] = {}
        for argument, source in call.sources.items():
            if isinstance(source, tuple):
                start = f"{argument}_" if argument else ""
                inputs |= {f"{start}{index}": item for index, item in enumerate(source)}
            else:
                inputs[argument or "0"] = source
        if part is None and len(inputs) == 1:
            return next(iter(inputs.values()))
        if part not in inputs:
            names = ", ".join(f"{call.name}.{LAYER_INPUT}[{key}]" for key in inputs)
            raise ConfigError([expected(path, f"one of {names}", text)])
        return inputs[part]

    def _take(self, path: str, text: str, source: Reference, part: int | str | None) -> Any:
        values = self._scope.values
        whole = source if part is None else Reference(source.name, part)
        try:
            value = find_output(values, whole)
        except (LookupError, TypeError):
            value = find_output(values, source)
        if isinstance(value, Mapping | list | tuple):
            parts = list(value) if isinstance(value, Mapping) else range(len(value))
            what = f"one of {', '.join(f'{source.name}[{key}]' for key in parts)}"
            raise ConfigError([expected(path, what, text)])
        if not isinstance(value, tf.Tensor | tf.SparseTensor):
            raise ConfigError([Problem(path, f"{text} gives no tensor.")])
        return value

    def _find_in_graph(self, path: str, name: str, text: str) -> Any:
        graph = self._scope.graph
        try:
            return graph.as_graph_element(name, allow_tensor=True, allow_operation=True)
        except (KeyError, ValueError) as error:
            tensors = _tensor_names(graph) if "/" in name or ":" in name else []
            hint = did_you_mean(name, [*self._names(), *self._scope.model.outputs, *tensors])
            what = "a layer, a weight or a tensor of the graph"
            raise ConfigError([expected(path, what, text, hint)]) from error

    def _differentiate(self, of: str | None, sources: Mapping[str, tuple[str, Any]]) -> None:
        """Replaces the sources of gradients by the gradients, all of one `of` at once."""
        first = f"fetches.{next(iter(sources))}"
        if of is None:
            target = self._scope.comparison.losses.total
        else:
            target = self.find(first, of, of)
            _require_float(first, of, target)
        for name, (source, value) in sources.items():
            _require_float(f"fetches.{name}", source, value)
        gradients = tf.gradients(target, [value for _, value in sources.values()])
        for (name, (source, _)), gradient in zip(sources.items(), gradients, strict=True):
            if gradient is None:
                message = f"{of or 'the loss'} is made without {source}; there is no gradient."
                raise ConfigError([Problem(f"fetches.{name}", message)])
            self._found[name] = tf.convert_to_tensor(gradient)


def _require_float(path: str, name: str, value: Any) -> None:
    if isinstance(value, tf.Tensor | tf.Variable) and value.dtype.is_floating:
        return
    received = value.dtype.name if hasattr(value, "dtype") else type(value).__name__
    what = "floating-point values to differentiate"
    raise ConfigError([Problem(path, f"expected {what}; {name} is of {received}.")])


def _is_trained(value: tf.Variable | tf.Tensor) -> bool:
    return isinstance(value, tf.Variable) and value.trainable


def _tensor_names(graph: tf.Graph) -> list[str]:
    return [output.name for operation in graph.get_operations() for output in operation.outputs]
