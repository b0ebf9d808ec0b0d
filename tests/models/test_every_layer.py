"""Every public layer of Keras: declared, built by the factory and run by a Session, beside the
plain layer called eagerly.
"""

import random
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import ModelConfig
from models.declarations import check_call
from models.factory import build_model
from models.registry import UNDECLARABLE, names_of, signature_of
from models.validation import validate_model
from runner.engine.feeds import feed_tensors, feed_values, open_placeholder
from runner.engine.steps import trace_function
from tests.models.layer_table import ALIASES, CASES, fill, type_of

UNDECLARABLE_LAYERS = [name for name in UNDECLARABLE if hasattr(keras.layers, name)]


@dataclass
class Run:
    """What a Session gave of a layer: in inference, then in training; weights beside."""

    layer: keras.layers.Layer
    initial: list[np.ndarray]
    inference: list[Any]
    training: list[Any]
    trained: list[np.ndarray]


def declare(name, saved_model=""):
    case = CASES[name]
    arguments = {
        argument: saved_model if value == "<SavedModel>" else value
        for argument, value in case.arguments.items()
    }
    spec = {"type": type_of(name), **arguments}
    if case.source is not None:
        spec["from"] = case.source
    outputs = "layer" if case.parts == 1 else "layer[0]"
    return ModelConfig(
        name="model", inputs=dict(case.inputs), layers={"layer": spec}, outputs=outputs
    )


def make_arrays(case):
    return {
        name: fill(config, seed=index) for index, (name, config) in enumerate(case.inputs.items())
    }


def run_in_session(config, arrays):
    """Runs the declared layer in a Session: in inference, then in training."""
    keras.utils.clear_session(free_memory=False)
    with tf.Graph().as_default():
        placeholders = {
            name: open_placeholder(name, declared) for name, declared in config.inputs.items()
        }
        with tf.name_scope("variables"):
            model = build_model(config)
        layer = model.layers["layer"]
        inference = flatten(model.call_layers(placeholders, training=False)["layer"])

        def train(features):
            random.seed(0)  # AugMix chooses its layers by Python's generator
            return model.call_layers(features, training=True)

        training = flatten(trace_function(train, placeholders)["layer"])
        variables = [variable.value for variable in layer.variables]
        initialize = [
            tf.compat.v1.global_variables_initializer(),
            tf.compat.v1.tables_initializer(),
        ]
        feeds = {
            tensor: value
            for name, placeholder in placeholders.items()
            for tensor, value in zip(
                feed_tensors(placeholder), feed_values(placeholder, arrays[name]), strict=True
            )
        }
        with tf.compat.v1.Session() as session:
            session.run(initialize)
            return Run(
                layer=layer,
                initial=session.run(variables),
                inference=session.run(inference, feeds),
                training=session.run(training, feeds),
                trained=session.run(variables),
            )


def build_plain(name, config):
    """Returns the layer as Python code would make it, its objects made by hand."""
    keras.utils.clear_session(free_memory=False)
    arguments = {
        argument: value
        for argument, value in config.layers["layer"].items()
        if argument not in ("type", "from")
    }
    objects = CASES[name].objects()
    return getattr(keras.layers, type_of(name))(**{**arguments, **objects}, name="layer")


def arguments_of(layer):
    """Returns a layer's config, without the shapes that the layers within it were built for."""

    def strip(config):
        if isinstance(config, dict):
            return {key: strip(value) for key, value in config.items() if key != "build_config"}
        return [strip(value) for value in config] if isinstance(config, list | tuple) else config

    return strip(layer.get_config())


def call_plain(layer, case, arrays, **options):
    tensors = {
        name: tf.sparse.from_dense(array) if case.inputs[name].sparse else tf.constant(array)
        for name, array in arrays.items()
    }
    source = case.source or next(iter(tensors))
    taken = keras.tree.map_structure(lambda name: tensors[name], source)
    outputs = layer(**taken, **options) if isinstance(taken, dict) else layer(taken, **options)
    return [np.asarray(output) for output in flatten(outputs)]


def flatten(outputs):
    return [
        tf.sparse.to_dense(output) if isinstance(output, tf.SparseTensor) else output
        for output in tf.nest.flatten(outputs)
    ]


def assign(layer, values):
    for variable, value in zip(layer.variables, values, strict=True):
        variable.assign(value)


def assert_equal(found, wanted):
    assert [one.dtype for one in found] == [one.dtype for one in wanted]
    assert [one.shape for one in found] == [one.shape for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        tolerance = 1e-2 if other.dtype == "bfloat16" else 1e-5
        if other.dtype.kind in "OSU":
            np.testing.assert_array_equal(one, other)
        else:
            np.testing.assert_allclose(
                one.astype("float64"), other.astype("float64"), rtol=tolerance, atol=tolerance
            )


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    """A SavedModel that multiplies by 2 and adds 1."""
    path = tmp_path_factory.mktemp("exported")
    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve", lambda x: 2 * x + 1, input_signature=[tf.TensorSpec([None, 5], "float32")]
    )
    archive.write_out(str(path), verbose=False)
    return str(path)


@pytest.mark.parametrize("name", sorted(CASES))
def test_layer_in_a_session_equals_plain_keras(name, saved_model):
    case, config = CASES[name], declare(name, saved_model)
    assert validate_model(config) == []
    arrays = make_arrays(case)
    run = run_in_session(config, arrays)

    plain = build_plain(name, config)
    call_plain(plain, case, arrays, training=False)  # creates its weights
    np.testing.assert_equal(arguments_of(run.layer), arguments_of(plain))
    assign(plain, run.initial)
    assert_equal(run.inference, call_plain(plain, case, arrays, training=False))
    assign(plain, run.initial)
    random.seed(0)
    assert_equal(run.training, call_plain(plain, case, arrays, training=True))
    assert_equal(run.trained, [variable.numpy() for variable in plain.variables])


def test_table_and_undeclarable_hold_every_public_layer():
    public = {
        name
        for name, value in vars(keras.layers).items()
        if isinstance(value, type) and issubclass(value, keras.layers.Layer)
    } - {"Layer"}
    declared = {type_of(name) for name in CASES} | set(ALIASES)
    assert declared | set(UNDECLARABLE_LAYERS) == public
    assert declared.isdisjoint(UNDECLARABLE_LAYERS)
    assert declared <= set(names_of("layers"))


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_alias_is_the_same_layer(alias, name):
    assert getattr(keras.layers, alias) is getattr(keras.layers, name)
    assert signature_of("layers", alias) == signature_of("layers", name)


@pytest.mark.parametrize("name", UNDECLARABLE_LAYERS)
def test_undeclarable_layer_is_refused_with_its_reason(name):
    (problem,) = check_call("model.layers.layer", "layers", {"type": name})
    assert (
        str(problem)
        == f"model.layers.layer.type: {name} cannot be declared: " + (UNDECLARABLE[name])
    )
