"""Holds the arrays to feed to the placeholders they are fed to."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from models.config import InputConfig, TensorConfig
from models.problems import ConfigError, Problem, expected

Placeholder: TypeAlias = tf.Tensor | tf.SparseTensor


def open_placeholder(name: str, tensor: TensorConfig, batch_size: int | None = None) -> Placeholder:
    """Returns a placeholder of the declared shape, its batch axis in front.

    Args:
        name: The placeholder's name in the graph.
        tensor: Its shape and dtype.
        batch_size: The only number of examples it takes where none is declared; None for any.
    """
    if not isinstance(tensor, InputConfig):
        return tf.compat.v1.placeholder(tensor.dtype, [batch_size, *tensor.shape], name=name)
    shape = [tensor.batch_size or batch_size, *tensor.shape]
    if tensor.sparse:
        return tf.compat.v1.sparse_placeholder(tensor.dtype, shape, name=name)
    return tf.compat.v1.placeholder(tensor.dtype, shape, name=name)


def feed_tensors(placeholder: Placeholder) -> list[tf.Tensor]:
    """Returns the dense tensors that a placeholder is fed by."""
    if isinstance(placeholder, tf.SparseTensor):
        return [placeholder.indices, placeholder.values, placeholder.dense_shape]
    return [placeholder]


def feed_values(placeholder: Placeholder, array: np.ndarray) -> list[np.ndarray]:
    """Returns a value for each of ``feed_tensors``; a sparse one holds what is not zero."""
    if isinstance(placeholder, tf.SparseTensor):
        indices = np.argwhere(array)
        return [indices, array[tuple(indices.T)], np.asarray(array.shape, np.int64)]
    return [array]


def fit_feeds(
    arrays: Mapping[str, np.ndarray], placeholders: Mapping[str, Placeholder], path: str
) -> dict[str, np.ndarray]:
    """Returns the arrays for `placeholders`, each in its placeholder's dtype.

    Args:
        arrays: (examples, ...) arrays by name; others than the placeholders' are left out.
        placeholders: (None, ...) placeholders by name.
        path: The place in the configuration that declares the placeholders.

    Raises:
        ConfigError: With every placeholder that has no array, or one of another shape.
    """
    fitted, problems = {}, []
    for name, placeholder in placeholders.items():
        if name not in arrays:
            given = ", ".join(arrays) or "nothing"
            message = f"no value to feed it; the data gives {given}."
            problems.append(Problem(f"{path}.{name}", message))
        elif not placeholder.shape.is_compatible_with(arrays[name].shape):
            what = f"arrays of shape {tuple(placeholder.shape)}"
            problems.append(expected(f"{path}.{name}.shape", what, arrays[name].shape))
        else:
            fitted[name] = arrays[name].astype(placeholder.dtype.as_numpy_dtype, copy=False)
    if problems:
        raise ConfigError(problems)
    return fitted
