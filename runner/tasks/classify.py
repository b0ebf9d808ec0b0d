"""Finds what a classifier takes the examples of a split for, and its worst mistakes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.classifiers import Classifier, read_classifiers
from runner.config import EvaluateConfig, ExperimentConfig, TrainConfig
from runner.data.examples import Examples
from runner.data.labels import name_classes
from runner.data.streams import iterate_batches
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.example_weights import list_targets
from runner.results import ClassifyResult

MOST_SHOWN = 32

_UNIT_TOLERANCE = 1e-3
_MATRIX_AXES = 2


@dataclass(frozen=True)
class Predictions:
    """What an output says of some examples.

    Attributes:
        actual: (examples,) integers, the class of each; of no meaning where it is not usable.
        predicted: (examples,) integers.
        confidence: (examples,) floats, the probability of the class predicted.
        is_usable: (examples,) booleans: it has a class, and its output is finite.
        classes: Number of classes.
    """

    actual: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    is_usable: np.ndarray
    classes: int


class _Gathered:
    """The examples so far that an output tells the class of; a split may have very many.

    Attributes:
        classifier: How to read the output.
        classes: Number of classes.
        seen: How many examples there were.
    """

    def __init__(self, classifier: Classifier, examples: int) -> None:
        """Makes room for as many as `examples`."""
        self.classifier = classifier
        self.classes = 0
        self.seen = 0
        self._usable = 0
        self._places = np.empty(examples, np.int32)
        self._actual = np.empty(examples, np.int32)
        self._predicted = np.empty(examples, np.int32)
        self._confidence = np.empty(examples)

    def add(self, batch: Predictions) -> None:
        """Keeps what is usable of a batch."""
        usable = np.flatnonzero(batch.is_usable)
        kept = slice(self._usable, self._usable + len(usable))
        self._places[kept] = self.seen + usable
        self._actual[kept] = batch.actual[usable]
        self._predicted[kept] = batch.predicted[usable]
        self._confidence[kept] = batch.confidence[usable]
        self.classes = batch.classes
        self.seen += len(batch.is_usable)
        self._usable += len(usable)

    def read(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Returns (usable,) places among all, actual and predicted classes, and confidences."""
        kept = slice(self._usable)
        return (
            self._places[kept],
            self._actual[kept],
            self._predicted[kept],
            self._confidence[kept],
        )


def classify_examples(
    config: ExperimentConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    examples: Examples,
    *,
    split: str,
) -> Iterator[ClassifyResult]:
    """Yields how each output that is a class classifies `examples`; nothing where none is.

    They are fed in batches where they are evaluated so, otherwise all at once.

    Args:
        config: The whole experiment.
        graph: The experiment's graph.
        session: An open Session on it.
        examples: What to feed.
        split: The split they are of.
    """
    if graph.classify is None:
        return
    step = session.callable(graph.classify)
    pending = [
        _Gathered(classifier, len(examples))
        for classifier in read_classifiers(config.model, list_targets(config.data))
        if classifier.output in graph.classify.fetches
    ]
    is_batched = isinstance(config.task, TrainConfig | EvaluateConfig)
    size = config.data.batch_size if is_batched else len(examples)
    drop = is_batched and config.data.drop_remainder
    seen = 0
    for batch in iterate_batches(examples, size, drop_remainder=drop):
        outputs = step(batch.features)
        targets = batch.arrays
        pending = [one for one in pending if _gather(one, outputs, targets)]
        if not pending:
            return
        seen += len(batch)
    if seen:
        for one in pending:
            names = name_classes(config.data, one.classifier.label)
            yield _conclude(one, examples, split, names)


