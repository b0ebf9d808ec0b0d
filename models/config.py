"""What a model's configuration holds. Plain dataclasses; imports no TensorFlow."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TensorConfig:
    """One tensor without its batch axis, as declared for an input, a feature or a label.

    Attributes:
        shape: Length of each axis without the batch axis; null where it varies.
        dtype: A TensorFlow dtype by name, such as ``float32``.
    """

    shape: list[int | None] = MISSING
    dtype: str = MISSING


@dataclass
class ModelConfig:
    """A stack of named Keras layers.

    Attributes:
        name: The model's name, as runs are listed under it.
        inputs: The placeholders, by name.
        layers: A mapping of layer name to its ``type`` and Keras arguments; its order is the stack.
        outputs: The layer whose output is the model's.
        loss: ``type`` and arguments of one of ``keras.losses``; null for a model that is only run.
        metrics: Name to ``type`` and arguments of one of ``keras.metrics``.
    """

    name: str = MISSING
    inputs: dict[str, TensorConfig] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    outputs: str = MISSING
    loss: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
