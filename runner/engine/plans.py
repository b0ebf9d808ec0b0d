"""The ways to put training steps to a Session, which give the same losses and weights.

- ``step``: one call of the Session a step, to which its batch is fed.
- ``pipeline``: one call a step; while it runs, tf.data gathers the next batch from the examples,
  which the graph holds. The batch is the default of the step's placeholders, so it can still be
  fed.
- ``loop``: many steps a call, in a loop of the graph, which holds the examples and is fed the rows
  to take.

Each can be compiled by XLA, for whole batches; a smaller last batch is a plain step. Examples that
are not in memory are fed, by ``step``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from runner.engine.feeders import Arrays, Feeder
from runner.engine.feeds import Placeholder
from runner.engine.generators import find_other_draws
from runner.engine.gradients import forget_gradients
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.engine.steps import Step, TrainingSteps
from runner.plan_choice import PlanChoice

# More of them are fed batch by batch, since a device may have no room for all.
MOST_HELD_BYTES = 2**31
_MOST_STEPS_PER_CALL = 1024
_ROWS = "rows"
_COUNT = "count"
_WAITED = "waited"


class PlanError(Exception):
    """A plan cannot run these steps; the message says why."""


class Plan(Protocol):
    """Takes training steps in a Session."""

    def take(self, rows: np.ndarray, start: int, end: int) -> dict[str, np.ndarray]:
        """Takes a step on each batch from `start` to `end` of `rows`, in order.

        Args:
            rows: (taken,) integers into the examples, as far as it is known what is to come.
            start: Where the first batch begins in it.
            end: Where the last one ends, which may be smaller.

        Returns:
            (steps,) of each fetch of the step, by name.

        Raises:
            ConfigError: If an example cannot be read.
            StepError: If a step fails in the Session.
        """


class TrainingPlans:
    """The plans of one training run; each is traced into the graph when it is first asked for."""

    def __init__(
        self,
        graph: ExperimentGraph,
        steps: TrainingSteps,
        feeder: Feeder,
        batch_size: int,
        device: str | None,
    ) -> None:
        """Traces nothing yet.

        Args:
            graph: The experiment's graph.
            steps: Its steps.
            feeder: The examples, with a value for each feed of a step, in its dtype.
            batch_size: Examples a step.
            device: Where the steps run; None where TensorFlow likes.
        """
        self.batch_size = batch_size
        self.steps = steps
        self.feeder = feeder
        self.count = len(feeder)
        self.most_steps = min(self.count // batch_size, _MOST_STEPS_PER_CALL)
        self._graph = graph.graph
        self._device = device
        self._traced: dict[tuple[str, bool], Step] = {}

    def open(self, choice: PlanChoice, session: GraphSession) -> Plan:
        """Returns the chosen plan in a Session, which has the threads that it names.

        Raises:
            PlanError: If it cannot run these steps.
            StepError: If the Session refuses it.
        """
        whole = self.trace(choice.name, choice.jit_compile)
        if choice.name == "step":
            return _StepPlan(self, session, whole)
        session.hold(self.held.items())
        if choice.name == "pipeline":
            return _PipelinePlan(self, session, whole, self.pipeline.initializer)
        return _LoopPlan(self, session, whole)

    @property
    def examples(self) -> Arrays:
        """The examples by the name of each feed.

        Raises:
            PlanError: If they are not in memory.
        """
        if self.feeder.arrays is None:
            raise PlanError("the examples are read while the steps are taken")
        return {name: self.feeder.arrays[name] for name in self.steps.train.feeds}

    @cached_property
    def held(self) -> "_HeldExamples":
        """The examples as variables of the graph.

        Raises:
            PlanError: If a graph cannot hold them.
        """
        with self._extend():
            return _HeldExamples(self.examples, self.steps.train.feeds)

    @cached_property
    def pipeline(self) -> "_Pipeline":
        """The batches of the examples that the graph holds."""
        held = self.held
        with self._extend():
            return _Pipeline(held, self.batch_size)

    def trace(self, name: str, jit_compile: bool) -> Step:
        """Returns the step of a plan, traced into the graph once.

        Raises:
            PlanError: If it cannot run these steps.
        """
        key = (name, jit_compile)
        if key not in self._traced:
            trace = {"step": self._trace_step, "pipeline": self._trace_pipeline}
            self._traced[key] = trace.get(name, self._trace_loop)(jit_compile)
        return self._traced[key]

    def _trace_step(self, jit_compile: bool) -> Step:
        train = self.steps.train
        if not jit_compile:
            return train
        with self._extend():
            return Step(train.name, train.feeds, self._compiled(train.feeds))

    def _trace_pipeline(self, jit_compile: bool) -> Step:
        batch = self.pipeline.batch
        with self._extend():
            feeds = {
                name: tf.compat.v1.placeholder_with_default(batch[name], placeholder.shape)
                for name, placeholder in self.steps.train.feeds.items()
            }
            call = self._compiled if jit_compile else partial(self._call, self.steps.function)
            return Step(self.steps.train.name, feeds, call(feeds))

    def _trace_loop(self, jit_compile: bool) -> Step:
        if self.most_steps == 0:
            raise PlanError(f"there are fewer than {self.batch_size} examples, a whole batch")
        held = self.held
        size, most = self.batch_size, self.most_steps
        function = self._function_for_xla() if jit_compile else self.steps.function
        shapes = function.structured_outputs
        names = list(shapes)

        def take(rows: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
            def body(step: tf.Tensor, *gathered: tf.TensorArray) -> tuple[Any, ...]:
                taken = tf.reshape(tf.slice(rows, [step * size], [size]), [size])
                outputs = self._call(function, held.gather(taken))
                written = (
                    array.write(step, outputs[name])
                    for name, array in zip(names, gathered, strict=True)
                )
                return step + 1, *written

            empty = [tf.TensorArray(shapes[name].dtype, most) for name in names]
            _, *gathered = tf.while_loop(
                lambda step, *_: step < count,
                body,
                (tf.constant(0), *empty),
                parallel_iterations=1,
                maximum_iterations=most,
            )
            return {name: array.stack() for name, array in zip(names, gathered, strict=True)}

        with self._extend():
            feeds = {
                _ROWS: tf.compat.v1.placeholder(tf.int32, [most * size], name=_ROWS),
                _COUNT: tf.compat.v1.placeholder(tf.int32, [], name=_COUNT),
            }
            call = tf.function(take, autograph=False, jit_compile=jit_compile or None)
            return Step(self.steps.train.name, feeds, call(feeds[_ROWS], feeds[_COUNT]))

    def _call(self, function: Any, feeds: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Returns the fetches of a step on other tensors."""
        features = {name: feeds[name] for name in self.steps.features}
        labels = {name: feeds[name] for name in self.steps.labels}
        fetches: dict[str, tf.Tensor] = function(features, labels)
        return fetches

    def _compiled(self, feeds: Mapping[str, Any]) -> dict[str, tf.Tensor]:
        """Returns the fetches of a step that XLA compiles."""
        function = self._function_for_xla()
        compiled = tf.function(
            lambda given: self._call(function, given), autograph=False, jit_compile=True
        )
        fetches: dict[str, tf.Tensor] = compiled(dict(feeds))
        return fetches

    def _function_for_xla(self) -> Any:
        function = self.steps.trace_for_xla()
        others = find_other_draws(function.graph.get_operations())
        if others:
            raise PlanError(f"XLA draws other random numbers by {', '.join(others)}")
        return function

    @contextmanager
    def _extend(self) -> Iterator[None]:
        """Lets the block add to the graph, which is final otherwise."""
        self._graph._unsafe_unfinalize()
        try:
            with (
                forget_gradients(),
                self._graph.as_default(),
                tf.device(self._device),
                tf.name_scope("plan"),
            ):
                yield
        finally:
            self._graph.finalize()


