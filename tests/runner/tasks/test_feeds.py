"""What is fed in place of the data: each kind of feed against NumPy."""

import numpy as np
import pytest

from models.problems import ConfigError
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.feeds import SparseValue, read_feeds
from runner.tasks.forward import forward
from runner.validation import validate
from tests.datasets import load_dataset

RNG = np.random.default_rng(4)
IMAGES = RNG.random((3, 8, 8, 1), np.float32)


@pytest.fixture
def run(compose):
    """Runs task=forward on the mlp and returns what it yields, and the weights."""

    def run(*overrides):
        config = compose("model=mlp", "task=forward", "trace.steps=null", *overrides)
        validate(config)
        graph = build_graph(config, read_feeds(config.feeds))
        dataset = load_dataset(config.data, config.model.inputs, config.seed)
        with open_session(graph, config.session) as session:
            result, *_ = forward(config, config.task, graph, session, dataset)
            weights = graph.model.keras_model.weights
            return result, session.read({weight.path: weight.value for weight in weights})

    return run


def hidden_of(images, weights, layer="dense1"):
    flat = images.reshape(len(images), -1)
    return np.maximum(flat @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"], 0)


def logits_of(hidden, weights):
    hidden = np.maximum(hidden @ weights["dense2/kernel"] + weights["dense2/bias"], 0)
    return hidden @ weights["logits/kernel"] + weights["logits/bias"]


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "batch.npz", image=IMAGES, digit=np.array([1, 2, 3]))
    np.savez(tmp_path / "named.npz", pictures=IMAGES[:2])
    return tmp_path


@pytest.mark.parametrize(
    ("override", "images"),
    [
        ("feeds={folder}/batch.npz", IMAGES),
        ("feeds.image={folder}/batch.npz", IMAGES),
        ("feeds.image={{file: {folder}/named.npz, array: pictures}}", IMAGES[:2]),
    ],
)
def test_an_input_is_fed_from_a_file(run, files, override, images):
    result, weights = run(override.format(folder=files))
    close(result.fetched["outputs"], logits_of(hidden_of(images, weights), weights))
    np.testing.assert_array_equal(result.rows, np.arange(len(images)))


def test_labels_come_from_the_file_with_the_inputs(run, files):
    result, _ = run(f"feeds={files}/batch.npz", "fetches.accuracy=metric:accuracy")
    np.testing.assert_array_equal(result.labels["digit"], [1, 2, 3])
    right = result.fetched["outputs"].argmax(axis=1) == [1, 2, 3]
    close(result.fetched["accuracy"], right.mean())


def test_the_datas_labels_are_not_those_of_fed_inputs(run, files):
    result, _ = run(f"feeds.image={files}/batch.npz")
    assert result.labels == {}


def test_an_input_is_fed_from_the_yaml(run):
    image = [[[0.5] for _ in range(8)] for _ in range(8)]
    result, weights = run(f"feeds.image={[image, image]}")
    wanted = logits_of(hidden_of(np.full((2, 8, 8, 1), 0.5, np.float32), weights), weights)
    close(result.fetched["outputs"], wanted)


@pytest.mark.parametrize("value", ["0.25", str([[[0.25]] * 8] * 8)])
def test_a_number_or_one_example_is_fed_for_every_example(run, value):
    result, weights = run(f"feeds.image={value}", "task.examples=4")
    wanted = logits_of(hidden_of(np.full((4, 8, 8, 1), 0.25, np.float32), weights), weights)
    close(result.fetched["outputs"], wanted)


@pytest.mark.parametrize("name", ["dense1", r"dense1/Relu\:0"])
def test_a_value_within_the_graph_is_replaced_and_can_be_fetched(run, name):
    feeds = f"feeds={{{name}: 0.5}}"
    result, weights = run(feeds, "fetches={replaced: dense1, before: 'dense1/BiasAdd:0'}")
    np.testing.assert_array_equal(result.fetched["replaced"], np.full((32, 128), 0.5))
    close(result.fetched["outputs"], logits_of(np.full((32, 128), 0.5, np.float32), weights))
    assert not np.allclose(np.maximum(result.fetched["before"], 0), 0.5)
    # The data is still that of the test split.
    assert set(result.labels) == {"digit", "parity"}


def test_a_layer_within_a_block_is_named_by_nesting(run):
    result, _ = run(
        "model=resnet",
        "feeds={stage1: {0: {relu2: 1}}}",
        "fetches.out=stage1.0.relu2",
        "task.examples=2",
    )
    np.testing.assert_array_equal(result.fetched["out"], np.ones((2, 8, 8, 16)))


def test_a_weight_is_given_a_value(run, tmp_path):
    kernel = RNG.normal(size=(128, 64)).astype(np.float32)
    np.savez(tmp_path / "weights.npz", **{"dense2.kernel": kernel})
    result, weights = run(f"feeds={tmp_path}/weights.npz", "fetches.hidden=dense1")
    np.testing.assert_array_equal(weights["dense2/kernel"], kernel)
    close(result.fetched["outputs"], logits_of(result.fetched["hidden"], weights))


def test_a_weight_is_filled_with_a_number(run):
    _, weights = run("feeds={dense2.bias: 2, dense1: {bias: 1}}")
    np.testing.assert_array_equal(weights["dense2/bias"], np.full(64, 2))
    np.testing.assert_array_equal(weights["dense1/bias"], np.full(128, 1))


