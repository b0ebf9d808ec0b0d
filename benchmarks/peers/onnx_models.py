"""Models of conf/model written in ONNX, with the weights of Keras."""

from collections.abc import Callable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Weights = Mapping[str, np.ndarray]

INPUT, OUTPUT = "image", "outputs"

_OPSET = 17
_IR_VERSION = 10  # what ONNX Runtime reads at the least


def build_model(name: str, weights: Weights, shape: tuple[int, ...]) -> bytes:
    """Returns a serialized model.

    Args:
        name: A name of ``MODELS``.
        weights: By Keras's paths.
        shape: (batch, rows, columns, 1) of the images; a fixed batch serves ONNX Runtime best.
    """
    builder = _Builder(weights)
    last = MODELS[name](builder, shape)
    graph = helper.make_graph(
        [*builder.nodes, helper.make_node("Identity", [last], [OUTPUT])],
        name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, (shape[0], None))],
        builder.constants,
    )
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class _Builder:
    """Gathers nodes and constants; each method adds one and returns its output's name."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights = weights

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        output = f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def weight(self, name: str) -> str:
        return self.constant(name, self._weights[name])

    def dense(self, name: str, features: str, kernel: np.ndarray | None = None) -> str:
        if kernel is None:
            kernel = self._weights[f"{name}/kernel"]
        constant = self.constant(f"{name}/kernel", kernel)
        return self.add("Gemm", [features, constant, self.weight(f"{name}/bias")])

    def conv(self, name: str, images: str) -> str:
        kernel = self._weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
        constant = self.constant(f"{name}/kernel", kernel)
        return self.add("Conv", [images, constant, self.weight(f"{name}/bias")], pads=[1, 1, 1, 1])

    def norm(self, name: str, images: str) -> str:
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        constants = [self.weight(f"{name}/{part}") for part in parts]
        return self.add("BatchNormalization", [images, *constants], epsilon=1e-3)

    def kernel(self, name: str) -> np.ndarray:
        return self._weights[f"{name}/kernel"]


def _mlp(builder: _Builder, _: tuple[int, ...]) -> str:
    hidden = builder.add("Flatten", [INPUT])
    hidden = builder.add("Relu", [builder.dense("dense1", hidden)])
    hidden = builder.add("Relu", [builder.dense("dense2", hidden)])
    return builder.dense("logits", hidden)


def _cnn(builder: _Builder, shape: tuple[int, ...]) -> str:
    batch, rows, columns, channels = shape
    # The only channel may stand first or last: the bytes are the same.
    first = builder.constant("shape", np.array([batch, channels, rows, columns]))
    images = builder.add("Reshape", [INPUT, first])
    for index in (1, 2):
        images = builder.add("Relu", [builder.conv(f"conv{index}", images)])
        images = builder.norm(f"norm{index}", images)
        images = builder.add("MaxPool", [images], kernel_shape=[2, 2], strides=[2, 2])
    kernel = builder.kernel("logits")
    channels_first = kernel.reshape(rows // 4, columns // 4, -1, kernel.shape[-1])
    reordered = channels_first.transpose(2, 0, 1, 3).reshape(kernel.shape)
    return builder.dense("logits", builder.add("Flatten", [images]), reordered)


MODELS: Mapping[str, Callable[[_Builder, tuple[int, ...]], str]] = {"mlp": _mlp, "cnn": _cnn}
