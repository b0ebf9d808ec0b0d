"""Arrays against the placeholders they are fed to."""

import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.engine.feeds import fit_feeds


@pytest.fixture
def placeholders():
    with tf.Graph().as_default():
        yield {
            "image": tf.compat.v1.placeholder("float32", [None, 2, 2]),
            "length": tf.compat.v1.placeholder("int32", [None]),
        }


def test_arrays_are_cast_to_their_placeholders(placeholders):
    arrays = {"image": np.ones((3, 2, 2)), "length": np.arange(3), "other": np.zeros(3)}
    fitted = fit_feeds(arrays, placeholders, "model.inputs")
    assert {name: array.dtype.name for name, array in fitted.items()} == {
        "image": "float32",
        "length": "int32",
    }


def test_every_array_that_does_not_fit_is_reported(placeholders):
    with pytest.raises(ConfigError) as caught:
        fit_feeds({"image": np.ones((3, 2, 5))}, placeholders, "model.inputs")
    assert str(caught.value) == (
        "model.inputs.image.shape: expected arrays of shape (None, 2, 2); received (3, 2, 5) "
        "(tuple).\n"
        "model.inputs.length: no value to feed it; the data gives image."
    )
