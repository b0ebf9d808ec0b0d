"""Rows whose lengths differ, beside keras.utils.pad_sequences."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from models.config import TensorConfig
from models.problems import ConfigError
from runner.config import PadConfig
from runner.data.examples import Examples
from runner.data.settling import settle
from runner.data.streams import iterate_batches

RANDOM = np.random.default_rng(0)
ROWS = [RANDOM.integers(1, 9, length) for length in (3, 1, 6, 2, 0, 4)]


def settle_rows(compose, rows, dtype="int64", **pad):
    data = compose().data
    features = {"tokens": TensorConfig([None], dtype)}
    data = replace(data, features=features, pad={"tokens": PadConfig(**pad)}, labels={})
    column = np.empty(len(rows), object)
    column[:] = rows
    return settle(data, Examples({"tokens": column}, {}, np.arange(len(rows))))


def test_a_batch_is_padded_to_its_longest(compose):
    examples = settle_rows(compose, ROWS)
    assert examples.features["tokens"].shape == (6, None)
    batches = list(iterate_batches(examples, 2))
    for index, batch in enumerate(batches):
        expected = keras.utils.pad_sequences(ROWS[2 * index : 2 * index + 2], padding="post")
        np.testing.assert_array_equal(batch.features["tokens"], expected)
        assert batch.features["tokens"].dtype == np.int64
    assert [batch.features["tokens"].shape[1] for batch in batches] == [3, 6, 4]


@pytest.mark.parametrize("length", [2, 4, 10])
def test_all_are_cut_or_padded_to_a_length(compose, length):
    tokens = settle_rows(compose, ROWS, length=length, value=7).features["tokens"]
    expected = keras.utils.pad_sequences(ROWS, length, padding="post", truncating="post", value=7)
    np.testing.assert_array_equal(tokens, expected)


def test_vectors_of_differing_number_are_padded(compose):
    rows = [RANDOM.random((length, 2)) for length in (2, 5, 1)]
    examples = settle_rows(compose, rows, "float32", value=-1.0)
    expected = keras.utils.pad_sequences(rows, padding="post", value=-1.0, dtype="float32")
    taken = examples.take(np.array([2, 0, 1])).features["tokens"]
    np.testing.assert_array_equal(taken, expected[[2, 0, 1]])


def test_the_digest_tells_where_a_row_ends():
    from runner.data.ragged import RaggedReader

    def digest(*rows):
        return RaggedReader([np.array(row) for row in rows], np.dtype(int), 0).digest()

    assert digest([1, 2], [3]) == digest([1, 2], [3])
    assert len({digest([1, 2], [3]), digest([1], [2, 3]), digest([1, 2], [4])}) == 3


def test_a_feature_of_one_length_cannot_be_padded_to_another(compose):
    with pytest.raises(ConfigError) as caught:
        compose("data.pad={image: {length: 9}}")
    assert str(caught.value) == (
        "data.pad.image.length: expected null, since the shape of image is [8, 8, 1] in every "
        "example; received 9 (int)."
    )
