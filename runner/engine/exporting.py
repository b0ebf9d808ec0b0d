"""Writes a model for other programs: Keras's format, TensorFlow's SavedModel, ONNX."""

import importlib.util
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from models.factory import BuiltModel, allow_recursion
from models.objects import keras_reason
from runner.engine.twin import REFUSALS, UnsavableError, name_inputs, name_outputs

KERAS = "keras"
SAVED_MODEL = "saved_model"
ONNX = "onnx"

_ONNX_PACKAGES = ("onnx", "tf2onnx")
_SUBGRAPHS = ("then_branch", "else_branch", "body")


def export_model(model: BuiltModel, file: Path, form: str) -> None:
    """Writes `model`; `file` is there only once all is written.

    In a SavedModel and in ONNX, inputs and outputs have the names of the configuration.

    Args:
        model: A model that was built eagerly.
        file: Where to; a SavedModel is a folder.
        form: ``keras``, ``saved_model`` or ``onnx``.

    Raises:
        UnsavableError: If it cannot be written so; the message says why.
    """
    if form == ONNX and (missing := [name for name in _ONNX_PACKAGES if not _is_there(name)]):
        raise UnsavableError(
            f"{' and '.join(missing)} cannot be imported; "
            "install what ONNX needs with pip install 'feedfetch[onnx]'."
        )
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as folder:
        partial = Path(folder) / file.name
        try:
            with allow_recursion(len(model.calls)), tf.device("/CPU:0"):
                _WRITERS[form](model, partial)
        except REFUSALS as error:
            raise UnsavableError(keras_reason(error)) from error
        shutil.move(partial, file)


def _write_keras(model: BuiltModel, file: Path) -> None:
    model.keras_model.save(file)


def _write_saved_model(model: BuiltModel, file: Path) -> None:
    _name_outputs(model).export(file, format="tf_saved_model", verbose=False)


def _write_onnx(model: BuiltModel, file: Path) -> None:
    """Freezes the model and has tf2onnx convert it.

    Not by Keras's own export, which makes inputs of constants, such as those of a Normalization.
    """
    import onnx
    import tf2onnx

    frozen = _freeze(model)
    given = [tensor for tensor in frozen.inputs if tensor.op.type == "Placeholder"]
    # In the order of the structure that the function returns, which is sorted.
    names = dict(zip((one.name for one in frozen.outputs), sorted(model.outputs), strict=True))
    _teach_erfc()
    with _silence():
        tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(add_shapes=True),
            name=model.keras_model.name,
            input_names=[tensor.name for tensor in given],
            output_names=list(names),
            tensors_to_rename={**{one.name: one.op.name for one in given}, **names},
            output_path=str(file),
        )
    unknown = sorted(set(_list_unknown(onnx.load(file).graph)))
    if unknown:
        raise UnsavableError(f"ONNX has nothing for TensorFlow's {', '.join(unknown)}.")


def _freeze(model: BuiltModel) -> Any:
    """Returns the model as a function of a graph whose variables are constants."""
    specs = {
        name: tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for name, tensor in name_inputs(model.keras_model).items()
    }

    @tf.function  # type: ignore[untyped-decorator]
    def answer(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return model.call(features, training=False)

    # As tf2onnx does: it converts control flow of functions, not of old operations.
    return convert_variables_to_constants_v2(
        answer.get_concrete_function(specs), lower_control_flow=False, aggressive_inlining=True
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Drops what is told in the block: tf2onnx logs each operation that it cannot convert."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _name_outputs(model: BuiltModel) -> keras.Model:
    """Returns the model whose only output has a name too."""
    built = model.keras_model
    return keras.Model(built.input, name_outputs(built, tuple(model.outputs)), name=built.name)


def _list_unknown(graph: Any) -> Iterator[str]:
    """Yields the operations of an ONNX graph that are none, as tf2onnx leaves them there."""
    import onnx

    for node in graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            yield node.op_type
        for attribute in node.attribute:
            if attribute.name in _SUBGRAPHS:
                yield from _list_unknown(attribute.g)


def _teach_erfc() -> None:
    """Gives tf2onnx 1.17 the complement of the error function, which TensorFlow's GELU takes."""
    from tf2onnx.handler import tf_op
    from tf2onnx.utils import map_onnx_to_numpy_type

    @tf_op("Erfc")
    class _Erfc:
        @classmethod
        def version_9(cls, context: Any, node: Any, **_: Any) -> None:
            output = node.output[0]
            shape, dtype = context.get_shape(output), context.get_dtype(output)
            one = context.make_const(f"{node.name}_one", np.array(1, map_onnx_to_numpy_type(dtype)))
            error = context.make_node("Erf", [node.input[0]])
            context.remove_node(node.name)
            context.make_node(
                "Sub",
                [one.output[0], error.output[0]],
                name=node.name,
                outputs=[output],
                shapes=[shape],
                dtypes=[dtype],
            )


def _is_there(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


_WRITERS = {KERAS: _write_keras, SAVED_MODEL: _write_saved_model, ONNX: _write_onnx}
