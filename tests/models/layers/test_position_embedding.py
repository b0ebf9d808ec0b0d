"""The position embedding against what it says it adds."""

import keras
import numpy as np
import pytest

from models.layers.position_embedding import PositionEmbedding

TOKENS = np.random.default_rng(3).normal(size=(5, 6, 4)).astype(np.float32)


def test_each_position_is_given_a_vector_of_its_own():
    layer = PositionEmbedding()
    layer.build(TOKENS.shape)
    (positions,) = layer.get_weights()
    assert positions.shape == (6, 4)
    assert len(np.unique(positions, axis=0)) == 6
    np.testing.assert_allclose(layer(TOKENS), TOKENS + positions, rtol=1e-6)


@pytest.mark.parametrize("initializer", ["zeros", {"class_name": "Zeros", "config": {}}])
def test_the_vectors_are_initialized_as_is_said(initializer):
    np.testing.assert_array_equal(PositionEmbedding(initializer)(TOKENS), TOKENS)


def test_a_mask_is_passed_on():
    ids = np.array([[3, 1, 0, 0]])
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    mask = keras.src.backend.get_keras_mask(PositionEmbedding()(embedded))
    np.testing.assert_array_equal(mask, [[True, True, False, False]])


def test_a_number_of_tokens_that_varies_is_refused():
    with pytest.raises(ValueError, match="the number of tokens and channels must be fixed"):
        PositionEmbedding()(keras.Input((None, 4)))


def test_it_is_made_anew_from_its_config():
    layer = PositionEmbedding(keras.initializers.RandomNormal(stddev=0.02), name="position")
    again = PositionEmbedding.from_config(layer.get_config())
    assert again.name == "position"
    assert again.initializer.stddev == 0.02
