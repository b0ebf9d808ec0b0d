"""Every model of conf/model/ in a Session against its twin, written by hand, in eager Keras."""

from contextlib import closing
from dataclasses import replace

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from models.factory import build_model
from runner.composition import CONF
from runner.engine.exporting import export_model
from runner.engine.feeds import open_placeholder
from runner.engine.fetches import name_variables
from runner.engine.steps import BATCH_LOSS, trace_function
from runner.engine.twin import UnsavableError, answer, build_twin, save_twin
from runner.tasks.adapt import adapt
from tests.datasets import load_dataset
from tests.keras_cache import fill_cache
from tests.models.zoo_twins import TWINS
from tests.opening import open_experiment

EXAMPLES = 32
MODES = {"inference": False, "training": True}
# The names of a class's own layers begin with the name of the layer that it is in YAML.
PREFIX = "model/"


def test_every_model_has_a_twin():
    assert sorted(TWINS) == sorted(file.stem for file in (CONF / "model").glob("*.yaml"))


@pytest.fixture(scope="module")
def keras_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        fill_cache(patch, tmp_path_factory.mktemp("keras"))
        yield


@pytest.fixture(scope="module", params=sorted(TWINS))
def zoo_model(request, compose, keras_cache):
    """Returns a model's twin, its configuration and batches of its data."""
    # Keras numbers seed generators over the process.
    keras.utils.clear_session()
    twin = TWINS[request.param]()
    config = compose(
        f"model={request.param}",
        f"data={twin.data}",
        f"task={'train' if twin.losses else 'forward'}",
        "optimizer=sgd",
        "optimizer.learning_rate=0.001",
        "seed=3",
        *twin.overrides,
    )
    examples = load_dataset(config.data, config.model.inputs, config.seed).train
    config = adapt(config, examples)
    for layer in twin.model.layers:
        # One that has its vocabulary is not adapted.
        if hasattr(layer, "adapt") and any("preprocess" in text for text in twin.overrides):
            layer.adapt(examples.features["text"])
    size = next(iter(config.model.inputs.values())).batch_size or EXAMPLES
    batches = [
        examples.take(slice(start, start + size)) for start in range(0, twin.steps * size, size)
    ]
    return twin, config, batches


def features_of(config, batch):
    return {name: batch.features[name] for name in config.model.inputs}


def by_path(variables):
    return {variable.path.removeprefix(PREFIX): variable for variable in variables}


def set_by_path(keras_model, values):
    for path, variable in by_path(keras_model.variables).items():
        variable.assign(values[path])


def read_by_path(keras_model):
    return {path: variable.numpy() for path, variable in by_path(keras_model.variables).items()}


def assert_close(ours, wanted, **tolerance):
    assert set(ours) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(ours[name], value, err_msg=name, **tolerance)


