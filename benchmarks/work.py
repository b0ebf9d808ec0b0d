"""What all sides of a comparison are given, and what they give back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

# Dropout draws other masks on each side; without it the losses can be compared.
WITHOUT_DROPOUT: Mapping[str, tuple[str, ...]] = {
    "mlp": (),
    "cnn": ("model.layers.drop.rate=0",),
    "resnet": (),
    "lstm": ("model.layers.drop.rate=0",),
    "transformer": (
        "model.layers.encoder.layers.drop1.rate=0",
        "model.layers.encoder.layers.drop2.rate=0",
    ),
}
MODELS = tuple(WITHOUT_DROPOUT)

LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-7  # Keras's, on every side

_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Task:
    """A model and the batches that it is to be given.

    Attributes:
        model: The model's name in conf/model.
        batch_size: Examples in a batch.
        steps: Batches in a round.
    """

    model: str
    batch_size: int
    steps: int

    @property
    def overrides(self) -> list[str]:
        """What Hydra composes the model from."""
        return [
            f"model={self.model}",
            f"data.batch_size={self.batch_size}",
            "tracking=off",
            *WITHOUT_DROPOUT[self.model],
        ]


@dataclass(frozen=True)
class Work:
    """A task with its values.

    Attributes:
        task: The task.
        weights: The initial weights by Keras's path, such as ``conv1/kernel``.
        rows: (steps, batch) integers, the examples of each batch in the train split.
        images: (steps, batch, rows, columns, channels) float32.
        digits: (steps, batch) int64.
        logits: (batch, classes) float32, what the initial model makes of the first batch.
    """

    task: Task
    weights: Mapping[str, np.ndarray]
    rows: np.ndarray
    images: np.ndarray
    digits: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Skipped:
    """Stands for a peer that this machine cannot run."""

    reason: str


Round = Callable[[], np.ndarray]
"""Does a round of the work and returns its losses, or its outputs, to be compared."""


@dataclass(frozen=True)
class Noted:
    """A peer and how it goes about its work."""

    do_round: Round
    note: str


Peers = Mapping[str, Round | Noted | Skipped]


def check_logits(name: str, logits: np.ndarray, work: Work) -> None:
    """Checks that a twin of the model computes what the model computes.

    Raises:
        ValueError: If it does not.
    """
    difference = float(np.abs(logits - work.logits).max())
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"{name} is not {work.task.model}: expected the same logits within {_TOLERANCE}; they "
            f"differ by {difference}."
        )
