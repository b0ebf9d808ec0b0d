"""Watches for values that are not finite, and finds the step and the layer that made them.

Nothing is added to a step: its loss is looked at, and the weights now and then, since ReLU makes 0
of NaN and a loss stays finite. Once one is not, the steps since the last snapshot are taken again,
which a seed repeats, to find the first that made what is not finite.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from models.objectives import BATCH_LOSS
from runner.config import ExperimentConfig
from runner.data.examples import Batch, Examples, count_batches
from runner.data.ordering import order_training
from runner.engine.errors import StepError
from runner.engine.faults import is_finite, locate_fault, summarize_probe
from runner.engine.graph import ExperimentGraph, build_graph
from runner.engine.probe import probe_step
from runner.engine.session import GraphSession, open_session
from runner.engine.steps import IS_FINITE, TrainingSteps
from runner.feeds import FeedValue
from runner.fetches import OPTIMIZER
from runner.results import FaultResult

_SNAPSHOT_STEPS = 200
_CHECK_STEPS = 100


class NotFiniteError(StepError):
    """A value was not finite.

    Attributes:
        fault: Where it was made, and what to replay it with.
    """

    def __init__(self, fault: FaultResult) -> None:
        """Keeps the fault; its message is the error's."""
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True)
class _Snapshot:
    """The variables in front of an epoch."""

    epoch: int
    step: int
    variables: Mapping[str, np.ndarray]


