"""Holds the arrays to feed to the placeholders they are fed to."""

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from models.config import InputConfig, TensorConfig
from models.problems import ConfigError, Problem, expected
from models.shapes import format_shape
from runner.feeds import FeedValue, SparseValue

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


def feed_values(placeholder: Placeholder, array: FeedValue) -> list[np.ndarray]:
    """Returns a value for each of ``feed_tensors``; a sparse one holds what is not zero."""
    if isinstance(array, tuple):
        return list(array)
    if isinstance(placeholder, tf.SparseTensor):
        indices = np.argwhere(array)
        return [indices, array[tuple(indices.T)], np.asarray(array.shape, np.int64)]
    return [array]


class Castable(Protocol):
    """An array, or what is read as one."""

    @property
    def shape(self) -> tuple[int | None, ...]:
        """(examples, ...), None where it varies."""

    def astype(self, dtype: Any, *, copy: bool) -> Self:
        """Returns it in another dtype."""


ArrayT = TypeVar("ArrayT", bound=Castable)


def fit_feeds(
    arrays: Mapping[str, ArrayT], placeholders: Mapping[str, Placeholder], path: str
) -> dict[str, ArrayT]:
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


def fit_replacements(
    values: Mapping[str, FeedValue], tensors: Mapping[str, Placeholder], examples: int
) -> tuple[dict[str, FeedValue], int]:
    """Returns the values that replace the data's, as tensors take them, and how many examples.

    A number stands for a tensor full of it, and one example's value for that of every example.

    Args:
        values: What the configuration feeds, by name.
        tensors: What each is fed to; (None, ...) where there is one for each example.
        examples: The number of examples where no value says it.

    Raises:
        ConfigError: With every value of another shape, dtype or number of examples.
    """
    counts = {
        name: count for name, value in values.items() if (count := _count(value, tensors[name]))
    }
    first, count = next(iter(counts.items()), ("", examples))
    fitted: dict[str, FeedValue] = {}
    problems = []
    for name, value in values.items():
        if counts.get(name, count) != count:
            what = f"{count} examples, as feeds.{first} has"
            problems.append(expected(f"feeds.{name}", what, counts[name]))
            continue
        try:
            fitted[name] = fit_value(f"feeds.{name}", value, tensors[name], count)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return fitted, count


def fit_value(
    path: str, value: FeedValue, tensor: Placeholder | tf.Variable, examples: int | None = None
) -> FeedValue:
    """Returns `value` in the shape and dtype of `tensor`.

    Args:
        path: Its place in the configuration.
        value: What is fed.
        tensor: What it is fed to.
        examples: What to repeat one example's value to; None for a tensor without examples.

    Raises:
        ConfigError: If it does not fit.
    """
    if isinstance(value, SparseValue):
        if not isinstance(tensor, tf.SparseTensor):
            raise ConfigError([expected(path, "a dense value, as its tensor is", "a sparse one")])
        entries = _cast(path, value.values, tensor.dtype)
        parts = (value.indices.astype(np.int64), entries, value.dense_shape.astype(np.int64))
        _require_shape(path, tensor, tuple(map(int, value.dense_shape)))
        return SparseValue(*parts)
    array = _cast(path, value, tensor.dtype)
    if tensor.shape.rank:
        sizes = tensor.shape.as_list()
        array = _repeat(array, [examples if sizes[0] is None else sizes[0], *sizes[1:]])
    _require_shape(path, tensor, array.shape)
    return array


def _count(value: FeedValue, tensor: Placeholder) -> int | None:
    """Returns how many examples `value` has, None if it does not say."""
    if tensor.shape.rank is None or tensor.shape.rank == 0 or tensor.shape[0] is not None:
        return None
    shape = value.dense_shape if isinstance(value, SparseValue) else value.shape
    return int(shape[0]) if len(shape) == tensor.shape.rank else None


def _repeat(array: np.ndarray, sizes: list[int | None]) -> np.ndarray:
    """Returns a number, or one example's value, in all of `sizes`; anything else as it is."""
    is_example = array.shape == tuple(sizes[1:])
    if None in sizes or not (is_example or array.ndim == 0):
        return array
    return np.broadcast_to(array, [size or 0 for size in sizes])


def _cast(path: str, array: np.ndarray, dtype: tf.DType) -> np.ndarray:
    wanted = np.dtype(dtype.as_numpy_dtype)
    is_extension = wanted.kind == "V" and array.dtype.kind in "fiub"  # such as bfloat16
    if dtype == tf.string and array.dtype.kind in "USO":
        return array.astype(object)
    if is_extension or (wanted.kind != "O" and np.can_cast(array.dtype, wanted, "same_kind")):
        return array.astype(wanted)
    what = f"values that {dtype.name} holds"
    raise ConfigError([Problem(path, f"expected {what}; received {array.dtype.name}.")])


def _require_shape(path: str, tensor: Any, shape: tuple[int, ...]) -> None:
    if tensor.shape.is_compatible_with(shape):
        return
    what = f"values of shape {format_shape(tensor.shape)}"
    raise ConfigError([Problem(path, f"expected {what}; received {shape}.")])
