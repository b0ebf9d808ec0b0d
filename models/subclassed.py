"""A model written as a class, for which ``class: models.subclassed.KerasModel`` stands in YAML."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="feedfetch")
class KerasModel(keras.Model):
    """Two dense layers with dropout between them, applied to each time step.

    Steps that `mask` marks as false give zeros.

    Input shape: (batch, steps, channels).
    Output shape: (batch, steps, units).
    """

    def __init__(
        self, hidden_units: int = 4, units: int = 2, rate: float = 0.5, **kwargs: Any
    ) -> None:
        """Creates the layers.

        Args:
            hidden_units: Width of the first layer.
            units: Width of the second.
            rate: Share of the first layer's outputs that are dropped in training.
            **kwargs: Those of every model, such as ``name`` and ``dtype``.
        """
        super().__init__(**kwargs)
        self.hidden = keras.layers.Dense(hidden_units, activation="relu", name="hidden")
        self.drop = keras.layers.Dropout(rate, name="drop")
        self.last = keras.layers.Dense(units, name="last")
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the weights of both layers."""
        self.hidden.build(input_shape)
        self.last.build((*input_shape[:-1], self.hidden.units))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Returns the second layer's outputs, zeros where `mask` is false."""
        outputs = self.last(self.drop(self.hidden(inputs), training=training))
        if mask is None:
            return outputs
        return outputs * ops.cast(ops.expand_dims(mask, -1), outputs.dtype)
