"""Counts the floating-point operations of one TensorFlow operation.

A multiply-add is 2. An elementary function of a number, such as exp or tanh, is 1, as is each
addition, multiplication, division and comparison that gives a number. Moving data is 0, and so are
arithmetic on integers and tests that give booleans. Convolutions are counted as if no part of a
window were padding, as publications count them.
"""

import math
import re
from collections.abc import Callable, Mapping

import tensorflow as tf


class UnknownShapeError(Exception):
    """The graph does not say how large a tensor is."""


def count_flops(operation: tf.Operation) -> int | None:
    """Returns the operations of one run of `operation`; None where they are not known.

    They are unknown where the type is, and where an axis of a tensor varies.
    """
    if operation.type in _FREE:
        return 0
    count = _COUNTS.get(operation.type)
    if count is None:
        return 0 if _is_free(operation) else None
    if operation.type not in _OF_ANY_DTYPE and _is_free(operation):
        return 0
    try:
        return count(operation)
    except UnknownShapeError:
        return None


def count_elements(tensor: tf.Tensor) -> int:
    """Returns how many numbers `tensor` holds.

    Raises:
        UnknownShapeError: If an axis varies.
    """
    return math.prod(_axes(tensor))


def _is_free(operation: tf.Operation) -> bool:
    """Returns whether nothing that comes out is a floating-point number."""
    return not any(
        output.dtype.is_floating or output.dtype.is_complex for output in operation.outputs
    )


def _axes(tensor: tf.Tensor) -> list[int]:
    if not tensor.shape.is_fully_defined():
        raise UnknownShapeError
    axes: list[int] = tensor.shape.as_list()
    return axes


def _input(operation: tf.Operation, index: int = 0) -> int:
    return count_elements(operation.inputs[index])


def _output(operation: tf.Operation) -> int:
    return count_elements(operation.outputs[0])


def _per_output(flops: int) -> Callable[[tf.Operation], int]:
    return lambda operation: flops * _output(operation)


def _per_input(flops: int) -> Callable[[tf.Operation], int]:
    return lambda operation: flops * _input(operation)


def _reduce(operation: tf.Operation) -> int:
    """A sum of n numbers takes n - 1 additions; so do the largest and the product."""
    return _input(operation) - _output(operation)


def _add_all(operation: tf.Operation) -> int:
    return (len(operation.inputs) - 1) * _output(operation)


def _multiply_matrices(operation: tf.Operation) -> int:
    transposed = any(
        operation.get_attr(name)
        for name in ("transpose_a", "adj_x")
        if name in operation.node_def.attr
    )
    inner = _axes(operation.inputs[0])[-2 if transposed else -1]
    return 2 * inner * _output(operation)


def _convolve(operation: tf.Operation) -> int:
    """Each output takes a window over the channels of its group: all axes of the kernel but one."""
    *window, _ = _axes(operation.inputs[1])
    return 2 * math.prod(window) * _output(operation)


def _convolve_depthwise(operation: tf.Operation) -> int:
    height, width, _, _ = _axes(operation.inputs[1])
    return 2 * height * width * _output(operation)


def _convolve_transposed(operation: tf.Operation) -> int:
    """Each number that comes in is spread over a window of each output channel."""
    *window, _ = _axes(operation.inputs[1])
    return 2 * math.prod(window) * _input(operation, 2)


def _convolve_transposed_depthwise(operation: tf.Operation) -> int:
    height, width, _, _ = _axes(operation.inputs[1])
    return 2 * height * width * _input(operation, 2)


def _pool(operation: tf.Operation) -> int:
    """Each output takes a window: its sum and one division, or as many comparisons."""
    window: list[int] = operation.get_attr("ksize")
    return math.prod(window) * _output(operation)


def _pool_by_input(operation: tf.Operation) -> int:
    given = tf.get_static_value(operation.inputs[1])
    if given is None:
        raise UnknownShapeError
    window: list[int] = given.tolist()
    return math.prod(window) * _output(operation)