def settle_statistics(keras_model, features):
    """Gives batch normalization the statistics of a batch, as long training would.

    Fresh ones let the signal of a deep model vanish, and its gradients with it.
    """
    layers = [
        layer
        for layer in keras_model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    keras_model(features, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def compute_outputs_and_gradients(keras_model, call, features, size):
    """Returns what `call` gives for `size` examples, and the gradient of a sum of all of it."""
    weights = by_path(keras_model.trainable_variables)
    with tf.GradientTape() as tape:
        outputs = call(features)
        # Another coefficient for each value: the sum of a normalization's outputs has no gradient.
        sums = [
            tf.reduce_sum(output * coefficients_of(output, size)) for output in outputs.values()
        ]
        loss = tf.add_n([*sums, *keras_model.losses])
    gradients = tape.gradient(loss, [weight.value for weight in weights.values()])
    dense = map(tf.convert_to_tensor, gradients)
    return {"outputs": outputs, "gradients": dict(zip(weights, dense, strict=True))}


def coefficients_of(output, size):
    shape = (size, *output.shape[1:])
    return np.random.default_rng(5).standard_normal(shape).astype(np.float32)


def test_its_variables_are_those_of_the_twin(zoo_model):
    twin, config, _ = zoo_model
    keras.utils.clear_session()
    with tf.Graph().as_default():
        model = build_model(config.model).keras_model
    ours, wanted = by_path(model.variables), by_path(twin.model.variables)
    assert {path: tuple(variable.shape) for path, variable in ours.items()} == {
        path: tuple(variable.shape) for path, variable in wanted.items()
    }
    assert set(by_path(model.trainable_variables)) == set(by_path(twin.model.trainable_variables))
    assert model.count_params() == twin.model.count_params()


@pytest.mark.parametrize("is_training", MODES.values(), ids=MODES)
def test_its_outputs_and_gradients_are_those_of_the_twin(zoo_model, is_training):
    twin, config, (batch, *_) = zoo_model
    features = features_of(config, batch)
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    with tf.Graph().as_default() as graph:
        placeholders = {
            name: open_placeholder(name, tensor) for name, tensor in config.model.inputs.items()
        }
        model = build_model(config.model)

        def compute(placeholders):
            def call(features):
                return model.call(features, training=is_training)

            return compute_outputs_and_gradients(model.keras_model, call, placeholders, len(batch))

        fetches = trace_function(compute, placeholders)
        variables = {
            path: variable.value for path, variable in by_path(model.keras_model.variables).items()
        }
        initialize = [
            tf.compat.v1.global_variables_initializer(),
            tf.compat.v1.tables_initializer(),
        ]
        values = {
            path: tf.compat.v1.placeholder(variable.dtype, variable.shape)
            for path, variable in variables.items()
        }
        assign = [variables[path].assign(values[path]) for path in variables]
    with closing(tf.compat.v1.Session(graph=graph)) as session:
        session.run(initialize)
        set_by_path(twin.model, session.run(variables))
        settle_statistics(twin.model, features)
        initial = read_by_path(twin.model)
        session.run(assign, {values[path]: initial[path] for path in variables})
        feeds = {placeholders[name]: array for name, array in features.items()}
        ours = session.run(fetches, feeds)
        moved = session.run(variables)

    wanted = compute_outputs_and_gradients(
        twin.model,
        lambda features: twin.model(features, training=is_training),
        features,
        len(batch),
    )
    assert_close(ours["outputs"], wanted["outputs"], rtol=1e-5, atol=1e-5)
    scale = max(np.abs(gradient).max() for gradient in wanted["gradients"].values())
    assert_close(ours["gradients"], wanted["gradients"], rtol=1e-5, atol=1e-5 * scale)
    # Nothing has vanished but what softmax, blind to a shift of all keys, has no gradient for.
    assert all(np.abs(output).max() > 0.01 for output in wanted["outputs"].values())
    assert {
        path
        for path, gradient in wanted["gradients"].items()
        if np.abs(gradient).max() < 1e-4 * scale
    } == {path for path in wanted["gradients"] if path.endswith("attention/key/bias")}
    # Moving statistics, and the seeds of the next dropout mask or noise.
    after = read_by_path(twin.model)
    assert_close(moved, {path: after[path] for path in moved}, rtol=1e-5, atol=1e-6)


def test_its_training_steps_are_those_of_the_twin(zoo_model):
    twin, config, batches = zoo_model
    if not twin.losses:
        pytest.skip("it is only run, not trained")
    if config.model.name == "mobilenet":
        # Its 27 batch normalizations in a row make too much of how a kernel rounds.
        config = replace(config, plan=replace(config.plan, fused_kernels=False))
    with open_experiment(config) as (graph, session):
        variables = {
            path: variable.value
            for path, variable in by_path(graph.model.keras_model.variables).items()
        }
        initial = session.read(variables)
        step = session.callable(graph.training.train)
        losses = [
            step(
                {
                    name: {**batch.features, **batch.labels}[name]
                    for name in graph.training.train.feeds
                }
            )[BATCH_LOSS]
            for batch in batches
        ]
        final = session.read(variables)

    set_by_path(twin.model, initial)
    optimizer = keras.optimizers.SGD(0.001, momentum=0.9, nesterov=True)
    wanted = [train_eagerly(twin, optimizer, config, batch) for batch in batches]
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)
    after = read_by_path(twin.model)
    assert_close(final, {path: after[path] for path in final}, rtol=1e-4, atol=1e-5)
    assert any(not np.array_equal(initial[path], final[path]) for path in final)


def build_settled(twin, config, features):
    """Returns the model that a run would save, with the weights that the twin has been given."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    built = build_model(config.model)
    set_by_path(twin.model, read_by_path(built.keras_model))
    settle_statistics(twin.model, features)
    set_by_path(built.keras_model, read_by_path(twin.model))
    weights = {name: variable.numpy() for name, variable in name_variables(built).items()}
    return build_twin(config.model, weights)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_saved_and_read_back_it_answers_as_the_twin(zoo_model, tmp_path):
    twin, config, (batch, *_) = zoo_model
    features = features_of(config, batch)
    built = build_settled(twin, config, features)
    saved = save_twin(built, config.model, tmp_path)
    given = answer(saved, features, tuple(built.outputs))
    wanted = {name: value.numpy() for name, value in twin.model(features, training=False).items()}
    assert_close(given, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_exported_to_onnx_it_answers_as_the_twin(zoo_model, tmp_path):
    twin, config, (batch, *_) = zoo_model
    features = features_of(config, batch)
    built = build_settled(twin, config, features)
    file = tmp_path / "model.onnx"
    if any(array.dtype.hasobject for array in features.values()):
        with pytest.raises(UnsavableError, match="ONNX has nothing for TensorFlow's"):
            export_model(built, file, "onnx")
        return
    export_model(built, file, "onnx")
    names = list(built.outputs)
    session = onnxruntime.InferenceSession(file)
    given = dict(zip(names, session.run(names, features), strict=True))
    wanted = {name: value.numpy() for name, value in twin.model(features, training=False).items()}
    # MobileNet's 27 batch normalizations in a row make too much of how a kernel rounds.
    tolerance = 1e-3 if config.model.name == "mobilenet" else 1e-5
    assert_close(given, wanted, rtol=tolerance, atol=tolerance)


def train_eagerly(twin, optimizer, config, batch):
    """Takes one step of training, and returns the loss before it."""
    given = {**batch.features, **batch.labels}
    with tf.GradientTape() as tape:
        outputs = twin.model(features_of(config, batch), training=True)
        parts = [
            weight * loss(given[label], outputs[output])
            for output, (label, loss, weight) in twin.losses.items()
        ]
        total = tf.add_n([*parts, *twin.model.losses])
    variables = twin.model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
    return total.numpy()
