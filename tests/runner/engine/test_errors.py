"""The documented errors of a Session, as users read them."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from runner.engine.errors import StepError, explain_failure, find_layer
from runner.engine.graph import build_graph
from runner.engine.session import GraphSession
from tests.opening import open_experiment

OWN = """
name: own
inputs: {tokens: {shape: [3], dtype: int32}}
layers:
  body:
    layers:
      embed: {type: Embedding, input_dim: 5, output_dim: 2}
      flatten: {type: Flatten}
  logits: {type: Dense, units: 10}
outputs: logits
loss: {type: SparseCategoricalCrossentropy, from_logits: true}
metrics: {}
"""
TOKENS = np.array([[1, 9, 2]], np.int32)


@pytest.fixture
def config(compose, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text(OWN, encoding="utf-8")
    return compose(f"hydra.searchpath=[file://{tmp_path}]", "model=own", "data=random")


@pytest.mark.parametrize("step", ["predict", "train", "evaluate"])
def test_an_operation_that_fails_is_told_by_its_layer_and_its_place(config, step):
    with open_experiment(config) as (graph, session):
        steps = {
            "predict": graph.predict,
            **vars(graph.training),
            **vars(graph.evaluation),
        }
        call = session.callable(steps[step])
        with pytest.raises(StepError) as caught:
            call({"tokens": TOKENS, "label": np.array([1])})
    assert str(caught.value) == (
        f"model.layers.body.layers.embed: step '{step}': InvalidArgumentError: "
        "indices[0,1] = 9 is not in [0, 5)"
    )
    assert isinstance(caught.value.__cause__, tf.errors.InvalidArgumentError)


def test_a_closed_session(config):
    with open_experiment(config) as (graph, session):
        call = session.callable(graph.predict)
    with pytest.raises(StepError) as caught:
        call({"tokens": TOKENS})
    assert str(caught.value).startswith("step 'predict': ")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("value", "cause"),
    [(np.array([["a", "b", "c"]]), (TypeError, ValueError, tf.errors.OpError))],
)
def test_a_value_that_no_tensor_can_hold(config, value, cause):
    with open_experiment(config) as (graph, session):
        call = session.callable(graph.predict)
        with pytest.raises(StepError) as caught:
            call({"tokens": value})
    assert isinstance(caught.value.__cause__, cause)


def test_a_variable_without_a_value(config):
    graph = build_graph(config)
    session = GraphSession(replace(graph, initialize=[]), config.session)
    call = session.callable(graph.predict)
    with pytest.raises(StepError) as caught:
        call({"tokens": np.array([[1, 2, 3]], np.int32)})
    # Which variable is read first is TensorFlow's choice; each stands in a layer of its own.
    layer, _, rest = str(caught.value).partition(": ")
    assert layer in {"model.layers.body.layers.embed", "model.layers.logits"}
    assert rest.startswith("step 'predict': FailedPreconditionError: ")
    assert rest.endswith("Something that the step reads has no value yet.")


PLACES = {"conv1": "model.layers.conv1", "block.0.conv": "model.layers.block.layers.conv"}


@pytest.mark.parametrize(
    ("operation", "layer"),
    [
        ("conv1/Relu", "conv1"),
        ("cnn_1/conv1_1/convolution", "conv1"),
        ("gradient_tape/cnn_1/block.0.conv_1/Conv2DBackpropFilter", "block.0.conv"),
        ("conv10/Relu", None),
        ("adam/mul", None),
    ],
)
def test_an_operation_belongs_to_a_layer(operation, layer):
    assert find_layer([operation], PLACES) == layer


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            tf.errors.ResourceExhaustedError(
                None, None, "OOM when allocating tensor\n\t [[{{node conv1/Conv2D}}]]"
            ),
            "model.layers.conv1: step 'train': ResourceExhaustedError: OOM when allocating tensor. "
            "Use a smaller data.batch_size, or a device with more memory.",
        ),
        (
            RuntimeError("Attempted to use a closed Session."),
            "step 'train': RuntimeError: Attempted to use a closed Session. Steps run only within "
            "the Session's block.",
        ),
        (TypeError("no dtype"), "step 'train': TypeError: no dtype"),
        (ValueError("no tensor"), "step 'train': ValueError: no tensor"),
    ],
)
def test_an_error_of_a_session_is_explained(error, message):
    assert str(explain_failure(error, "train", PLACES)) == message