def _gather(
    gathered: _Gathered, outputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> bool:
    """Adds a batch; returns whether the output is of a class at all."""
    classifier = gathered.classifier
    label = targets.get(classifier.label)
    if label is None:
        return False
    predictions = predict_classes(classifier, outputs[classifier.output], label)
    if predictions is None:
        return False
    gathered.add(predictions)
    return True


def _conclude(
    gathered: _Gathered, examples: Examples, split: str, names: Sequence[str]
) -> ClassifyResult:
    places, actual, predicted, confidence = gathered.read()
    shown = find_worst(actual, predicted, confidence)
    return ClassifyResult(
        split=split,
        output=gathered.classifier.output,
        label=gathered.classifier.label,
        classes=gathered.classes,
        rows=examples.rows[places],
        actual=actual,
        predicted=predicted,
        confidence=confidence,
        left_out=gathered.seen - len(places),
        shown=shown,
        features=examples.take(places[shown]).features,
        class_names=tuple(names) if len(names) == gathered.classes else (),
    )


def predict_classes(
    classifier: Classifier, outputs: np.ndarray, labels: np.ndarray
) -> Predictions | None:
    """Returns the class predicted of each example, or None where the shapes are not of classes.

    Args:
        classifier: How to read them.
        outputs: (examples, classes) logits or probabilities; (examples,) or (examples, 1) if
            binary.
        labels: (examples,) or (examples, 1) classes; (examples, classes) if one-hot.
    """
    chances = read_chances(classifier, outputs)
    if chances is None:
        return None
    classes = chances.shape[1]
    read = _read_labels(classifier, labels, classes)
    if read is None:
        return None
    actual, has_class = read
    is_finite = np.isfinite(chances).all(axis=1)
    chances = np.where(is_finite[:, np.newaxis], chances, 0.0)
    # An even chance is the first class's, as in Keras's own metrics.
    predicted = chances.argmax(axis=1)
    confidence = np.take_along_axis(chances, predicted[:, np.newaxis], axis=1)[:, 0]
    return Predictions(actual, predicted, confidence, has_class & is_finite, classes)


def find_worst(
    actual: np.ndarray, predicted: np.ndarray, confidence: np.ndarray, most: int = MOST_SHOWN
) -> np.ndarray:
    """Returns the places of the most confident mistakes, or, without one, of the least confident.

    Args:
        actual: (examples,) classes.
        predicted: (examples,) classes.
        confidence: (examples,) probabilities of the classes predicted.
        most: How many places at the most.
    """
    wrong = np.flatnonzero(actual != predicted)
    if wrong.size:
        return wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    return np.argsort(confidence, kind="stable")[:most]


def read_chances(classifier: Classifier, outputs: np.ndarray) -> np.ndarray | None:
    """Returns (examples, classes) probabilities, or None where the shapes are not of classes.

    Args:
        classifier: How to read them.
        outputs: (examples, classes) logits or probabilities; (examples,) or (examples, 1) if
            binary; the probabilities are not finite where they are not.
    """
    values = outputs.astype(np.float64)
    if classifier.coding == "binary":
        if values.size != len(values):
            return None
        chance = values.reshape(-1, 1)
        if classifier.from_logits:
            # Unlike that of the definition, this exponential does not overflow.
            chance = 0.5 * (1 + np.tanh(chance / 2))
        return np.concatenate([1 - chance, chance], axis=1)
    if values.ndim != _MATRIX_AXES:
        return None
    return _normalise(values, classifier.from_logits)


def _normalise(values: np.ndarray, from_logits: bool | None) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        softmax: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        sums = values.sum(axis=1, keepdims=True)
        shares: np.ndarray = values / sums
    if from_logits is not None:
        return softmax if from_logits else shares
    is_unit = (values >= 0).all(axis=1, keepdims=True) & (abs(sums - 1) <= _UNIT_TOLERANCE)
    return np.where(is_unit, shares, softmax)


def _read_labels(
    classifier: Classifier, labels: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the (examples,) classes, and whether each is one."""
    if labels.dtype.kind not in "biuf":
        return None
    if classifier.coding == "one_hot":
        if labels.shape != (len(labels), classes):
            return None
        actual, is_class = labels.argmax(axis=1), labels.max(axis=1) > 0
    else:
        if labels.size != len(labels):
            return None
        numbers = np.nan_to_num(labels.reshape(-1).astype(np.float64), nan=-1.0)
        is_class = (numbers >= 0) & (numbers < classes) & (numbers == np.rint(numbers))
        actual = np.where(is_class, numbers, 0).astype(np.int64)
    if classifier.ignored is not None:
        is_class &= actual != classifier.ignored
    return actual, is_class
