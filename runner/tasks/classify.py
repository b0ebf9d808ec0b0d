"""Finds what a classifier takes the examples of a split for, and its worst mistakes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.classifiers import Classifier
from runner.config import ExperimentConfig
from runner.data.examples import Examples
from runner.data.labels import name_classes
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


class Classes:
    """The examples so far that an output tells the class of; a split may have very many."""

    def __init__(self, classifier: Classifier, examples: int) -> None:
        """Makes room for as many as `examples`."""
        self._classifier = classifier
        self._classes = 0
        self._seen = 0
        self._usable = 0
        self._places = np.empty(examples, np.int32)
        self._actual = np.empty(examples, np.int32)
        self._predicted = np.empty(examples, np.int32)
        self._confidence = np.empty(examples)

    def add(self, outputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> bool:
        """Keeps what is usable of a batch; returns whether the output is of a class at all.

        Args:
            outputs: (examples, ...) what the model gives, by output.
            targets: (examples, ...) what it is compared with, by label.
        """
        label = targets.get(self._classifier.label)
        if label is None:
            return False
        batch = predict_classes(self._classifier, outputs[self._classifier.output], label)
        if batch is None:
            return False
        usable = np.flatnonzero(batch.is_usable)
        kept = slice(self._usable, self._usable + len(usable))
        self._places[kept] = self._seen + usable
        self._actual[kept] = batch.actual[usable]
        self._predicted[kept] = batch.predicted[usable]
        self._confidence[kept] = batch.confidence[usable]
        self._classes = batch.classes
        self._seen += len(batch.is_usable)
        self._usable += len(usable)
        return True

    def conclude(
        self, examples: Examples, split: str, config: ExperimentConfig
    ) -> Iterator[ClassifyResult]:
        """Yields how all are classified.

        Args:
            examples: Those that the batches were of.
            split: The split they are of.
            config: The whole experiment.
        """
        kept = slice(self._usable)
        places, actual, predicted = self._places[kept], self._actual[kept], self._predicted[kept]
        confidence = self._confidence[kept]
        shown = find_worst(actual, predicted, confidence)
        names = name_classes(config.data, self._classifier.label)
        yield ClassifyResult(
            split=split,
            output=self._classifier.output,
            label=self._classifier.label,
            classes=self._classes,
            rows=examples.rows[places],
            actual=actual,
            predicted=predicted,
            confidence=confidence,
            left_out=self._seen - self._usable,
            shown=shown,
            features=examples.take(places[shown]).features,
            class_names=tuple(names) if len(names) == self._classes else (),
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
