"""The graph of an experiment: placeholders, finality, seeds, fetches, masks."""

import keras
import numpy as np
import pytest

from models.problems import ConfigError
from runner.engine.graph import build_graph
from tests.opening import open_experiment

IMAGES = np.random.default_rng(3).random((4, 8, 8, 1), np.float32)


def read_weights(config):
    with open_experiment(config) as (graph, session):
        return session.read(
            {weight.path: weight.value for weight in graph.model.keras_model.weights}
        )


def test_placeholders_have_the_declared_names_shapes_and_dtypes(compose):
    graph = build_graph(compose())
    image, digit = graph.features["image"], graph.labels["digit"]
    assert (image.name, image.shape.as_list(), image.dtype.name) == (
        "image:0",
        [None, 8, 8, 1],
        "float32",
    )
    assert (digit.name, digit.shape.as_list(), digit.dtype.name) == ("digit:0", [None], "int64")


def test_the_graph_is_final(compose):
    graph = build_graph(compose("model=mlp"))
    assert graph.graph.finalized


def test_nothing_but_inference_is_traced_to_go_forward(compose):
    graph = build_graph(compose("task=forward"))
    assert graph.training is None
    assert graph.labels == {}
    assert not [node for node in graph.graph.as_graph_def().node if "train" in node.name]


def test_the_layer_table_counts_as_keras_does(compose):
    graph = build_graph(compose())
    assert [layer.name for layer in graph.layers][:3] == ["conv1", "norm1", "pool1"]
    # 3 * 3 * 1 * 32 weights and 32 biases; gamma, beta, mean and variance of 32 channels.
    assert [layer.parameters for layer in graph.layers][:3] == [320, 128, 0]
    assert [layer.output_shapes[0] for layer in graph.layers][:3] == [
        (None, 8, 8, 32),
        (None, 8, 8, 32),
        (None, 4, 4, 32),
    ]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(compose):
    first = read_weights(compose("model=mlp", "seed=5"))
    again = read_weights(compose("model=mlp", "seed=5"))
    other = read_weights(compose("model=mlp", "seed=6"))
    assert list(first) == list(again)
    for path, weight in first.items():
        np.testing.assert_array_equal(weight, again[path])
    assert not np.array_equal(first["dense1/kernel"], other["dense1/kernel"])


def test_fetches_are_layers_or_tensors(compose):
    config = compose(
        "task=forward", "model=mlp", "fetches.hidden=dense1", "fetches.product=dense1/MatMul:0"
    )
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)({"image": IMAGES})
        dense1 = graph.model.keras_model.get_layer("dense1")
        weights = session.read({"kernel": dense1.kernel.value, "bias": dense1.bias.value})
    product = IMAGES.reshape(4, 64) @ weights["kernel"]
    np.testing.assert_allclose(fetched["product"], product, rtol=1e-5, atol=1e-6)
    hidden = np.maximum(product + weights["bias"], 0)
    np.testing.assert_allclose(fetched["hidden"], hidden, rtol=1e-5, atol=1e-6)
    assert fetched["outputs"].shape == (4, 10)


def test_what_is_fed_can_be_fetched(compose):
    config = compose("task=forward", "model=mlp", "fetches.fed=image:0")
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)({"image": IMAGES})
    np.testing.assert_array_equal(fetched["fed"], IMAGES)


def test_a_fetch_of_no_tensor_names_the_nearest(compose):
    with pytest.raises(ConfigError) as caught:
        build_graph(compose("fetches.features=conv1/Rel:0"))
    assert str(caught.value) == (
        "fetches.features: expected a layer, a weight or a tensor of the graph; received "
        "'conv1/Rel:0' (str). Did you mean 'conv1/Relu:0'?"
    )


def test_going_forward_in_training_drops_units(compose):
    config = compose(
        "task=forward", "task.training=true", "fetches.drop=drop", "fetches.in=flatten"
    )
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)({"image": np.tile(IMAGES, (16, 1, 1, 1))})
    flat, dropped = fetched["in"], fetched["drop"]
    is_kept = dropped != 0
    np.testing.assert_allclose(dropped[is_kept], flat[is_kept] / 0.7, rtol=1e-6)
    share_dropped = 1 - is_kept[flat != 0].mean()
    assert abs(share_dropped - 0.3) < 0.02


def test_going_forward_in_training_runs_the_layers_assignments(compose):
    config = compose("task=forward", "task.training=true")
    with open_experiment(config) as (graph, session):
        mean = {"mean": graph.model.keras_model.get_layer("norm1").moving_mean.value}
        before = session.read(mean)["mean"]
        predict = session.callable(graph.predict)
        first, second = (predict({"image": IMAGES})["outputs"] for _ in range(2))
        after = session.read(mean)["mean"]
    assert not np.array_equal(before, after)
    # Dropout has drawn another mask.
    assert not np.array_equal(first, second)


SEQUENCE = (
    "data=random",
    "task=forward",
    "model=mlp",
    "model.inputs.image.shape=[5,3]",
    *(f"~model.layers.{layer}" for layer in ("flatten", "dense1", "dense2", "logits")),
)


def test_a_mask_reaches_the_layer_that_takes_it(compose):
    config = compose(
        *SEQUENCE,
        "+model.layers.steps={type: LSTM, units: 4}",
        "model.outputs=steps",
        "task.mask=[true,true,true,false,false]",
    )
    steps = np.random.default_rng(1).random((2, 5, 3), np.float32)
    with open_experiment(config) as (graph, session):
        fetched = session.callable(graph.predict)({"image": steps})["outputs"]
        weights = session.read(
            {weight.path: weight.value for weight in graph.model.keras_model.weights}
        )
    eager = keras.layers.LSTM(4)
    eager.build((None, 5, 3))
    eager.set_weights(list(weights.values()))
    np.testing.assert_allclose(fetched, eager(steps[:, :3]), rtol=1e-5, atol=1e-6)


def test_a_mask_is_refused_by_a_layer_that_takes_none(compose):
    config = compose(
        *SEQUENCE,
        "+model.layers.conv={type: Conv1D, filters: 2, kernel_size: 2}",
        "model.outputs=conv",
        "task.mask=[true,true,true,false,false]",
    )
    with pytest.raises(ConfigError) as caught:
        build_graph(config)
    assert str(caught.value) == (
        "task.mask: expected null, since conv (Conv1D) takes no mask; received "
        "[True, True, True, False, False] (list)."
    )


def test_names_stay_the_same_from_run_to_run_in_one_process(compose):
    config = compose("fetches.features=conv1/Relu:0")
    for _ in range(2):
        graph = build_graph(config)
        assert graph.predict.fetches["features"].name == "conv1/Relu:0"


def test_fewer_outputs_than_classes_are_refused(compose):
    with pytest.raises(ConfigError) as caught:
        build_graph(compose("model=mlp", "model.layers.logits.units=9"))
    assert str(caught.value) == (
        "model.layers.logits: expected 10 values or more, as many as data.classes; it gives 9."
    )
