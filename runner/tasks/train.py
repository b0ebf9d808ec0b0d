"""Trains, evaluates on held-out data, and fetches outputs for held-out examples."""

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace

import numpy as np

from models.objectives import BATCH_LOSS
from runner.config import ExperimentConfig, TraceConfig, TrainConfig
from runner.data.examples import Dataset, Examples, iterate_batches, order_epoch
from runner.engine.graph import ExperimentGraph
from runner.engine.planning import choose_plan
from runner.engine.plans import Plan, TrainingPlans
from runner.engine.session import GraphSession
from runner.engine.steps import TrainingSteps
from runner.results import Metrics, Result, SplitResult, Started, StepsResult, WeightsResult
from runner.tasks.classify import classify_examples
from runner.tasks.forward import fetch_examples
from runner.tasks.watch import Watch

# How long a call may take: the console, the log and an interrupt wait for it to end.
_CALL_SECONDS = 0.2


def train(
    config: ExperimentConfig,
    task: TrainConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    dataset: Dataset,
) -> Iterator[Result]:
    """Yields the steps, each epoch's and the test's metrics, fetches, and test examples classified.

    Args:
        config: The whole experiment.
        task: Its task.
        graph: The experiment's graph, with training steps.
        session: An open Session on it.
        dataset: The splits, fitted to the placeholders.

    Raises:
        ConfigError: If the configured plan cannot run.
        NotFiniteError: If a value is not finite and ``debug.check_finite`` is true.
    """
    if graph.training is None:
        raise ValueError("the graph was built for a task that does not train")
    schedule = _Schedule(config, task, len(dataset.train))
    examples = {**dataset.train.features, **dataset.train.labels}
    plans = TrainingPlans(
        graph, graph.training, examples, config.data.batch_size, config.session.device
    )
    plan, chosen = choose_plan(config, session, plans, schedule.last_step)
    yield replace(chosen, notes=tuple(schedule.describe()))
    watch = None
    if config.debug.check_finite:
        watch = Watch(config, graph, session, graph.training)
    trainer = _Trainer(session, graph.training, config, plan, schedule, dataset.train, watch)
    yield from trainer.fit(dataset, task.epochs)
    yield from trainer.evaluate("test", dataset.test, task.epochs)
    yield WeightsResult(session.read(graph.weights))
    shown = dataset.test.take(slice(task.examples))
    yield from fetch_examples(config, graph, session, shown, split="test")
    yield from classify_examples(config, graph, session, dataset.test, split="test")


class _Schedule:
    """Which steps are taken in one call."""

    def __init__(self, config: ExperimentConfig, task: TrainConfig, examples: int) -> None:
        size = config.data.batch_size
        drop = config.data.drop_remainder
        self.steps_per_epoch = examples // size if drop else -(-examples // size)
        self.rows_per_epoch = min(self.steps_per_epoch * size, examples)
        self.last_step = task.epochs * self.steps_per_epoch
        self.traced = {min(step, self.last_step) for step in config.trace.steps or ()}
        self._most_steps = config.plan.steps_per_call
        self._step_seconds = _CALL_SECONDS

    def end_call(self, first_step: int, last_step: int) -> int:
        """Returns the last step of a call that begins with `first_step`, at most `last_step`."""
        if first_step in self.traced:
            return first_step
        last = min(last_step, first_step + max(1, int(_CALL_SECONDS / self._step_seconds)) - 1)
        if self._most_steps is not None:
            last = min(last, first_step + self._most_steps - 1)
        return min([last, *(step - 1 for step in self.traced if step > first_step)])

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


class _Trainer:
    """Takes steps and counts them."""

    def __init__(
        self,
        session: GraphSession,
        steps: TrainingSteps,
        config: ExperimentConfig,
        plan: Plan,
        schedule: _Schedule,
        examples: Examples,
        watch: Watch | None,
    ) -> None:
        self._plan = plan
        self._schedule = schedule
        self._train = session.callable(steps.train)
        self._evaluate = session.callable(steps.evaluate)
        self._reset = session.callable(steps.reset)
        self._batch_size = config.data.batch_size
        self._drop_remainder = config.data.drop_remainder
        self._seed = config.seed
        self._trace: TraceConfig = config.trace
        self._examples = examples
        self._watch = watch
        self._step = 0

    def fit(self, dataset: Dataset, epochs: int) -> Iterator[Result]:
        """Yields the results of `epochs` passes, validated after each where there is data to."""
        yield Started(
            epochs=epochs,
            steps_per_epoch=self._schedule.steps_per_epoch,
            examples={name: len(examples) for name, examples in vars(dataset).items()},
        )
        for epoch in range(1, epochs + 1):
            yield from self._fit_epoch(epoch)
            yield from self.evaluate("validation", dataset.validation, epoch)

    def evaluate(self, split: str, examples: Examples, epoch: int) -> Iterator[SplitResult]:
        """Yields the metrics over `examples`; nothing where there are none."""
        self._reset({})
        values: Mapping[str, float] = {}
        batches = iterate_batches(examples, self._batch_size, drop_remainder=self._drop_remainder)
        for batch in batches:
            values = self._evaluate({**batch.features, **batch.labels})
            if self._watch and not math.isfinite(values[BATCH_LOSS]):
                raise self._watch.find_in_evaluation(split, batch, self._examples, self._step)
        if values:
            metrics = {name: float(value) for name, value in values.items() if name != BATCH_LOSS}
            yield SplitResult(split, epoch, self._step, metrics)

    def _fit_epoch(self, epoch: int) -> Iterator[Result]:
        self._reset({})
        if self._watch:
            self._watch.open_epoch(epoch, self._step)
        before = self._step
        last = before + self._schedule.steps_per_epoch
        order = order_epoch(len(self._examples), self._seed, epoch)[: self._schedule.rows_per_epoch]
        running: Metrics = {}
        while self._step < last:
            first = self._step + 1
            end = self._schedule.end_call(first, last)
            size = self._batch_size
            rows = order[(first - 1 - before) * size : (end - before) * size]
            values = yield from self._take(first, rows)
            self._step = end
            losses = values.pop(BATCH_LOSS)
            if self._watch:
                self._watch.look(losses, self._examples, first)
            yield StepsResult(epoch, first, losses, values)
            running = {name: float(array[-1]) for name, array in values.items()}
        if self._watch:
            self._watch.look_at_weights(self._examples, self._step)
        yield SplitResult("train", epoch, self._step, running)

    def _take(self, first: int, rows: np.ndarray) -> Generator[Result, None, dict[str, np.ndarray]]:
        """Takes the steps of a call, yields its trace if asked, and returns what was fetched."""
        if first in self._schedule.traced:
            batch = self._examples.take(rows)
            arrays = {**batch.features, **batch.labels}
            fetched, trace = self._train.trace(arrays, f"train_step_{first}", self._trace)
            yield trace
            return {name: np.asarray([value]) for name, value in fetched.items()}
        start = time.perf_counter()
        values = self._plan.take(rows)
        self._schedule.note(len(values[BATCH_LOSS]), time.perf_counter() - start)
        return values
