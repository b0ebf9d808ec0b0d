"""What a model's configuration holds. Plain dataclasses; imports no TensorFlow."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TensorConfig:
    """One tensor without its batch axis, as declared for a feature or a label.

    Attributes:
        shape: Length of each axis without the batch axis; null where it varies.
        dtype: A TensorFlow dtype by name, such as ``float32``.
    """

    shape: list[int | None] = MISSING
    dtype: str = MISSING


@dataclass
class InputConfig(TensorConfig):
    """One input of a model, a placeholder of its graph.

    Attributes:
        batch_size: The only number of examples that it takes; null for any.
        sparse: Whether it takes a sparse tensor.
    """

    batch_size: int | None = None
    sparse: bool = False


@dataclass
class ModelConfig:
    """Named Keras layers and how they are wired.

    Attributes:
        name: The model's name, as runs are listed under it.
        inputs: The placeholders, by name.
        layers: A mapping of layer name to its ``type`` and Keras arguments; its order is the stack.
        outputs: What the model gives: a layer by name, a list of them, or a mapping of name to one.
        loss: ``type`` and arguments of one of ``keras.losses``, or a mapping of output to that;
            null for a model that is only run.
        metrics: Name to ``type`` and arguments of one of ``keras.metrics``.
        preprocess: Stacks of layers by the input that each is laid behind, whose place in a
            configuration is ``data.preprocess``.
    """

    name: str = MISSING
    inputs: dict[str, InputConfig] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    outputs: Any = MISSING
    loss: dict[str, Any] | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    # It comes with the data: OmegaConf, which reads a model's YAML, does not know it.
    preprocess: dict[str, Any] = field(default_factory=dict, metadata={"omegaconf_ignore": True})
