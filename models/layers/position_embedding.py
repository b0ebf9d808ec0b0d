"""Position embeddings, which tell a transformer the order of its tokens."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="feedfetch")
class PositionEmbedding(keras.layers.Layer):
    """Adds a trained vector to each token, another for each position.

    A mask of the tokens is passed on as it came.

    Input shape: (batch, tokens, channels); the number of tokens is fixed.
    Output shape: the same.
    Source: Vaswani et al., Attention Is All You Need (2017), section 3.5 (the learned variant);
        Dosovitskiy et al., An Image is Worth 16x16 Words (2020), equation 1.
    """

    def __init__(self, initializer: Any = "random_normal", **kwargs: Any) -> None:
        """Creates the layer.

        Args:
            initializer: Initializer of the vectors, by name or as an object of Keras's.
            **kwargs: Those of every layer, such as ``name`` and ``dtype``.
        """
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the vectors, (tokens, channels).

        Raises:
            ValueError: If the number of tokens or channels varies.
        """
        _, tokens, channels = input_shape
        if tokens is None or channels is None:
            raise ValueError("the number of tokens and channels must be fixed.")
        self.positions = self.add_weight(
            name="positions", shape=(tokens, channels), initializer=self.initializer
        )

    def call(self, inputs: Any) -> Any:
        """Returns `inputs` with the vector of its position added to each token."""
        return inputs + self.positions

    def get_config(self) -> dict[str, Any]:
        """Returns what the layer is made anew from."""
        own = {"initializer": keras.initializers.serialize(self.initializer)}
        return {**super().get_config(), **own}
