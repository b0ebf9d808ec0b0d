"""Trains, evaluates on held-out data, and fetches outputs for held-out examples."""

import math
from collections.abc import Iterator

from models.objectives import BATCH_LOSS
from runner.config import ExperimentConfig, TrainConfig
from runner.data.examples import Dataset, Examples, count_batches, iterate_batches, shuffle_epoch
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.engine.steps import TrainingSteps
from runner.results import Metrics, Result, SplitResult, Started, StepResult
from runner.tasks.classify import classify_examples
from runner.tasks.forward import fetch_examples
from runner.tasks.watch import Watch


def train(
    config: ExperimentConfig,
    task: TrainConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    dataset: Dataset,
) -> Iterator[Result]:
    """Yields each step, each epoch's and the test's metrics, fetches, and test examples classified.

    Args:
        config: The whole experiment.
        task: Its task.
        graph: The experiment's graph, with training steps.
        session: An open Session on it.
        dataset: The splits, fitted to the placeholders.

    Raises:
        NotFiniteError: If a value is not finite and ``debug.check_finite`` is true.
    """
    if graph.training is None:
        raise ValueError("the graph was built for a task that does not train")
    watch = None
    if config.debug.check_finite:
        watch = Watch(config, graph, session, graph.training)
    trainer = _Trainer(session, graph.training, config, dataset.train, watch)
    yield from trainer.fit(dataset, task.epochs)
    yield from trainer.evaluate("test", dataset.test, task.epochs)
    shown = dataset.test.take(slice(task.examples))
    yield from fetch_examples(config, graph, session, shown, split="test")
    yield from classify_examples(config, graph, session, dataset.test, split="test")


class _Trainer:
    """Takes steps and counts them."""

    def __init__(
        self,
        session: GraphSession,
        steps: TrainingSteps,
        config: ExperimentConfig,
        examples: Examples,
        watch: Watch | None,
    ) -> None:
        self._train = session.callable(steps.train)
        self._evaluate = session.callable(steps.evaluate)
        self._reset = session.callable(steps.reset)
        self._batch_size = config.data.batch_size
        self._drop_remainder = config.data.drop_remainder
        self._seed = config.seed
        self._trace = config.trace
        self._traced: set[int] = set()
        self._examples = examples
        self._watch = watch
        self._step = 0

    def fit(self, dataset: Dataset, epochs: int) -> Iterator[Result]:
        """Yields the results of `epochs` passes, validated after each where there is data to."""
        steps_per_epoch = count_batches(
            dataset.train, self._batch_size, drop_remainder=self._drop_remainder
        )
        last = epochs * steps_per_epoch
        self._traced = {min(step, last) for step in self._trace.steps or ()}
        yield Started(
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            examples={name: len(examples) for name, examples in vars(dataset).items()},
        )
        for epoch in range(1, epochs + 1):
            yield from self._fit_epoch(epoch)
            yield from self.evaluate("validation", dataset.validation, epoch)

    def evaluate(self, split: str, examples: Examples, epoch: int) -> Iterator[SplitResult]:
        """Yields the metrics over `examples`; nothing where there are none."""
        self._reset({})
        values: dict[str, float] = {}
        for batch in self._batches(examples):
            values = self._evaluate({**batch.features, **batch.labels})
            if self._watch and not math.isfinite(values[BATCH_LOSS]):
                raise self._watch.find_in_evaluation(split, batch, self._examples, self._step)
        if values:
            yield SplitResult(
                split=split,
                epoch=epoch,
                step=self._step,
                metrics=_metrics(values),
            )

    def _batches(self, examples: Examples) -> Iterator[Examples]:
        return iterate_batches(examples, self._batch_size, drop_remainder=self._drop_remainder)

    def _fit_epoch(self, epoch: int) -> Iterator[Result]:
        self._reset({})
        if self._watch:
            self._watch.open_epoch(epoch, self._step)
        shuffled = shuffle_epoch(self._examples, self._seed, epoch)
        for batch in self._batches(shuffled):
            self._step += 1
            arrays = {**batch.features, **batch.labels}
            if self._step in self._traced:
                name = f"train_step_{self._step}"
                values, trace = self._train.trace(arrays, name, self._trace)
                yield trace
            else:
                values = self._train(arrays)
            if self._watch:
                self._watch.look(values[BATCH_LOSS], self._examples, self._step)
            running = _metrics(values)
            yield StepResult(epoch, self._step, float(values[BATCH_LOSS]), running)
        if self._watch:
            self._watch.look_at_weights(self._examples, self._step)
        yield SplitResult("train", epoch, self._step, running)


def _metrics(values: dict[str, float]) -> Metrics:
    return {name: float(value) for name, value in values.items() if name != BATCH_LOSS}