class _HeldExamples:
    """Examples as variables, which every step gathers its batch from."""

    def __init__(self, examples: Arrays, feeds: Mapping[str, Placeholder]) -> None:
        """Makes the variables in the current graph."""
        for name, placeholder in feeds.items():
            if isinstance(placeholder, tf.SparseTensor):
                raise PlanError(f"model.inputs.{name} is sparse, which a graph cannot gather from")
        size = sum(array.nbytes for array in examples.values())
        if size > MOST_HELD_BYTES:
            most = f"{MOST_HELD_BYTES / 2**30:.3g}"
            raise PlanError(
                f"the examples take {size / 2**30:.3g} GiB; a graph holds up to {most} GiB"
            )
        self._examples = examples
        self._variables = {
            name: tf.Variable(
                tf.compat.v1.placeholder(placeholder.dtype, examples[name].shape),
                trainable=False,
                name=name,
            )
            for name, placeholder in feeds.items()
        }

    def items(self) -> list[tuple[tf.Variable, np.ndarray]]:
        """Returns each variable with its value."""
        return [(variable, self._examples[name]) for name, variable in self._variables.items()]

    def gather(self, rows: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the examples in `rows`, (rows,), by name."""
        return {name: tf.gather(variable, rows) for name, variable in self._variables.items()}


class _Pipeline:
    """A tf.data iterator over batches of rows."""

    def __init__(self, held: _HeldExamples, batch_size: int) -> None:
        """Makes the iterator in the current graph."""
        self.rows = tf.compat.v1.placeholder(tf.int32, [None], name=_ROWS)
        batches = tf.data.Dataset.from_tensor_slices(self.rows).batch(batch_size)
        dataset = batches.map(held.gather, num_parallel_calls=1).prefetch(2)
        iterator = tf.compat.v1.data.make_initializable_iterator(dataset)
        began = tf.timestamp()
        with tf.control_dependencies([began]):
            self.batch: dict[str, tf.Tensor] = iterator.get_next()
        with tf.control_dependencies(list(self.batch.values())):
            self.waited = tf.timestamp() - began
        self.initializer = Step("open_pipeline", {_ROWS: self.rows}, {"done": iterator.initializer})


class _StepPlan:
    """A call a step, to which its batch is fed."""

    def __init__(self, plans: TrainingPlans, session: GraphSession, whole: Step) -> None:
        self._feeder = plans.feeder
        self._batch_size = plans.batch_size
        self._names = list(whole.feeds)
        self._whole = session.callable(whole)
        is_plain = whole is plans.steps.train
        self._remainder = self._whole if is_plain else session.callable(plans.steps.train)

    def take(self, rows: np.ndarray, start: int, end: int) -> dict[str, np.ndarray]:
        """Takes a step on each batch from `start` to `end` of `rows`."""
        size, first = self._batch_size, self._names[0]
        fetched = []
        for batch in self._feeder.iterate(rows, start, end, size):
            call = self._whole if len(batch[first]) == size else self._remainder
            fetched.append(call(batch))
        return _stack(fetched)


class _PipelinePlan:
    """A call a step, whose batch waits in the graph."""

    def __init__(
        self, plans: TrainingPlans, session: GraphSession, whole: Step, open_pipeline: Step
    ) -> None:
        self._batch_size = plans.batch_size
        self._feeder = plans.feeder
        self._open = session.callable(open_pipeline)
        fetches = {**whole.fetches, _WAITED: plans.pipeline.waited}
        self._whole = session.callable(replace(whole, feeds={}, fetches=fetches))
        self._plain = _StepPlan(plans, session, plans.steps.train)

    def take(self, rows: np.ndarray, start: int, end: int) -> dict[str, np.ndarray]:
        """Takes a step on each batch from `start` to `end` of `rows`."""
        count = (end - start) // self._batch_size
        middle = start + count * self._batch_size
        parts = []
        if count:
            self._open({_ROWS: rows[start:middle].astype(np.int32)})
            values = _stack([self._whole({}) for _ in range(count)])
            self._feeder.waited_seconds += float(values.pop(_WAITED).sum())
            parts.append(values)
        if middle < end:
            parts.append(self._plain.take(rows, middle, end))
        return _join(parts)


class _LoopPlan:
    """Many steps a call."""

    def __init__(self, plans: TrainingPlans, session: GraphSession, whole: Step) -> None:
        self._batch_size = plans.batch_size
        self._most_steps = plans.most_steps
        self._whole = session.callable(whole)
        self._plain = _StepPlan(plans, session, plans.steps.train)

    def take(self, rows: np.ndarray, start: int, end: int) -> dict[str, np.ndarray]:
        """Takes a step on each batch from `start` to `end` of `rows`."""
        size = self._batch_size
        middle = start + (end - start) // size * size
        most = self._most_steps * size
        parts = [
            self._loop(rows[first : min(first + most, middle)])
            for first in range(start, middle, most)
        ]
        if middle < end:
            parts.append(self._plain.take(rows, middle, end))
        return _join(parts)

    def _loop(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        count = len(rows) // self._batch_size
        padded = np.zeros(self._most_steps * self._batch_size, np.int32)
        padded[: len(rows)] = rows
        values = self._whole({_ROWS: padded, _COUNT: np.asarray(count, np.int32)})
        return {name: array[:count] for name, array in values.items()}


def _stack(fetched: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {name: np.stack([values[name] for values in fetched]) for name in fetched[0]}


def _join(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
