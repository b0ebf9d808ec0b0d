"""The sampling layer of a variational autoencoder."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="feedfetch")
class Sampling(keras.layers.Layer):
    """Draws from a normal distribution, and adds its distance to the standard one to the loss.

    In training it returns ``mean + exp(log_variance / 2) * noise`` with standard normal noise, in
    inference the mean. In both it adds the Kullback-Leibler divergence from the standard normal
    distribution, summed over the latent axes and averaged over the batch.

    Input shape: two tensors, `mean` and `log_variance`, each (batch, latent).
    Output shape: (batch, latent).
    Source: Kingma and Welling, Auto-Encoding Variational Bayes (2013), equation 10 and appendix B.
    """

    def __init__(
        self, divergence_weight: float = 1.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        """Creates the layer.

        Args:
            divergence_weight: What the divergence is multiplied by before it is added to the loss.
            seed: Seeds the noise; None draws a seed.
            **kwargs: Those of every layer, such as ``name`` and ``dtype``.
        """
        super().__init__(**kwargs)
        self.divergence_weight = divergence_weight
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, mean: Any, log_variance: Any, training: bool | None = None) -> Any:
        """Returns a sample for each example, or the mean where `training` is false."""
        divergence = 0.5 * ops.sum(
            ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance, axis=-1
        )
        self.add_loss(self.divergence_weight * ops.mean(divergence))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(
        self, mean_shape: tuple[int | None, ...], log_variance_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the shape of the mean."""
        return mean_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what the layer is made anew from."""
        own = {"divergence_weight": self.divergence_weight, "seed": self.seed}
        return {**super().get_config(), **own}
