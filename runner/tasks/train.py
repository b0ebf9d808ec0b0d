"""Trains, evaluates on held-out data, and fetches outputs for held-out examples."""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from models.objectives import BATCH_LOSS, LOSS
from runner.config import ExperimentConfig, TrainConfig
from runner.data.examples import Dataset, Examples
from runner.data.ordering import order_training
from runner.data.streams import StreamFeeder
from runner.engine.feeders import ArrayFeeder
from runner.engine.graph import ExperimentGraph
from runner.engine.planning import choose_plan
from runner.engine.plans import Plan, TrainingPlans
from runner.engine.session import GraphSession
from runner.engine.steps import TrainingSteps
from runner.example_weights import BALANCED
from runner.results import (
    CheckpointResult,
    LearningRateResult,
    Metrics,
    Result,
    SplitResult,
    Started,
    StepsResult,
    WaitResult,
    WeightsResult,
)
from runner.tasks.answers import answer_examples
from runner.tasks.evaluate import Meter
from runner.tasks.forward import fetch_examples
from runner.tasks.judge import judge_examples
from runner.tasks.plateau import Plateau
from runner.tasks.schedule import Schedule
from runner.tasks.stopping import Stopper
from runner.tasks.watch import Watch


def train(
    config: ExperimentConfig,
    task: TrainConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    dataset: Dataset,
) -> Iterator[Result]:
    """Yields the steps, each epoch's and the test's metrics, fetches, and test examples classified.

    Args:
        config: The whole experiment, its class weights in numbers.
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
    if config.data.class_weight == BALANCED:
        raise ValueError("the graph was built before class weights were balanced")

    def read_weights() -> dict[str, np.ndarray]:
        return session.read(graph.weights)

    stopper = Stopper(task.stop, config.model.metrics, read_weights)
    rate = _LearningRate(graph, session)
    plateau = Plateau(task.plateau, config.model.metrics, rate.read, rate.assign)
    one_by_one = stopper.looks_at_steps or plateau.looks_at_steps
    schedule = Schedule(config, task, len(dataset.train), one_by_one=one_by_one)
    feeder = open_feeder(dataset.train)
    plans = TrainingPlans(
        graph, graph.training, feeder, config.data.batch_size, config.session.device
    )
    plan, chosen = choose_plan(config, session, plans, schedule.last_step)
    yield replace(chosen, notes=tuple(schedule.describe()))
    trainer = _Trainer(
        config,
        task,
        graph,
        graph.training,
        session,
        plan,
        schedule,
        stopper,
        plateau,
        dataset,
        feeder,
    )
    yield from trainer.fit()
    yield from trainer.evaluate("test", dataset.test)
    yield WeightsResult(read_weights())
    shown = dataset.test.take(slice(task.examples))
    yield from fetch_examples(config, graph, session, shown, split="test")
    if config.tracking.model:
        yield from answer_examples(config, graph, session, dataset)
    yield from judge_examples(config, graph, session, dataset.test, split="test")


def open_feeder(examples: Examples) -> ArrayFeeder | StreamFeeder:
    """Returns what feeds `examples` to training steps."""
    if examples.lazy:
        return StreamFeeder(examples)
    return ArrayFeeder(examples.take(slice(None)).arrays)


class _LearningRate:
    """The learning rate of an optimizer in a Session."""

    def __init__(self, graph: ExperimentGraph, session: GraphSession) -> None:
        self._tensor = graph.learning_rate
        self._session = session

    def read(self) -> float:
        """Returns it as it is after the last step."""
        return float(self._session.read({"rate": self._tensor})["rate"])

    def assign(self, value: float) -> None:
        """Changes it from the next step on; not that of a schedule."""
        self._session.load([(self._tensor, np.asarray(value, np.float32))])


class _Trainer:
    """Takes steps and counts them."""

    def __init__(
        self,
        config: ExperimentConfig,
        task: TrainConfig,
        graph: ExperimentGraph,
        steps: TrainingSteps,
        session: GraphSession,
        plan: Plan,
        schedule: Schedule,
        stopper: Stopper,
        plateau: Plateau,
        dataset: Dataset,
        feeder: ArrayFeeder | StreamFeeder,
    ) -> None:
        self._config = config
        self._task = task
        self._graph = graph
        self._session = session
        self._plan = plan
        self._schedule = schedule
        self._stopper = stopper
        self._plateau = plateau
        self._train = session.callable(steps.train)
        self._meter = Meter(config, graph, session)
        self._reset = session.callable(steps.reset)
        self._finalize = None if steps.finalize is None else session.callable(steps.finalize)
        self._watch = Watch(config, graph, session, steps) if config.debug.check_finite else None
        self._dataset = dataset
        self._feeder = feeder
        self._epoch = 0
        self._step = 0
        self._seconds = 0.0
        self._waited_before = feeder.waited_seconds

    def fit(self) -> Iterator[Result]:
        """Yields the results of all epochs, or of those until training is stopped."""
        yield Started(
            epochs=self._task.epochs,
            steps_per_epoch=self._schedule.steps_per_epoch,
            examples={name: len(examples) for name, examples in vars(self._dataset).items()},
        )
        while self._epoch < self._task.epochs and not self._stopper.reason:
            self._epoch += 1
            yield from self._fit_epoch()
        yield from self._end()

    def evaluate(self, split: str, examples: Examples) -> Iterator[SplitResult]:
        """Yields the metrics over `examples`; nothing where there are none."""
        measured = self._meter.measure(examples)
        if self._watch and measured.broken is not None:
            trained = self._dataset.train
            raise self._watch.find_in_evaluation(split, measured.broken, trained, self._step)
        if measured.metrics:
            yield SplitResult(split, self._epoch, self._step, measured.metrics)

    def _fit_epoch(self) -> Iterator[Result]:
        self._reset({})
        examples = self._dataset.train
        if self._watch:
            self._watch.open_epoch(self._epoch, self._step)
        before = self._step
        last = before + self._schedule.steps_per_epoch
        order = order_training(self._config, examples, self._epoch)
        order = order.cut(self._schedule.rows_per_epoch)
        if isinstance(self._feeder, StreamFeeder):
            self._feeder.open(order)
        size = self._config.data.batch_size
        running: Metrics = {}
        while self._step < last and not self._stopper.reason:
            first = self._step + 1
            end = self._schedule.end_call(first, last)
            start = (first - 1 - before) * size
            stop = min((end - before) * size, len(order.rows))
            values = yield from self._take(first, order.rows, start, stop)
            self._step = end
            losses = values.pop(BATCH_LOSS)
            if self._watch:
                self._watch.look(losses, examples, first)
            yield StepsResult(self._epoch, first, losses, values)
            running = {name: float(array[-1]) for name, array in values.items()}
            self._stopper.look_at_clock(end)
            yield from self._look("step", {LOSS: float(losses[-1])})
            yield from self._do_due()
        if self._watch:
            self._watch.look_at_weights(examples, self._step)
        yield SplitResult("train", self._epoch, self._step, running)
        yield LearningRateResult(self._step, self._plateau.rate, is_reduced=False)
        yield from self._look("train", running)
        if self._task.every.validate is None:
            yield from self._validate()

    def _validate(self) -> Iterator[Result]:
        for result in self.evaluate("validation", self._dataset.validation):
            yield result
            yield from self._look("validation", result.metrics)

    def _look(self, split: str, metrics: Metrics) -> Iterator[Result]:
        """Looks at metrics to end training or to slow it down."""
        self._stopper.look(split, metrics, self._step)
        reduced = self._plateau.look(split, metrics)
        if reduced is not None:
            if self._watch:
                self._watch.note_rate(self._step, reduced)
            yield LearningRateResult(self._step, reduced, is_reduced=True)

    def _do_due(self) -> Iterator[Result]:
        """Yields what is to be done after the step that was taken last."""
        due = self._schedule.find_due(self._step)
        if "validate" in due:
            yield from self._validate()
        if "fetch" in due:
            split = "validation" if len(self._dataset.validation) else "test"
            shown = getattr(self._dataset, split).take(slice(self._task.examples))
            yield from fetch_examples(
                self._config, self._graph, self._session, shown, split=split, step=self._step
            )
        if "checkpoint" in due:
            yield CheckpointResult(self._step, self._session.read(self._graph.variables))

    def _end(self) -> Iterator[Result]:
        """Gives the weights their averages, or the values of the best look, if that is asked for.

        In the order of ``fit``: what EarlyStopping takes back was looked at, averages were not.
        """
        if self._finalize is not None:
            self._finalize({})
        best = self._stopper.best_weights
        if best is not None:
            self._session.load((self._graph.weights[name], value) for name, value in best.items())
        result = self._stopper.result(self._step)
        if result is not None:
            yield result
        yield WaitResult(self._feeder.waited_seconds - self._waited_before, self._seconds)

    def _take(
        self, first: int, rows: np.ndarray, start: int, end: int
    ) -> Generator[Result, None, dict[str, np.ndarray]]:
        """Takes the steps of a call, yields its trace if asked, and returns what was fetched."""
        if first in self._schedule.traced:
            began = time.perf_counter()
            (arrays,) = self._feeder.iterate(rows, start, end, end - start)
            fetched, trace = self._train.trace(arrays, f"train_step_{first}", self._config.trace)
            self._seconds += time.perf_counter() - began
            yield trace
            return {name: np.asarray([value]) for name, value in fetched.items()}
        began = time.perf_counter()
        values = self._plan.take(rows, start, end)
        seconds = time.perf_counter() - began
        self._seconds += seconds
        self._schedule.note(len(values[BATCH_LOSS]), seconds)
        return values
