"""Decides when the learning rate is reduced, as ``keras.callbacks.ReduceLROnPlateau`` does."""

from collections.abc import Callable, Mapping

import numpy as np

from runner.config import PlateauConfig
from runner.monitor import STEP_LOSS, Monitor
from runner.results import Metrics


class Plateau:
    """Looks at what training comes to, and reduces the learning rate where that stays as it is."""

    def __init__(
        self,
        config: PlateauConfig,
        metrics: Mapping[str, Mapping[str, object]],
        read_rate: Callable[[], float],
        assign_rate: Callable[[float], None],
    ) -> None:
        """Looks at nothing yet.

        Args:
            config: What to look at, and how much to reduce.
            metrics: The model's metrics by name, whose types say which values are better.
            read_rate: Returns the learning rate.
            assign_rate: Changes it.
        """
        self._config = config
        self._monitor = Monitor(config, metrics)
        self._read_rate = read_rate
        self._assign_rate = assign_rate
        self._best: float | None = None
        self._waited = 0
        self._cooldown = 0

    @property
    def rate(self) -> float:
        """The learning rate as it is."""
        return self._read_rate()

    @property
    def looks_at_steps(self) -> bool:
        """Whether each step has to be looked at before the next is taken."""
        return self._config.patience is not None and self._config.monitor == STEP_LOSS

    def look(self, split: str, metrics: Metrics) -> float | None:
        """Looks at the metrics of a split, if they are those to look at.

        Returns:
            The learning rate from now on where it was reduced, else None.
        """
        value = self._monitor.find(split, metrics)
        if self._config.patience is None or value is None:
            return None
        if self._cooldown > 0:
            self._cooldown -= 1
            self._waited = 0
        if self._monitor.is_better(value, self._best):
            self._best, self._waited = value, 0
        elif self._cooldown == 0:
            self._waited += 1
            if self._waited >= self._config.patience:
                return self._reduce()
        return None

    def _reduce(self) -> float | None:
        """Reduces the learning rate; one that is as low as it may be stays so."""
        rate, least = self._read_rate(), self._config.min_learning_rate
        if rate <= np.float32(least):
            return None
        self._cooldown, self._waited = self._config.cooldown, 0
        reduced = max(rate * self._config.factor, least)
        self._assign_rate(reduced)
        return reduced
