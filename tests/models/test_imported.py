"""Models in files, run through a Session, against what wrote them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import InputConfig
from models.problems import ConfigError
from runner.validation import validate
from tests.opening import open_experiment

# Keras reads its variables in a way that NumPy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FEATURES = np.random.default_rng(0).random((5, 4), np.float32)


@pytest.fixture(scope="module")
def written():
    """A model with weights that no initializer gives."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def files(written, tmp_path_factory):
    """The model as a .keras file, a SavedModel of each version, and a frozen graph."""
    folder = tmp_path_factory.mktemp("files")
    written.save(folder / "net.keras")
    written.export(folder / "second", verbose=False)
    kernel = np.arange(8, dtype=np.float32).reshape(4, 2)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        features = tf.compat.v1.placeholder("float32", [None, 4], "features")
        weights = tf.compat.v1.get_variable("weights", initializer=kernel, use_resource=False)
        with tf.name_scope("head"):
            product = tf.matmul(features, weights, name="product")
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.Builder(str(folder / "first"))
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"features": features}, {"product": product}
        )
        builder.add_meta_graph_and_variables(
            session, ["serve"], signature_def_map={"serving_default": signature}
        )
        builder.save()
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), ["head/product"]
        )
    (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
    return folder


@pytest.fixture
def declare(compose):
    def declare(layers, **outputs):
        config = compose("task=forward", "data=random")
        config.model.inputs = {"x": InputConfig(shape=[4], dtype="float32")}
        config.model.layers = layers
        config.model.outputs = list(layers)[-1]
        config.model.loss, config.model.metrics = None, {}
        config.fetches = {"outputs": config.model.outputs, **outputs}
        validate(config)
        return config

    return declare


def run(config):
    with open_experiment(config) as (graph, session):
        return session.callable(graph.predict)({"x": FEATURES})


@pytest.mark.parametrize("file", ["net.keras", "second"])
def test_a_keras_model_gives_what_it_gave_when_it_was_written(declare, files, written, file):
    outputs = run(declare({"net": {"file": str(files / file)}}))["outputs"]
    np.testing.assert_allclose(outputs, written(FEATURES), rtol=1e-6)


PRODUCT = FEATURES @ np.arange(8, dtype=np.float32).reshape(4, 2)


@pytest.mark.parametrize(
    "spec",
    [
        {"file": "first"},
        {"file": "first", "signature": "serving_default"},
        {"file": "frozen.pb", "outputs": "head/product"},
        {"file": "frozen.pb", "inputs": ["features:0"], "outputs": {"product": "head/product:0"}},
    ],
)
def test_a_graph_of_tensorflow_1_gives_its_product(declare, files, spec):
    spec = {**spec, "file": str(files / spec["file"])}
    fetched = run(declare({"net": spec}, inner="net/head/product:0"))
    np.testing.assert_allclose(fetched["outputs"], PRODUCT, rtol=1e-6)
    np.testing.assert_array_equal(fetched["inner"], fetched["outputs"])


def test_a_file_is_a_layer_of_a_stack_that_can_be_frozen(declare, files, written):
    config = declare(
        {
            "base": {"file": str(files / "net.keras"), "trainable": False},
            "head": {"type": "Dense", "units": 3, "kernel_initializer": "ones"},
        }
    )
    with open_experiment(config) as (graph, session):
        trained = [variable.path for variable in graph.model.keras_model.trainable_variables]
        outputs = session.callable(graph.predict)({"x": FEATURES})["outputs"]
    assert trained == ["head/kernel", "head/bias"]
    base = written(FEATURES).numpy()
    np.testing.assert_allclose(outputs, base @ np.ones((2, 3), np.float32), rtol=1e-5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"file": "second", "signature": "serving_defualt"},
            "model.layers.net.signature: expected one of its signatures; received "
            "'serving_defualt' (str). Did you mean 'serving_default'?",
        ),
        (
            {"file": "frozen.pb", "outputs": "head/produkt"},
            "model.layers.net.outputs: expected tensors of the graph; received 'head/produkt:0' "
            "(str). Did you mean 'head/product'?",
        ),
    ],
)
def test_what_is_not_in_a_file_is_named(declare, files, spec, message):
    with pytest.raises(ConfigError) as caught:
        run(declare({"net": {**spec, "file": str(files / spec["file"])}}))
    assert str(caught.value) == message


def test_code_in_a_keras_file_is_refused(declare, tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save(
        tmp_path / "code.keras"
    )
    with pytest.raises(ConfigError, match=r"cannot be read: .*[Ll]ambda"):
        run(declare({"net": {"file": str(tmp_path / "code.keras")}}))


def test_weights_of_an_application_come_from_their_file(compose, tmp_path):
    keras.utils.set_random_seed(3)
    arguments = {"include_top": False, "input_shape": [32, 32, 3], "alpha": 0.25, "pooling": "avg"}
    twin = keras.applications.MobileNet(weights=None, **arguments)
    twin.save_weights(tmp_path / "net.weights.h5")
    config = compose("task=forward", "data=random")
    config.model.inputs = {"x": InputConfig(shape=[32, 32, 3], dtype="float32")}
    spec = {"type": "applications.MobileNet", "weights": str(tmp_path / "net.weights.h5")}
    config.model.layers = {"net": {**spec, **arguments}}
    config.model.outputs, config.model.loss, config.model.metrics = "net", None, {}
    config.fetches = {"outputs": "net"}
    validate(config)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    with open_experiment(config) as (graph, session):
        outputs = session.callable(graph.predict)({"x": images})["outputs"]
    np.testing.assert_allclose(outputs, twin(images), rtol=1e-5, atol=1e-6)
