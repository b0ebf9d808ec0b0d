"""What training may look at to decide when to end or to slow down. No TensorFlow."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from models.config import ModelConfig
from models.objectives import LOSS
from models.problems import Problem, did_you_mean, expected
from models.wiring import output_names
from runner.config import PlateauConfig, StopConfig, TrainConfig

STEP_LOSS = "step/loss"
_SPLITS = ("train", "validation")

# In the names of metrics and of their classes.
_LOWER_IS_BETTER = ("loss", "error", "crossentropy", "divergence", "poisson", "hinge", "logcosh")


class Monitored(Protocol):
    """A configuration that says what is looked at, and which of two values is the better."""

    monitor: str
    mode: str | None
    min_delta: float


class Monitor:
    """Finds what is looked at, and tells the better values from the worse."""

    def __init__(self, config: Monitored, metrics: Mapping[str, Mapping[str, object]]) -> None:
        """Looks at nothing yet.

        Args:
            config: What is looked at.
            metrics: The declarations of the model's metrics by name.
        """
        self._split, _, self._name = config.monitor.partition("/")
        self._min_delta = config.min_delta
        kind = str(metrics.get(self._name, {}).get("type", ""))
        name = f"{self._name} {kind}".lower()
        self.is_higher_better = not any(part in name for part in _LOWER_IS_BETTER)
        if config.mode is not None:
            self.is_higher_better = config.mode == "max"

    def find(self, split: str, metrics: Mapping[str, float]) -> float | None:
        """Returns the value among the metrics of a split; None where it is not of that split."""
        return metrics[self._name] if split == self._split else None

    def is_better(self, value: float, best: float | None) -> bool:
        """Returns whether `value` is better than the best so far; None where there was none."""
        if best is None:
            return not np.isnan(value)
        by = self._min_delta
        return value > best + by if self.is_higher_better else value < best - by


def validate_monitors(
    config: TrainConfig, model: ModelConfig, *, validates: bool
) -> Iterator[Problem]:
    """Yields what is wrong with what is looked at.

    Args:
        config: When training ends, and when it slows down.
        model: The model, whose losses and metrics can be looked at.
        validates: Whether there is a validation split.
    """
    stop, plateau = config.stop, config.plateau
    watches = stop.target is not None or stop.patience is not None
    for path, one, is_used in (
        ("task.stop", stop, watches),
        ("task.plateau", plateau, plateau.patience is not None),
    ):
        if one.mode not in (None, "min", "max"):
            yield expected(f"{path}.mode", "min, max or null", one.mode)
        if is_used:
            yield from _validate_monitor(f"{path}.monitor", one, model, validates=validates)


def _validate_monitor(
    path: str, config: StopConfig | PlateauConfig, model: ModelConfig, *, validates: bool
) -> Iterator[Problem]:
    known = list(_find_monitors(model))
    if config.monitor not in known:
        what = "what is measured in training"
        yield expected(path, what, config.monitor, did_you_mean(config.monitor, known))
    elif config.monitor.startswith("validation/") and not validates:
        hint = "Set data.split.validation, or look at train/loss."
        what = "something that is measured; data.split.validation is 0"
        yield expected(path, what, config.monitor, hint)


def _find_monitors(model: ModelConfig) -> Iterator[str]:
    names = [LOSS, *map(str, model.metrics)]
    outputs = output_names(model.outputs)
    if len(outputs) > 1:
        names += [f"{output}_{LOSS}" for output in outputs if output in (model.loss or {})]
    for split in _SPLITS:
        yield from (f"{split}/{name}" for name in names)
    yield STEP_LOSS