def _normalize_batch(operation: tf.Operation) -> int:
    """A factor and an offset a channel, then both applied; in training the moments before."""
    elements, channels = _input(operation), _input(operation, 1)
    moments = 4 * elements if operation.get_attr("is_training") else 0
    return moments + 2 * elements + 5 * channels


def _transform(operation: tf.Operation) -> int:
    """A Fourier transform of n complex numbers takes 5 n log2 n, half of it for real ones."""
    rank = {"": 1, "2D": 2, "3D": 3}[operation.type.rpartition("FFT")[2]]
    is_real = "RFFT" in operation.type
    real = operation.outputs[0] if operation.type.startswith("IRFFT") else operation.inputs[0]
    axes = _axes(real)
    length = math.prod(axes[-rank:])
    transforms = math.prod(axes[:-rank])
    flops = 5 * length * math.log2(length) * transforms if length > 1 else 0.0
    return round(flops / 2 if is_real else flops)


def _einsum(operation: tf.Operation) -> int:
    """A product over all labels, and a sum where a label is not among the output's."""
    equation = operation.get_attr("equation").decode().replace(" ", "")
    inputs, _, output = equation.partition("->")
    sizes: dict[str, int] = {}
    for labels, tensor in zip(inputs.split(","), operation.inputs, strict=True):
        for label, size in _label_axes(labels, _axes(tensor)):
            sizes[label] = max(size, sizes.get(label, 1))
    products = math.prod(sizes.values())
    if len(operation.inputs) == 1:
        return max(products - _output(operation), 0)
    is_summed = any(label not in output for label in sizes if not label.startswith("."))
    return 2 * products if is_summed else products


def _label_axes(labels: str, axes: list[int]) -> list[tuple[str, int]]:
    """Returns each axis with its label; those of an ellipsis are counted from the right."""
    before, dots, after = labels.partition("...")
    if not dots:
        return list(zip(labels, axes, strict=True))
    many = len(axes) - len(before) - len(after)
    names = [*before, *(f".{many - index}" for index in range(many)), *after]
    return list(zip(names, axes, strict=True))


