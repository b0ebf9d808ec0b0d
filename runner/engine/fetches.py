"""Finds what the configuration fetches in the graph."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from models.factory import find_output
from models.problems import ConfigError, Problem, did_you_mean, expected
from models.wiring import Reference, parse_reference
from runner.fetches import flatten_fetches


def resolve_fetches(
    fetches: Mapping[str, Any],
    names: Mapping[str, Reference],
    values: Mapping[str, Any],
    graph: tf.Graph,
) -> dict[str, tf.Tensor]:
    """Returns the tensor of each fetch: a layer's output, or any tensor of `graph` by its name.

    Args:
        fetches: What is fetched; mappings and lists may be nested.
        names: What each input, layer and block of the model gives.
        values: The tensors of the model's calls, by call.
        graph: The graph.

    Raises:
        ConfigError: With every fetch that is neither.
    """
    tensors: dict[str, tf.Tensor] = {}
    problems: list[Problem] = []
    for name, fetched in flatten_fetches(fetches).items():
        try:
            tensors[name] = _find(f"fetches.{name}", fetched, names, values, graph)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return tensors


def _find(
    path: str,
    fetched: str,
    names: Mapping[str, Reference],
    values: Mapping[str, Any],
    graph: tf.Graph,
) -> tf.Tensor:
    reference = parse_reference(fetched)
    if reference is not None and reference.name in names:
        value = _find_part(path, fetched, names[reference.name], reference.part, values)
    else:
        value = _find_tensor(path, fetched, names, graph)
    if isinstance(value, tf.SparseTensor):
        return tf.sparse.to_dense(value)
    # A Session refuses to fetch the very tensor that it feeds.
    return tf.identity(value) if value.op.type == "Placeholder" else value


def _find_part(
    path: str,
    fetched: str,
    source: Reference,
    part: int | str | None,
    values: Mapping[str, Any],
) -> Any:
    whole = source if part is None else Reference(source.name, part)
    try:
        value = find_output(values, whole)
    except (LookupError, TypeError):
        value = find_output(values, source)
    if isinstance(value, Mapping | list | tuple):
        parts = list(value) if isinstance(value, Mapping) else range(len(value))
        what = f"one of {', '.join(f'{source.name}[{key}]' for key in parts)}"
        raise ConfigError([expected(path, what, fetched)])
    if not isinstance(value, tf.Tensor | tf.SparseTensor):
        raise ConfigError([Problem(path, f"{fetched} gives no tensor.")])
    return value


def _find_tensor(
    path: str, fetched: str, names: Mapping[str, Reference], graph: tf.Graph
) -> tf.Tensor:
    try:
        return graph.get_tensor_by_name(fetched)
    except (KeyError, ValueError) as error:
        tensors = [
            output.name for operation in graph.get_operations() for output in operation.outputs
        ]
        hint = did_you_mean(fetched, [*names, *tensors])
        what = "a layer or a tensor of the graph"
        raise ConfigError([expected(path, what, fetched, hint)]) from error
