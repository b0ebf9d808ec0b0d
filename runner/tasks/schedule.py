"""Says which steps are taken in one call of the Session, and what is due after which."""

from collections.abc import Iterator

from runner.config import ExperimentConfig, TrainConfig
from runner.monitor import STEP_LOSS

# How long a call may take: the console, the log and an interrupt wait for it to end.
_CALL_SECONDS = 0.2


class Schedule:
    """The steps of a training run."""

    def __init__(
        self, config: ExperimentConfig, task: TrainConfig, examples: int, *, one_by_one: bool
    ) -> None:
        """Lays them out.

        Args:
            config: The whole experiment.
            task: Its task.
            examples: How many there are to train on.
            one_by_one: Whether each step has to be looked at before the next.
        """
        size = config.data.batch_size
        drop = config.data.drop_remainder
        self.steps_per_epoch = examples // size if drop else -(-examples // size)
        self.rows_per_epoch = min(self.steps_per_epoch * size, examples)
        self.last_step = min(task.epochs * self.steps_per_epoch, task.stop.steps or 2**62)
        self.traced = {min(step, self.last_step) for step in config.trace.steps or ()}
        self._one_by_one = one_by_one
        self._every: dict[str, int] = {
            key: steps for key, steps in vars(task.every).items() if steps is not None
        }
        self._most_steps = config.plan.steps_per_call
        self._step_seconds = _CALL_SECONDS

    def end_call(self, first_step: int, last_step: int) -> int:
        """Returns the last step of a call that begins with `first_step`, at most `last_step`."""
        if first_step in self.traced or self._one_by_one:
            return first_step
        most = max(1, int(_CALL_SECONDS / self._step_seconds))
        if self._most_steps is not None:
            most = min(most, self._most_steps)
        dues = (-(-first_step // steps) * steps for steps in self._every.values())
        before_traced = (step - 1 for step in self.traced if step > first_step)
        return min([last_step, self.last_step, first_step + most - 1, *dues, *before_traced])

    def find_due(self, step: int) -> set[str]:
        """Returns the keys of ``task.every`` that are due after `step`."""
        return {key for key, steps in self._every.items() if step % steps == 0}

    def note(self, steps: int, seconds: float) -> None:
        """Takes how long a call took; the first ones are short, to learn it."""
        self._step_seconds = max(seconds / steps, self._step_seconds / 8)

    def describe(self) -> Iterator[str]:
        """Yields how calls are cut for what is asked for at single steps."""
        if self.traced:
            steps = ", ".join(map(str, sorted(self.traced)))
            yield f"trace.steps: step {steps} is a call of its own"
        if self._most_steps is not None:
            yield f"plan.steps_per_call: at most {self._most_steps} steps a call"
        for key, every in self._every.items():
            yield f"task.every.{key}: a call ends after every {every} steps"
        if self._one_by_one:
            yield f"{STEP_LOSS}: one step a call, since each is looked at"