SPARSE = """
name: own
inputs: {words: {shape: [4], dtype: float32, sparse: true}}
layers: {dense: {type: Dense, units: 2, kernel_initializer: ones}}
outputs: dense
loss: null
metrics: {}
"""


@pytest.mark.parametrize("source", ["yaml", "file"])
def test_a_sparse_input_is_fed_as_it_is(run, tmp_path, source):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text(SPARSE, encoding="utf-8")
    value = "{indices: [[0, 1], [2, 3]], values: [5.0, 7.0], dense_shape: [3, 4]}"
    if source == "file":
        value = f"{tmp_path}/words.npz"
        np.savez(
            value,
            **{
                "words.indices": np.array([[0, 1], [2, 3]]),
                "words.values": np.array([5.0, 7.0]),
                "words.dense_shape": np.array([3, 4]),
            },
        )
    result, _ = run(
        f"hydra.searchpath=[file://{tmp_path}]",
        "model=own",
        "data=random",
        f"feeds.words={value}",
        "fetches.words=words",
    )
    np.testing.assert_array_equal(result.fetched["outputs"], [[5, 5], [0, 0], [7, 7]])
    np.testing.assert_array_equal(result.fetched["words"].values, [5, 7])


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        (
            "{image: [[1.0, 2.0]]}",
            "feeds.image: expected values of shape (batch, 8, 8, 1); received (1, 2).",
        ),
        (
            "{image: high}",
            "feeds.image: expected values that float32 holds; received str128.",
        ),
        (
            "{image: [[1], [1, 2]]}",
            "feeds.image: expected numbers in lists of equal length, or {indices, values, "
            "dense_shape}; received [[1], [1, 2]] (list).",
        ),
        (
            "{imag: 1}",
            "feeds.imag: expected the name of an input, a label, a layer or a weight, or of a "
            "tensor; received 'imag' (str). Did you mean 'image'?",
        ),
        (
            "{dense1.kernal: 1}",
            "feeds.dense1.kernal: expected a layer, a weight or a tensor of the graph; received "
            "'dense1.kernal' (str). Did you mean 'dense1.kernel'?",
        ),
        (
            "{dense1/MatMul: 1}",
            "feeds.dense1/MatMul: expected a tensor; an operation takes no value; received "
            "'dense1/MatMul' (str).",
        ),
        (
            "{digit: [1.5, 2.5]}",
            "feeds.digit: expected values that int64 holds; received float64.",
        ),
        (
            "{image: {indices: [[0, 0]], values: [1], dense_shape: [1, 1]}}",
            "feeds.image: expected a dense value, as its tensor is; received 'a sparse one' (str).",
        ),
        (
            "{dense1.kernel: [[1.0]]}",
            "feeds.dense1.kernel: expected values of shape (64, 128); received (1, 1).",
        ),
    ],
)
def test_a_feed_that_does_not_fit_is_refused(run, feeds, message):
    with pytest.raises(ConfigError) as caught:
        run(f"feeds={feeds}", "fetches.loss=loss")
    assert message in str(caught.value).splitlines()


def test_feeds_of_different_numbers_of_examples_are_refused(run, files):
    with pytest.raises(ConfigError) as caught:
        run(f"feeds={{image: {files}/batch.npz, digit: [1, 2]}}", "fetches.loss=loss")
    assert str(caught.value) == (
        "feeds.digit: expected 3 examples, as feeds.image has; received 2 (int)."
    )


def test_a_missing_feed_is_named(run, files):
    with pytest.raises(ConfigError) as caught:
        run(f"feeds.image={files}/named.npz", "fetches.loss=loss")
    assert str(caught.value).startswith("feeds.image: expected an array of ")
    with pytest.raises(ConfigError) as caught:
        run(f"feeds.image={files}/batch.npz", "fetches.loss=loss")
    assert str(caught.value) == (
        "feeds.digit: 3 examples are fed, but the data has 0 for it; feed it too."
    )


def test_a_file_that_is_not_there_is_refused(run, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run(f"feeds={tmp_path}/none.npz")
    assert str(caught.value) == (
        f"feeds: expected a file of arrays, .npz; received '{tmp_path}/none.npz' (str). "
        f"There is nothing at {tmp_path}/none.npz."
    )


def test_only_the_forward_task_takes_feeds(compose):
    with pytest.raises(ConfigError) as caught:
        validate(compose("feeds.image=0.5"))
    assert str(caught.value) == (
        "feeds: expected {} for task=train; only task=forward takes values of your own; received "
        "{'image': 0.5} (dict). Use task=forward, or a data source of your own."
    )


def test_values_within_a_function_cannot_be_replaced(run):
    with pytest.raises(ConfigError) as caught:
        run("feeds.dense1=1", "task.training=true")
    assert str(caught.value) == (
        "feeds.dense1: expected an input, a label or a weight where task.training is true; "
        "received 'dense1' (str)."
    )


def test_a_sparse_value_is_read_as_its_three_arrays():
    (value,) = read_feeds(
        {"words": {"indices": [[0, 1]], "values": [2.0], "dense_shape": [1, 4]}}
    ).values()
    assert isinstance(value, SparseValue)
    np.testing.assert_array_equal(value.dense_shape, [1, 4])
