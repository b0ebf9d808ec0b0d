"""How outputs are read as classes, and which mistakes are the worst."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from models.classifiers import Classifier
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.feeds import read_feeds
from runner.results import ClassifyResult, SplitResult
from runner.tasks.classify import find_worst, predict_classes
from runner.tasks.forward import forward
from runner.tasks.train import train
from tests.datasets import load_dataset

LOGITS = np.log([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1]])
SPARSE = Classifier("logits", "digit", "index", from_logits=True)
BINARY = Classifier("logits", "parity", "binary", from_logits=True)


def run_task(compose, task, *overrides):
    config = compose(*overrides)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    graph = build_graph(config, read_feeds(config.feeds))
    with open_session(graph, config.session) as session:
        results = list(task(config, config.task, graph, session, dataset))
    classified = [result for result in results if isinstance(result, ClassifyResult)]
    return results, classified, dataset


def test_logits_are_read_as_their_softmax():
    labels = np.array([0, 1, 1])
    predictions = predict_classes(SPARSE, LOGITS + 1000, labels)
    np.testing.assert_array_equal(predictions.predicted, [0, 2, 1])
    np.testing.assert_array_equal(predictions.actual, labels)
    np.testing.assert_allclose(predictions.confidence, [0.7, 0.8, 0.5])
    assert predictions.is_usable.all()
    assert predictions.classes == 3


@pytest.mark.parametrize("from_logits", [False, None])
def test_probabilities_are_read_as_they_are(from_logits):
    classifier = Classifier("probabilities", "digit", "index", from_logits=from_logits)
    predictions = predict_classes(classifier, np.exp(LOGITS), np.array([0, 1, 1]))
    np.testing.assert_allclose(predictions.confidence, [0.7, 0.8, 0.5])


def test_what_cannot_be_probabilities_is_read_as_logits_where_nothing_tells():
    classifier = Classifier("outputs", "digit", "index", from_logits=None)
    predictions = predict_classes(classifier, LOGITS, np.array([0, 1, 1]))
    np.testing.assert_allclose(predictions.confidence, [0.7, 0.8, 0.5])


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_binary_output_is_the_probability_of_the_second_class(shape):
    logits = np.array([np.log(3), -np.log(4), 0.0, 5000.0]).reshape(shape)
    predictions = predict_classes(BINARY, logits, np.array([1, 1, 0, 1]).reshape(shape))
    np.testing.assert_array_equal(predictions.predicted, [1, 0, 0, 1])
    np.testing.assert_allclose(predictions.confidence, [0.75, 0.8, 0.5, 1.0])
    assert predictions.classes == 2


def test_a_label_of_one_value_a_class_is_its_largest():
    classifier = Classifier("logits", "digit", "one_hot", from_logits=True)
    labels = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]])
    predictions = predict_classes(classifier, LOGITS, labels)
    np.testing.assert_array_equal(predictions.actual[:2], [1, 2])
    np.testing.assert_array_equal(predictions.is_usable, [True, True, False])


def test_examples_without_a_class_or_a_finite_output_are_not_usable():
    logits = np.zeros((7, 3))
    logits[5, 0] = np.nan
    logits[6, 0] = np.inf
    labels = np.array([0.0, -1.0, 3.0, 0.5, np.nan, 1.0, 1.0])
    predictions = predict_classes(SPARSE, logits, labels)
    np.testing.assert_array_equal(predictions.is_usable, [True] + [False] * 6)


def test_a_class_that_the_loss_ignores_is_not_usable():
    classifier = Classifier("logits", "digit", "index", from_logits=True, ignored=0)
    predictions = predict_classes(classifier, LOGITS, np.array([0, 1, 1]))
    np.testing.assert_array_equal(predictions.is_usable, [False, True, True])


@pytest.mark.parametrize(
    ("classifier", "outputs", "labels"),
    [
        (SPARSE, np.zeros((2, 5, 3)), np.zeros((2, 5), int)),  # a class a step
        (SPARSE, np.zeros((2, 3)), np.zeros((2, 3), int)),
        (SPARSE, np.zeros((2, 3)), np.array(["a", "b"])),
        (BINARY, np.zeros((2, 8, 8, 1)), np.zeros((2, 8, 8, 1))),  # an autoencoder's pixels
        (BINARY, np.zeros((2, 3)), np.zeros((2, 3))),  # several labels at once
        (Classifier("a", "b", "one_hot", from_logits=True), np.zeros((2, 3)), np.zeros(2, int)),
    ],
)
def test_other_shapes_are_no_classes(classifier, outputs, labels):
    assert predict_classes(classifier, outputs, labels) is None


def test_the_worst_mistakes_are_the_most_confident_ones():
    actual = np.array([0, 1, 2, 0, 1])
    predicted = np.array([0, 2, 1, 1, 1])
    confidence = np.array([0.99, 0.6, 0.9, 0.7, 0.4])
    np.testing.assert_array_equal(find_worst(actual, predicted, confidence), [2, 3, 1])
    np.testing.assert_array_equal(find_worst(actual, predicted, confidence, most=2), [2, 3])


def test_without_a_mistake_the_least_certain_are_found():
    actual = np.array([0, 1, 2])
    confidence = np.array([0.8, 0.5, 0.9])
    np.testing.assert_array_equal(find_worst(actual, actual, confidence), [1, 0, 2])


def test_training_classifies_the_whole_test_split(compose):
    results, classified, dataset = run_task(compose, train, "model=multitask", "task.epochs=1")
    (test,) = [one for one in results if isinstance(one, SplitResult) and one.split == "test"]
    assert [(one.output, one.label, one.classes) for one in classified] == [
        ("digit", "digit", 10),
        ("parity", "parity", 2),
    ]
    for one in classified:
        np.testing.assert_array_equal(one.rows, dataset.test.rows)
        np.testing.assert_array_equal(one.actual, dataset.test.labels[one.label])
        accuracy = accuracy_score(one.actual, one.predicted)
        assert accuracy == pytest.approx(test.metrics[f"{one.output}_accuracy"], abs=1e-6)
        worst = one.shown[0]
        assert one.actual[worst] != one.predicted[worst]
        assert one.confidence[worst] == one.confidence[one.actual != one.predicted].max()
        np.testing.assert_array_equal(
            one.features["image"], dataset.test.features["image"][one.shown]
        )


def test_forward_classifies_its_examples(compose):
    _, (classified,), dataset = run_task(
        compose, forward, "task=forward", "model=mlp", "task.examples=5"
    )
    np.testing.assert_array_equal(classified.rows, dataset.test.rows[:5])
    assert classified.left_out == 0


@pytest.mark.parametrize(
    "overrides",
    [
        ("task=forward", "task.training=true"),  # a second call would drop other units
        ("task=forward", "feeds.image=0.5"),  # what it is a picture of, the data does not say
        ("task=forward", "experiment=subclassed"),
        ("model=autoencoder", "task.epochs=1"),
    ],
)
def test_what_is_no_classifier_classifies_nothing(compose, overrides):
    task = forward if "task=forward" in overrides else train
    _, classified, _ = run_task(compose, task, *overrides)
    assert classified == []
