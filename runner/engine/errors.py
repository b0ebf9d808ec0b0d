"""What the engine raises, and where in the configuration it comes from; without TensorFlow."""

import re
from collections.abc import Mapping

_NODE = re.compile(r"\{\{node ([^}\s]+)\}\}")
_COUNT = re.compile(r"_\d+$")
_HINTS = {
    "ResourceExhaustedError": "Use a smaller data.batch_size, or a device with more memory.",
    "FailedPreconditionError": "Something that the step reads has no value yet.",
}
_CLOSED = "closed Session"


class StepError(Exception):
    """A step failed in the Session; the cause is TensorFlow's own error."""


def explain_failure(error: Exception, step: str, places: Mapping[str, str]) -> StepError:
    """Returns the error of a step with the layer that failed, and its place, in front.

    Args:
        error: What the Session raised.
        step: The step's name.
        places: The place in the configuration of each call of a layer.
    """
    kind = type(error).__name__
    text = str(getattr(error, "message", error))
    reason = re.split(r"\n\t \[\[|\n\nOriginal stack trace", text)[0].strip()
    layer = find_layer([*_NODE.findall(text), _operation_name(error)], places)
    where = f"{places[layer]}: " if layer else ""
    hint = _HINTS.get(kind, "")
    if isinstance(error, RuntimeError) and _CLOSED in text:
        hint = "Steps run only within the Session's block."
    if hint and not reason.endswith("."):
        reason += "."
    return StepError(f"{where}step {step!r}: {kind}: {reason} {hint}".rstrip())


def find_layer(operations: list[str], places: Mapping[str, str]) -> str | None:
    """Returns the call of a layer that the first of `operations` belongs to, None if to none.

    Args:
        operations: Names as TensorFlow gives them, such as ``cnn_1/conv1_1/convolution``.
        places: The calls that there are.
    """
    for operation in operations:
        for scope in operation.split("/"):
            # Keras numbers a scope of a name that it has opened before.
            for name in (scope, _COUNT.sub("", scope)):
                if name in places:
                    return name
    return None


def _operation_name(error: Exception) -> str:
    operation = getattr(error, "op", None)
    return str(operation.name) if operation is not None else ""