class Watch:
    """Keeps what it takes to repeat the steps since the last snapshot."""

    def __init__(
        self,
        config: ExperimentConfig,
        graph: ExperimentGraph,
        session: GraphSession,
        steps: TrainingSteps,
    ) -> None:
        """Watches the `steps` of `graph` in `session`."""
        self._config = config
        self._session = session
        self._variables = graph.variables
        self._check = session.callable(steps.check)
        self._snapshot = _Snapshot(1, 0, {})
        self._rates: dict[int, float] = {}

    def open_epoch(self, epoch: int, step: int) -> None:
        """Keeps the variables in front of an epoch, if enough steps were taken since the last."""
        if not self._snapshot.variables or step - self._snapshot.step >= _SNAPSHOT_STEPS:
            self._snapshot = _Snapshot(epoch, step, self._session.read(self._variables))
            self._rates = {}

    def note_rate(self, step: int, rate: float) -> None:
        """Takes the learning rate that steps after `step` are taken with."""
        self._rates[step] = rate

    def look(self, losses: np.ndarray, examples: Examples, first_step: int) -> None:
        """Looks at the losses of steps taken in one go, and now and then at the weights.

        Args:
            losses: (steps,) the loss of each step's batch.
            examples: All examples to train on.
            first_step: The first of the steps, counted from 1.

        Raises:
            NotFiniteError: If one is not finite.
        """
        broken = np.flatnonzero(~np.isfinite(losses))
        if broken.size:
            raise self.find_in_training(examples, first_step + int(broken[0]))
        last = first_step + len(losses) - 1
        if last // _CHECK_STEPS > (first_step - 1) // _CHECK_STEPS:
            self.look_at_weights(examples, last)

    def look_at_weights(self, examples: Examples, step: int) -> None:
        """Looks at the weights after a step.

        Raises:
            NotFiniteError: If one is not finite.
        """
        if not self._check({})[IS_FINITE]:
            raise self.find_in_training(examples, step)

    def find_in_training(self, examples: Examples, last_step: int) -> NotFiniteError:
        """Returns the error of the first step, up to `last_step`, that made what is not finite.

        Args:
            examples: All examples to train on.
            last_step: The step whose loss is not finite, counted from 1.
        """
        graph = build_graph(self._config, self._snapshot.variables)
        if graph.training is None:
            raise ValueError("the graph was built for a task that does not train")
        with open_session(graph, self._config.session) as session:
            train = session.callable(graph.training.train)
            before = session.read(graph.variables)
            for step, batch in self._repeat(examples, last_step):
                if step - 1 in self._rates:
                    session.load([(graph.learning_rate, np.asarray(self._rates[step - 1]))])
                loss = train({**batch.features, **batch.labels})[BATCH_LOSS]
                after = session.read(graph.variables)
                if not np.isfinite(loss) or self._broken(after):
                    return self._find(f"step_{step}", batch, before, self._broken(after))
                before = after
        message = (
            f"step {last_step}: its loss is not finite, and was when the steps were taken again."
        )
        return NotFiniteError(FaultResult(f"step_{last_step}", message, (), {}, True))

    def find_in_evaluation(
        self, split: str, batch: Batch, trained: Examples, step: int
    ) -> NotFiniteError:
        """Returns the error of a batch of `split` whose loss is not finite.

        Args:
            split: What is evaluated on.
            batch: The batch.
            trained: All examples to train on.
            step: The step before, counted from 1.
        """
        variables = self._session.read(self._variables)
        if self._broken(variables):
            return self.find_in_training(trained, step)
        return find_fault(
            self._config,
            {**batch.features, **batch.labels},
            variables,
            name=f"{split}_step_{step}",
            rows=batch.rows,
            is_training=False,
        )

    def _find(
        self, name: str, batch: Batch, before: Mapping[str, np.ndarray], broken: Sequence[str]
    ) -> NotFiniteError:
        hint = ""
        if broken:
            hint = (
                f"optimizer: the update makes {', '.join(broken[:3])} not finite. Lower "
                "optimizer.learning_rate, or clip gradients (optimizer.clipnorm)."
            )
        return find_fault(
            self._config,
            {**batch.features, **batch.labels},
            before,
            name=name,
            rows=batch.rows,
            is_training=True,
            otherwise=hint,
        )

    def _repeat(self, examples: Examples, last_step: int) -> Iterator[tuple[int, Batch]]:
        """Yields the steps since the snapshot, with their batches, up to `last_step`."""
        data, step = self._config.data, self._snapshot.step
        for epoch in count(self._snapshot.epoch):
            rows = order_training(self._config, examples, epoch).rows
            batches = count_batches(examples, data.batch_size, drop_remainder=data.drop_remainder)
            for index in range(batches):
                step += 1
                if step > last_step:
                    return
                start = index * data.batch_size
                yield step, examples.take(rows[start : start + data.batch_size])

    def _broken(self, variables: Mapping[str, np.ndarray]) -> list[str]:
        """Returns the trained weights that are not finite."""
        return [
            name
            for name, array in variables.items()
            if self._variables[name].trainable and not is_finite(array)
        ]


def find_fault(
    config: ExperimentConfig,
    feeds: Mapping[str, FeedValue],
    variables: Mapping[str, np.ndarray],
    *,
    name: str,
    rows: np.ndarray,
    is_training: bool,
    otherwise: str = "",
) -> NotFiniteError:
    """Returns the error of a step, run again with everything fetched.

    Args:
        config: The experiment.
        feeds: The features and labels that the step was fed.
        variables: The values of all variables before the step.
        name: What the step is called.
        rows: (examples,) integers, each example's row in its source.
        is_training: Whether layers behaved as in training.
        otherwise: What is said if everything in the step itself is finite.
    """
    probe = probe_step(config, feeds, variables, is_training=is_training)
    fault = locate_fault(probe, rows)
    where = str(fault) if fault else otherwise or "it was finite when it was run again."
    saved = {name: array for name, array in feeds.items() if isinstance(array, np.ndarray)}
    saved |= {key: value for key, value in variables.items() if not key.startswith(f"{OPTIMIZER}.")}
    result = FaultResult(
        name=name,
        message=f"{name.replace('_', ' ')}: {where}",
        statistics=tuple(summarize_probe(probe)),
        arrays=saved,
        is_training=is_training,
    )
    return NotFiniteError(result)
