"""What is told of each example, against NumPy on the model's outputs."""

import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.reading import read_examples
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.tasks.predict import predict
from runner.tasks.watch import NotFiniteError


@pytest.fixture(scope="module")
def run(compose):
    """Returns the joined columns, the parts, and the outputs that a forward call gives."""

    def run_task(*overrides, weights=None):
        config = compose("task=predict", *overrides)
        examples = read_examples(config.data, config.model.inputs, config.seed)
        graph = build_graph(config).with_weights(weights or {})
        with open_session(graph, config.session) as session:
            batches = list(predict(config, graph, session, examples))
            fed = {**examples.features, **examples.labels}
            feeds = {name: fed[name].astype(np.float32) for name in graph.predict.feeds}
            fetched = session.callable(graph.predict)(feeds) if is_free(config) else {}
        columns = {
            name: np.concatenate([batch.columns[name] for batch in batches])
            for name in batches[0].columns
        }
        assert {batch.rows for batch in batches} == {len(examples)}
        return columns, batches[0].parts, fetched

    return run_task


def is_free(config):
    return all(tensor.batch_size is None for tensor in config.model.inputs.values())


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_of_a_classifier_the_class_and_all_probabilities(run):
    columns, parts, fetched = run("model=mlp")
    assert list(columns) == ["row", "class", "confidence", "probability"]
    np.testing.assert_array_equal(columns["row"], np.arange(1797))
    chances = softmax(fetched["outputs"])
    np.testing.assert_allclose(columns["probability"], chances, rtol=1e-5)
    np.testing.assert_array_equal(columns["class"], fetched["outputs"].argmax(axis=1))
    np.testing.assert_allclose(columns["confidence"], chances.max(axis=1), rtol=1e-5)
    assert parts == {"probability": tuple("0123456789")}


def test_classes_are_named_where_their_names_are_known(run):
    names = "[zero,one,two,three,four,five,six,seven,eight,nine]"
    columns, parts, _ = run("model=mlp", f"data.class_names={names}")
    assert parts["probability"][:2] == ("zero", "one")
    first = parts["probability"][columns["class"][0]]
    assert columns["class_name"][0] == first


def test_without_labels_a_classifier_is_one_all_the_same(run):
    columns, _, _ = run("model=mlp", "~data.labels.digit", "~data.labels.parity")
    assert "probability" in columns


def test_of_numbers_the_output_itself(run):
    columns, parts, fetched = run("model=regression", "data=diabetes")
    assert list(columns) == ["row", "output"]
    np.testing.assert_allclose(columns["output"], fetched["outputs"].reshape(-1), rtol=1e-5)
    assert not parts


def test_several_outputs_are_told_by_name(run):
    columns, _, _ = run("model=multitask")
    assert [name for name in columns if name.endswith(".class")] == ["digit.class", "parity.class"]
    assert columns["parity.probability"].shape == (1797, 2)


def test_further_fetches_are_told_too_and_the_outputs_can_be_left_out(run):
    columns, _, _ = run("model=mlp", "fetches.hidden=dense2")
    assert list(columns) == ["row", "class", "confidence", "probability", "hidden"]
    fetches = ["fetches={hidden: dense2, fed: image}", "~fetches.outputs"]
    columns, _, fetched = run("model=mlp", *fetches)
    assert list(columns) == ["row", "hidden", "fed"]
    np.testing.assert_allclose(columns["hidden"], fetched["hidden"], rtol=1e-5, atol=1e-6)
    assert columns["fed"].shape == (1797, 8, 8, 1)


def test_a_fetch_without_a_value_for_each_example_is_refused(run):
    with pytest.raises(ConfigError) as caught:
        run("model=mlp", "fetches.kernel=logits.kernel")
    assert str(caught.value) == (
        "fetches.kernel: expected what has a value for each example; received 'kernel' (str)."
    )


def test_a_model_of_one_batch_size_tells_of_the_last_few_examples_too(run):
    fixed = ["model.inputs.image.batch_size=32", "data.batch_size=32"]
    columns, _, _ = run("model=mlp", *fixed)
    wanted, _, _ = run("model=mlp")
    assert len(columns["row"]) == 1797
    np.testing.assert_allclose(columns["probability"], wanted["probability"], rtol=1e-5)


def test_a_value_that_is_not_finite_stops_it_or_is_no_class(run):
    weights = {"logits.bias": np.full(10, np.nan, np.float32)}
    with pytest.raises(NotFiniteError, match=r"^predict: .*logits"):
        run("model=mlp", weights=weights)
    columns, _, _ = run("model=mlp", "debug.check_finite=false", weights=weights)
    assert (columns["class"] == -1).all()
    assert np.isnan(columns["confidence"]).all()
