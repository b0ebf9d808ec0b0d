"""The sampling layer against NumPy and the formulas of its paper."""

import keras
import numpy as np
import pytest

from models.layers.sampling import Sampling

RNG = np.random.default_rng(3)
MEAN = RNG.normal(size=(5, 4)).astype(np.float32)
LOG_VARIANCE = RNG.normal(size=(5, 4)).astype(np.float32)


def test_inference_gives_the_mean():
    np.testing.assert_array_equal(Sampling()(MEAN, LOG_VARIANCE, training=False), MEAN)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_divergence_from_the_standard_normal_is_added_to_the_loss(is_training, weight):
    layer = Sampling(divergence_weight=weight)
    layer(MEAN, LOG_VARIANCE, training=is_training)
    mean, variance = MEAN.astype(np.float64), np.exp(LOG_VARIANCE.astype(np.float64))
    # Kingma and Welling (2013), appendix B: -D_KL = 1/2 sum (1 + log s^2 - m^2 - s^2).
    divergence = -0.5 * (1 + np.log(variance) - mean**2 - variance).sum(axis=1)
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, weight * divergence.mean(), rtol=1e-5)


def test_the_divergence_is_that_of_samples():
    """Monte Carlo: the mean of log q(z) - log p(z) over many z drawn from q."""
    mean, variance = np.float64(0.7), np.float64(0.3)
    draws = mean + np.sqrt(variance) * np.random.default_rng(0).standard_normal(400_000)
    log_q = -0.5 * (np.log(2 * np.pi * variance) + (draws - mean) ** 2 / variance)
    log_p = -0.5 * (np.log(2 * np.pi) + draws**2)
    layer = Sampling()
    layer(np.float32([[mean]]), np.float32([[np.log(variance)]]))
    np.testing.assert_allclose(layer.losses[0], (log_q - log_p).mean(), atol=5e-3)


def test_training_draws_with_the_mean_and_the_variance_and_anew_each_time():
    layer = Sampling(seed=1)
    mean = np.full((20_000, 1), 0.5, np.float32)
    log_variance = np.full((20_000, 1), np.log(4.0), np.float32)
    first, second = (np.array(layer(mean, log_variance, training=True)) for _ in range(2))
    np.testing.assert_allclose(first.mean(), 0.5, atol=0.05)
    np.testing.assert_allclose(first.std(), 2.0, atol=0.05)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.05


def test_the_same_seed_draws_the_same():
    first, second = (Sampling(seed=9)(MEAN, LOG_VARIANCE, training=True) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_it_is_made_anew_from_its_config():
    layer = Sampling(divergence_weight=0.5, seed=4, name="sample")
    again = Sampling.from_config(layer.get_config())
    assert (again.divergence_weight, again.seed, again.name) == (0.5, 4, "sample")


def test_its_symbol_has_the_shape_of_the_mean():
    mean, log_variance = keras.Input((4,)), keras.Input((4,))
    assert Sampling()(mean, log_variance).shape == (None, 4)
