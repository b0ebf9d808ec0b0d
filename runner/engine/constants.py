"""Works out small tensors that depend on no feed, such as the number of a loop's steps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

# A tensor's value by its name; what is in it is not worked out again.
Values = dict[str, np.ndarray | None]


def evaluate(tensor: tf.Tensor, values: Values) -> np.ndarray | None:
    """Returns the value of `tensor`, None where it is not known without a run.

    Args:
        tensor: A tensor that arithmetic on lengths and indices gives.
        values: Tensors of the same graph whose values are known; others are added.
    """
    if tensor.name not in values:
        values[tensor.name] = _evaluate(tensor, values)
    return values[tensor.name]


def _evaluate(tensor: tf.Tensor, values: Values) -> np.ndarray | None:
    operation = tensor.op
    if operation.type == "Const":
        return np.asarray(tf.make_ndarray(operation.get_attr("value")))
    if operation.type in _OF_SHAPE:
        shape = operation.inputs[0].shape
        return np.asarray(_OF_SHAPE[operation.type](shape)) if shape.is_fully_defined() else None
    if operation.type not in _OF_VALUES:
        return None
    arrays = [evaluate(given, values) for given in operation.inputs]
    if any(array is None for array in arrays):
        return None
    return np.asarray(_OF_VALUES[operation.type](operation, *arrays))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `function` of arrays as one of an operation and its arrays."""
    return lambda _, *arrays: function(*arrays)


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(operation: tf.Operation, array: np.ndarray, axes: np.ndarray) -> Any:
        keepdims = operation.get_attr("keep_dims")
        return function(array, axis=tuple(np.atleast_1d(axes).tolist()), keepdims=keepdims)

    return reduce


def _cast(operation: tf.Operation, array: np.ndarray) -> np.ndarray:
    return array.astype(operation.outputs[0].dtype.as_numpy_dtype)


def _pack(operation: tf.Operation, *arrays: np.ndarray) -> np.ndarray:
    return np.stack(arrays, axis=operation.get_attr("axis"))


def _slice(
    operation: tf.Operation,
    array: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    strides: np.ndarray,
) -> np.ndarray:
    """Applies each axis's slice; bits of the masks say what its numbers mean."""
    index: list[Any] = []
    for axis, (first, last, stride) in enumerate(
        zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    ):
        is_set = {
            name: bool(operation.get_attr(f"{name}_mask") & 1 << axis)
            for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
        }
        if is_set["ellipsis"]:
            index.append(...)
        elif is_set["new_axis"]:
            index.append(np.newaxis)
        elif is_set["shrink_axis"]:
            index.append(first)
        else:
            start, stop = (None if is_set["begin"] else first), (None if is_set["end"] else last)
            index.append(slice(start, stop, stride))
    return np.asarray(array[tuple(index)])


_OF_SHAPE: Mapping[str, Callable[[tf.TensorShape], Any]] = {
    "Shape": lambda shape: shape.as_list(),
    "Size": lambda shape: shape.num_elements(),
    "Rank": lambda shape: shape.rank,
}

_OF_VALUES: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("Identity", "StopGradient", "Snapshot", "EnsureShape"), _plain(np.asarray)),
    **dict.fromkeys(("Add", "AddV2"), _plain(np.add)),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "FloorDiv": _plain(np.floor_divide),
    "FloorMod": _plain(np.mod),
    "Neg": _plain(np.negative),
    "Maximum": _plain(np.maximum),
    "Minimum": _plain(np.minimum),
    "Less": _plain(np.less),
    "LessEqual": _plain(np.less_equal),
    "Greater": _plain(np.greater),
    "GreaterEqual": _plain(np.greater_equal),
    "Equal": _plain(np.equal),
    "NotEqual": _plain(np.not_equal),
    "LogicalAnd": _plain(np.logical_and),
    "LogicalOr": _plain(np.logical_or),
    "LogicalNot": _plain(np.logical_not),
    "Max": _reduced(np.max),
    "Min": _reduced(np.min),
    "Sum": _reduced(np.sum),
    "Prod": _reduced(np.prod),
    "All": _reduced(np.all),
    "Any": _reduced(np.any),
    "Range": _plain(np.arange),
    "Reshape": _plain(np.reshape),
    "ConcatV2": _plain(lambda *arrays: np.concatenate(arrays[:-1], axis=arrays[-1])),
    "Cast": _cast,
    "Pack": _pack,
    "StridedSlice": _slice,
}
