"""The model that is written as a class, against NumPy."""

import numpy as np

from models.subclassed import KerasModel

VALUES = np.random.default_rng(3).random((1, 2, 3), np.float32)


def built_model():
    model = KerasModel(hidden_units=5, units=2, rate=0.5)
    model.build((None, 2, 3))
    return model


def hidden_of(model):
    return np.maximum(VALUES @ model.hidden.kernel.numpy() + model.hidden.bias.numpy(), 0)


def last_of(model, hidden):
    return hidden @ model.last.kernel.numpy() + model.last.bias.numpy()


def test_it_is_two_dense_layers():
    model = built_model()
    assert model.count_params() == (3 * 5 + 5) + (5 * 2 + 2)
    np.testing.assert_allclose(model(VALUES), last_of(model, hidden_of(model)), rtol=1e-5)


def test_in_training_each_hidden_value_is_dropped_or_doubled():
    model = built_model()
    trained = model(VALUES, training=True).numpy().ravel()
    hidden = hidden_of(model)
    kept = np.array(np.meshgrid(*[[0.0, 2.0]] * hidden.size)).reshape(hidden.size, -1).T
    possible = [last_of(model, hidden * mask.reshape(hidden.shape)).ravel() for mask in kept]
    assert min(np.abs(trained - values).max() for values in possible) < 1e-5


def test_masked_steps_give_zeros():
    model = built_model()
    masked = model(VALUES, mask=np.array([[True, False]])).numpy()
    np.testing.assert_allclose(masked[:, :1], model(VALUES)[:, :1], rtol=1e-6)
    np.testing.assert_array_equal(masked[:, 1:], 0)
