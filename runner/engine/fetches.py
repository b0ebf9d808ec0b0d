"""Finds what the configuration fetches in the graph."""

from collections.abc import Mapping

import tensorflow as tf

from models.problems import ConfigError, did_you_mean, expected


def resolve_fetches(
    fetches: Mapping[str, str], layer_outputs: Mapping[str, tf.Tensor], graph: tf.Graph
) -> dict[str, tf.Tensor]:
    """Returns the tensor of each fetch: a layer's output, or any tensor of `graph` by its name.

    Raises:
        ConfigError: With every fetch that is neither.
    """
    tensors, problems = {}, []
    for name, fetched in fetches.items():
        tensor = layer_outputs.get(fetched)
        try:
            tensor = graph.get_tensor_by_name(fetched) if tensor is None else tensor
            # A Session refuses to fetch the very tensor that it feeds.
            is_fed = tensor.op.type == "Placeholder"
            tensors[name] = tf.identity(tensor) if is_fed else tensor
        except (KeyError, ValueError):
            names = [
                output.name for operation in graph.get_operations() for output in operation.outputs
            ]
            hint = did_you_mean(fetched, [*layer_outputs, *names])
            what = "a layer or a tensor of the graph"
            problems.append(expected(f"fetches.{name}", what, fetched, hint))
    if problems:
        raise ConfigError(problems)
    return tensors
