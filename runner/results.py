"""What the tasks yield, as they yield it; the tracker logs it and the console shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Metrics = Mapping[str, float]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LayerSummary:
    """One row of the layer table: a call of a layer.

    Attributes:
        name: The call's name.
        type: The layer's Keras class.
        output_shapes: (batch, ...) of each output, None where an axis varies.
        parameters: Number of weights, trained or not; 0 for a further call of a shared layer.
    """

    name: str
    type: str
    output_shapes: tuple[tuple[int | None, ...], ...]
    parameters: int


@dataclass(frozen=True)
class Started:
    """A training run is about to take its first step.

    Attributes:
        epochs: Passes over the training examples.
        steps_per_epoch: Session calls a pass.
        examples: Number of examples by split.
    """

    epochs: int
    steps_per_epoch: int
    examples: Mapping[str, int]


@dataclass(frozen=True)
class StepResult:
    """One training step.

    Attributes:
        epoch: Counted from 1.
        step: Counted from 1 over all epochs.
        loss: The loss of this step's batch.
        running: The epoch's metrics so far.
    """

    epoch: int
    step: int
    loss: float
    running: Metrics


@dataclass(frozen=True)
class SplitResult:
    """Metrics over a whole split.

    Attributes:
        split: ``train``, ``validation`` or ``test``. For ``train`` the mean over an epoch's steps,
            with the weights of each step.
        epoch: The epoch it followed, counted from 1.
        step: The training step it followed, counted from 1.
        metrics: The loss and the configured metrics.
    """

    split: str
    epoch: int
    step: int
    metrics: Metrics


@dataclass(frozen=True)
class FetchResult:
    """Arrays fetched for some examples.

    Attributes:
        split: The split that the examples are of.
        fetched: The configured fetches by name, (examples, ...) each.
        rows: (examples,) integers, each example's row in its source.
        labels: The examples' labels by name, (examples, ...) each.
        classes: Number of classes of the label; None where it is not a class.
    """

    split: str
    fetched: Arrays
    rows: np.ndarray
    labels: Arrays
    classes: int | None


@dataclass(frozen=True)
class TraceResult:
    """The RunMetadata of one traced step.

    Attributes:
        name: What was traced, such as ``train_step_3``.
        chrome_trace: A trace in Chrome's JSON format, as Perfetto opens it.
        operations: Number of operations timed.
    """

    name: str
    chrome_trace: str
    operations: int


Result = Started | StepResult | SplitResult | FetchResult | TraceResult
