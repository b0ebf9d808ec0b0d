"""Finds how far the numbers that a model gives are off, and where they are the furthest."""

from collections.abc import Iterator, Mapping

import numpy as np

from models.regressors import Regressor
from runner.config import ExperimentConfig
from runner.data.examples import Examples
from runner.results import RegressResult

MOST_SHOWN = 16
MOST_SAMPLED = 2000

# Of more than these, as of a picture, none is a result of its own.
_MOST_NUMBERS = 8
_BARS = 40


class Numbers:
    """The examples so far that an output gives numbers of; a split may have very many."""

    def __init__(self, regressor: Regressor, examples: int) -> None:
        """Makes room for as many as `examples`, once it is known how many numbers each has."""
        self._regressor = regressor
        self._room = examples
        self._seen = 0
        self._actual = np.empty((0, 0))
        self._predicted = np.empty((0, 0))

    def add(self, outputs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> bool:
        """Keeps a batch; returns whether the output gives numbers that a label can be held to.

        Args:
            outputs: (examples, ...) what the model gives, by output.
            targets: (examples, ...) what it is compared with, by label.
        """
        label = targets.get(self._regressor.label)
        if label is None or label.dtype.kind not in "biuf":
            return False
        predicted = _as_columns(outputs[self._regressor.output])
        actual = _as_columns(label)
        if predicted.shape != actual.shape or predicted.shape[1] > _MOST_NUMBERS:
            return False
        if not self._seen:
            self._actual = np.empty((self._room, actual.shape[1]))
            self._predicted = np.empty_like(self._actual)
        kept = slice(self._seen, self._seen + len(actual))
        self._actual[kept] = actual
        self._predicted[kept] = predicted
        self._seen += len(actual)
        return True

    def conclude(
        self, examples: Examples, split: str, config: ExperimentConfig
    ) -> Iterator[RegressResult]:
        """Yields, for each number that an example has, how far it is off.

        Args:
            examples: Those that the batches were of.
            split: The split they are of.
            config: The whole experiment.
        """
        kept = slice(self._seen)
        columns = self._actual.shape[1]
        for index in range(columns):
            place = f"[{index}]" if columns > 1 else ""
            yield summarize_residuals(
                self._actual[kept, index],
                self._predicted[kept, index],
                examples,
                split=split,
                output=f"{self._regressor.output}{place}",
                label=f"{self._regressor.label}{place}",
            )


def summarize_residuals(
    actual: np.ndarray,
    predicted: np.ndarray,
    examples: Examples,
    *,
    split: str,
    output: str,
    label: str,
) -> RegressResult:
    """Returns how far `predicted` is off, over all examples, and a sample of them.

    Args:
        actual: (examples,) numbers.
        predicted: (examples,) numbers.
        examples: What they are of.
        split: The split that it is of.
        output: What gave the numbers.
        label: What they are compared with.
    """
    places = np.flatnonzero(np.isfinite(actual) & np.isfinite(predicted))
    left_out = len(actual) - len(places)
    actual, predicted = actual[places], predicted[places]
    residuals = predicted - actual
    counts, edges = np.histogram(residuals, bins=_BARS)
    shown = np.argsort(-np.abs(residuals), kind="stable")[:MOST_SHOWN]
    step = -(-len(places) // MOST_SAMPLED) or 1
    return RegressResult(
        split=split,
        output=output,
        label=label,
        examples=len(places),
        left_out=left_out,
        mean_error=_mean(residuals),
        mean_absolute_error=_mean(np.abs(residuals)),
        root_mean_squared_error=_mean(residuals**2) ** 0.5,
        r2=_r2(actual, residuals),
        edges=edges,
        counts=counts,
        actual=actual[::step],
        predicted=predicted[::step],
        shown_rows=examples.rows[places[shown]],
        shown_actual=actual[shown],
        shown_predicted=predicted[shown],
        features=examples.take(places[shown]).features,
    )


def _as_columns(values: np.ndarray) -> np.ndarray:
    """Returns (examples, numbers): all that each example has, in a row."""
    return values.reshape(len(values), -1).astype(np.float64)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _r2(actual: np.ndarray, residuals: np.ndarray) -> float:
    """Returns the share of the variance that is explained; NaN where there is none to explain."""
    total = float(((actual - actual.mean()) ** 2).sum()) if actual.size else 0.0
    return 1 - float((residuals**2).sum()) / total if total else float("nan")
