"""Decides when training ends before its last epoch, and which weights remain."""

import time
from collections.abc import Callable, Mapping

import numpy as np

from runner.config import StopConfig
from runner.monitor import STEP_LOSS, Monitor
from runner.results import Metrics, StopResult

Weights = Mapping[str, np.ndarray]


class Stopper:
    """Looks at what training comes to."""

    def __init__(
        self,
        config: StopConfig,
        metrics: Mapping[str, Mapping[str, object]],
        read_weights: Callable[[], Weights],
    ) -> None:
        """Looks at nothing yet; the minutes begin.

        Args:
            config: What to look at, and what ends training.
            metrics: The model's metrics by name, whose types say which values are better.
            read_weights: Returns the weights as they are.
        """
        self._config = config
        self._monitor = Monitor(config, metrics)
        self._read_weights = read_weights
        self._is_watching = config.patience is not None or config.target is not None
        self._ends_at = None
        if config.minutes is not None:
            self._ends_at = time.monotonic() + 60 * config.minutes
        self._best: float | None = None
        self._best_step = 0
        self._waited = 0
        self.reason = ""
        self.best_weights: Weights | None = None

    @property
    def looks_at_steps(self) -> bool:
        """Whether each step has to be looked at before the next is taken."""
        return self._is_watching and self._config.monitor == STEP_LOSS

    def look(self, split: str, metrics: Metrics, step: int) -> None:
        """Looks at the metrics of a split after a step, if they are those to look at."""
        value = self._monitor.find(split, metrics)
        if self._is_watching and value is not None:
            self._judge(value, step)

    def look_at_clock(self, step: int) -> None:
        """Looks at the time and at the number of steps."""
        if self._config.steps is not None and step >= self._config.steps:
            self.reason = self.reason or f"task.stop.steps: {step} steps were taken"
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            minutes = self._config.minutes
            self.reason = self.reason or f"task.stop.minutes: {minutes:g} min passed by step {step}"

    def result(self, step: int) -> StopResult | None:
        """Returns what came of it; None where training went to its end with its last weights.

        Args:
            step: The last step that was taken.
        """
        best = None if self.best_weights is None else self._best_step
        if not self.reason and best is None:
            return None
        return StopResult(step, self.reason, best)

    def _judge(self, value: float, step: int) -> None:
        config = self._config
        if self._monitor.is_better(value, self._best):
            self._best, self._best_step, self._waited = value, step, 0
            if config.restore_best:
                # A variable's array may be its memory.
                weights = self._read_weights()
                self.best_weights = {name: np.array(array) for name, array in weights.items()}
        else:
            self._waited += 1
        if self._is_reached(value):
            self.reason = f"task.stop.target: {config.monitor} is {value:.4g} after step {step}"
        elif config.patience is not None and self._waited >= max(config.patience, 1):
            self.reason = (
                f"task.stop.patience: {config.monitor} {self._describe_best()}, in "
                f"{self._waited} looks up to step {step}"
            )

    def _describe_best(self) -> str:
        if self._best is None:
            return "is not a number"
        side = "above" if self._monitor.is_higher_better else "below"
        return f"is not {side} {self._best:.4g}, as after step {self._best_step}"

    def _is_reached(self, value: float) -> bool:
        target = self._config.target
        if target is None:
            return False
        return value >= target if self._monitor.is_higher_better else value <= target