def _run_cudnn(operation: tf.Operation) -> int:
    """Each gate of each step multiplies the input and the state, and adds both and two biases.

    Besides there are, a unit, 9 in an LSTM, 8 in a GRU and 1 in a simple RNN.
    """
    mode = operation.get_attr("rnn_mode").decode()
    gates, rest = {"lstm": (4, 9), "gru": (3, 8)}.get(mode, (1, 1))
    steps, batch, features = _axes(operation.inputs[0])
    depth, _, units = _axes(operation.inputs[1])
    directions = 2 if operation.get_attr("direction") == b"bidirectional" else 1
    flops = 0
    for layer in range(depth // directions):
        width = features if layer == 0 else units * directions
        flops += directions * units * (gates * (2 * width + 2 * units + 3) + rest)
    return steps * batch * flops


_ELEMENTARY = re.findall(
    r"\w+",
    """
    Abs Acos Acosh Add AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd BiasAddV1 Ceil Cos Cosh Cumprod
    Cumsum CumulativeLogsumexp Digamma Div DivNoNan Elu Erf Erfc Erfinv Exp Expm1 Floor FloorDiv
    FloorMod Inv LeakyRelu Lgamma Log Log1p Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter Pow
    RealDiv Reciprocal Relu Relu6 Rint Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt
    Square Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy
    RandomStandardNormal RandomUniform TruncatedNormal StatelessRandomNormal
    StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformV2
    StatelessTruncatedNormal StatelessTruncatedNormalV2
    """,
)

_COUNTS: Mapping[str, Callable[[tf.Operation], int]] = {
    **dict.fromkeys(_ELEMENTARY, _per_output(1)),
    "AddN": _add_all,
    "ClipByValue": _per_output(2),
    "Rsqrt": _per_output(2),
    "SquaredDifference": _per_output(2),
    # The largest, the difference from it, exp, the sum and the division; log for the last.
    "Softmax": _per_output(5),
    "LogSoftmax": _per_output(5),
    "L2Loss": _per_input(3),
    # Three interpolations between two numbers, of three operations each.
    "ResizeBilinear": _per_output(9),
    "Max": _reduce,
    "Min": _reduce,
    "Prod": _reduce,
    "Sum": _reduce,
    "Mean": _per_input(1),
    "EuclideanNorm": _per_input(2),
    "Bincount": _per_input(1),
    "DenseBincount": _per_input(1),
    "SegmentMax": _per_input(1),
    "SegmentMean": _per_input(1),
    "SegmentSum": _per_input(1),
    "UnsortedSegmentMax": _per_input(1),
    "UnsortedSegmentSum": _per_input(1),
    "MatMul": _multiply_matrices,
    "BatchMatMul": _multiply_matrices,
    "BatchMatMulV2": _multiply_matrices,
    "BatchMatMulV3": _multiply_matrices,
    "Einsum": _einsum,
    "Conv2D": _convolve,
    "Conv3D": _convolve,
    "DepthwiseConv2dNative": _convolve_depthwise,
    "Conv2DBackpropInput": _convolve_transposed,
    "Conv3DBackpropInputV2": _convolve_transposed,
    "DepthwiseConv2dNativeBackpropInput": _convolve_transposed_depthwise,
    "AvgPool": _pool,
    "AvgPool3D": _pool,
    "MaxPool": _pool,
    "MaxPool3D": _pool,
    "MaxPoolWithArgmax": _pool,
    "MaxPoolV2": _pool_by_input,
    "FusedBatchNorm": _normalize_batch,
    "FusedBatchNormV2": _normalize_batch,
    "FusedBatchNormV3": _normalize_batch,
    **dict.fromkeys(
        [f"{prefix}FFT{rank}" for prefix in ("", "I", "R", "IR") for rank in ("", "2D", "3D")],
        _transform,
    ),
    "CudnnRNNV3": _run_cudnn,
}

# Layers of small integers multiply these.
_OF_ANY_DTYPE = frozenset(
    name
    for name in _COUNTS
    if name.startswith(("MatMul", "BatchMatMul", "Einsum", "Conv", "Depth"))
)

_FREE = frozenset(
    re.findall(
        r"\w+",
        """
        Assert AssignVariableOp BatchToSpace BatchToSpaceND Bitcast BroadcastTo Cast CheckNumerics
        CheckNumericsV2 Complex Concat ConcatV2 Conj Const CopyHost DeepCopy DepthToSpace Diag
        DiagPart DynamicPartition DynamicStitch Empty EmptyTensorList EnsureShape ExpandDims
        ExtractImagePatches ExtractVolumePatches Fill Gather GatherNd GatherV2 Identity IdentityN
        Imag ImmutableConst InvertPermutation MatrixBandPart MatrixDiag MatrixDiagPart
        MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2
        MatrixSetDiagV3 MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch
        ParseTensor Placeholder PlaceholderWithDefault PreventGradient QuantizeV2 Range
        ReadVariableOp Real Reshape ResizeNearestNeighbor ResourceGather ResourceGatherNd Reverse
        ReverseSequence ReverseV2 Roll ScatterNd Select SelectV2 Slice Snapshot SpaceToBatch
        SpaceToBatchND SpaceToDepth SparseFillEmptyRows SparseReorder SparseReshape SparseSlice
        SparseToDense Split SplitV Squeeze StopGradient StridedSlice TensorArrayGatherV3
        TensorArrayReadV3 TensorArrayScatterV3 TensorArrayV3 TensorArrayWriteV3 TensorListConcat
        TensorListConcatV2 TensorListFromTensor TensorListGather TensorListGetItem
        TensorListReserve TensorListScatterV2 TensorListSetItem TensorListStack TensorScatterUpdate
        TensorStridedSliceUpdate Tile TopK TopKV2 Transpose Unpack UnravelIndex Variable VariableV2
        VarHandleOp Where ZerosLike
        """,
    )
)
