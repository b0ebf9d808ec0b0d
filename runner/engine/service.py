"""Answers batches of examples with a model's outputs, as fast as a Session can from Python.

The weights are made constants of the graph, so that nothing is looked up in a call, and each size
of batch goes by what was measured to be fastest for it: TensorFlow's kernels or XLA, in the
caller's thread or in the Session's.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from models.problems import ConfigError, Problem, did_you_mean, expected
from models.shapes import format_shape
from runner.config import ExperimentConfig, ForwardConfig, SessionConfig
from runner.engine.errors import StepError
from runner.engine.graph import ExperimentGraph, build_graph
from runner.engine.session import GraphSession
from runner.engine.steps import Step

Arrays = dict[str, np.ndarray]

# A larger model stays in variables, since a graph of constants is copied when it is prepared.
_MOST_CONSTANT_BYTES = 2**28
_MEASURED_SECONDS = 0.03
_ROUNDS = 3
_TOLERANCE = 1e-4
_FORWARD = ForwardConfig(name="forward", examples=1, training=False, mask=None)


@dataclass(frozen=True)
class ServicePlan:
    """How calls of one size of batch are answered.

    Attributes:
        is_constant: Whether the weights are constants of the graph.
        jit_compile: Whether XLA compiled it, for this size alone.
        in_caller: Whether all runs in the caller's thread.
    """

    is_constant: bool
    jit_compile: bool
    in_caller: bool

    def __str__(self) -> str:
        """Returns it as in ``constants, XLA, caller's thread``."""
        return ", ".join(
            filter(
                None,
                [
                    "constants" if self.is_constant else "variables",
                    "XLA" if self.jit_compile else "",
                    "caller's thread" if self.in_caller else "",
                ],
            )
        )


class ForwardService:
    """A model that answers arrays with arrays.

    It can be called from several threads at once. Close it, or use it as a context manager.

        with ForwardService(config, weights) as service:
            outputs = service(image=images)["outputs"]
    """

    def __init__(
        self, config: ExperimentConfig, weights: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """Builds the model and opens its Session.

        Args:
            config: An experiment in which ``validate`` found nothing; its ``fetches`` are what a
                call returns.
            weights: The values of weights by name, such as ``conv1.kernel``; others are initialized
                from the seed.

        Raises:
            ConfigError: If the model, a fetch, a weight or the Session is refused.
        """
        if not isinstance(config.task, ForwardConfig):
            config = replace(config, task=_FORWARD)
        self._config = config
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._is_closed = False
        self._graph = build_graph(replace(config, feeds={}), dict(weights or {}))
        self._session = self._stack.enter_context(
            closing(GraphSession(self._graph, config.session))
        )
        self._session.load(self._graph.assignments)
        self._step = self._graph.predict
        self._plain = self._session.callable(self._step)
        self._wanted = {
            name: (tuple(placeholder.shape[1:]), np.dtype(placeholder.dtype.as_numpy_dtype))
            for name, placeholder in self._step.feeds.items()
        }
        self._calls: dict[int, Any] = {}
        self._plans: dict[int, ServicePlan] = {}
        self._constants = _freeze(self._graph, self._session, config)

    @property
    def inputs(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """The shape, (batch, ...), and the dtype of each input by name."""
        return {
            name: (tuple(placeholder.shape), placeholder.dtype.name)
            for name, placeholder in self._step.feeds.items()
        }

    @property
    def outputs(self) -> list[str]:
        """The names of what a call returns."""
        return list(self._step.fetches)

    def __call__(
        self, features: Mapping[str, ArrayLike] | None = None, /, **named: ArrayLike
    ) -> Arrays:
        """Returns the configured fetches by name for a batch.

        Args:
            features: (batch, ...) arrays by the name of each input.
            named: The same, as arguments.

        Raises:
            ConfigError: If an input is missing, unknown, or of another shape or dtype.
            StepError: If the Session fails.
            RuntimeError: If the service is closed.
        """
        if self._is_closed:
            raise RuntimeError("the service is closed; open another.")
        given = named if features is None else {**features, **named}
        arrays, size = self._fit(given)
        call = self._calls.get(size)
        if call is None:
            call = self._plain if self._calls else self._choose(size)
        fetched: Arrays = call(arrays)
        return fetched

    def prepare(self, batch_size: int) -> ServicePlan:
        """Measures how batches of `batch_size` are answered fastest, and returns how.

        The first call does so for its own size; other sizes go by variables until they are
        prepared.

        Raises:
            ValueError: If `batch_size` is less than 1.
        """
        if batch_size < 1:
            raise ValueError(f"expected a batch size of 1 or more; received {batch_size}.")
        if self._is_closed:
            raise RuntimeError("the service is closed; open another.")
        self._choose(batch_size)
        return self._plans[batch_size]

    def close(self) -> None:
        """Frees the Sessions; calls are refused from then on."""
        with self._lock:
            self._is_closed = True
            self._stack.close()

    def __enter__(self) -> Self:
        """Returns the service."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the service."""
        self.close()

    def _fit(self, given: Mapping[str, ArrayLike]) -> tuple[Arrays, int]:
        """Returns the arrays in the dtypes of the inputs, and how many examples there are."""
        feeds = self._step.feeds
        if given.keys() != feeds.keys():
            raise ConfigError(list(_find_strangers(list(given), list(feeds))))
        arrays: Arrays = {}
        size = -1
        for name, (shape, dtype) in self._wanted.items():
            array = np.asarray(given[name])
            if array.dtype != dtype:
                array = _cast(name, array, dtype)
            if (array.shape[1:] != shape or not array.ndim) and not feeds[
                name
            ].shape.is_compatible_with(array.shape):
                what = f"values of shape {format_shape(feeds[name].shape)}"
                raise ConfigError([expected(f"inputs.{name}", what, array.shape)])
            if size not in (-1, len(array)):
                raise ConfigError([expected(f"inputs.{name}", f"{size} examples", len(array))])
            size = len(array)
            arrays[name] = array
        return arrays, size

    def _choose(self, size: int) -> Any:
        """Returns what answers batches of `size`, measured once."""
        with self._lock:
            if size not in self._calls:
                best = min(self._candidates(size), key=lambda candidate: candidate[0])
                _, self._plans[size], self._calls[size] = best
            return self._calls[size]

    def _candidates(self, size: int) -> Iterator[tuple[float, ServicePlan, Any]]:
        """Yields the seconds of a call, how it is answered, and the callable."""
        sample = {name: _draw(placeholder, size) for name, placeholder in self._step.feeds.items()}
        wanted = self._plain(sample)
        yield _seconds(self._plain, sample), ServicePlan(False, False, False), self._plain
        if self._constants is None:
            return
        for in_caller in (True, False):
            for jit_compile in (False, True):
                plan = ServicePlan(True, jit_compile, in_caller)
                try:
                    call = self._open(plan, size)
                    is_same = _agree(call(sample), wanted)
                except (StepError, *_REFUSED):
                    continue  # such as a string, which XLA knows nothing of
                if is_same:
                    yield _seconds(call, sample), plan, call

    def _open(self, plan: ServicePlan, size: int) -> Any:
        if self._constants is None:
            raise ValueError("the weights are variables")
        session = self._config.session
        if plan.in_caller:
            session = _low_latency(session)
        graph, step = _build_constant(
            self._constants, self._step, size if plan.jit_compile else None, session.device
        )
        opened = GraphSession(
            replace(self._graph, graph=graph, initialize=[], assignments=(), state=()), session
        )
        self._stack.enter_context(closing(opened))
        return opened.callable(step)


_REFUSED = (tf.errors.OpError, TypeError, ValueError)


def _freeze(graph: ExperimentGraph, session: GraphSession, config: ExperimentConfig) -> Any:
    """Returns the definition of the graph with constant weights; None where they stay variables."""
    step = graph.predict
    is_training = isinstance(config.task, ForwardConfig) and config.task.training
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in graph.state)
    is_dense = all(
        isinstance(tensor, tf.Tensor) for tensor in (*step.fetches.values(), *step.feeds.values())
    )
    has_tables = bool(graph.graph.get_collection(tf.compat.v1.GraphKeys.TABLE_INITIALIZERS))
    if is_training or not is_dense or has_tables or size > _MOST_CONSTANT_BYTES:
        return None
    try:
        return session.freeze([tensor.op.name for tensor in step.fetches.values()])
    except _REFUSED:
        return None


def _build_constant(
    definition: Any, step: Step, size: int | None, device: str | None
) -> tuple[tf.Graph, Step]:
    """Returns a graph of `definition`, compiled by XLA for batches of `size` where it is given."""
    graph = tf.Graph()
    fetched = [tensor.name for tensor in step.fetches.values()]
    with graph.as_default(), tf.device(device):
        feeds = {
            name: tf.compat.v1.placeholder(
                placeholder.dtype, [size, *placeholder.shape[1:]], name=placeholder.op.name
            )
            for name, placeholder in step.feeds.items()
        }

        def run(given: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
            replaced = {step.feeds[name].name: tensor for name, tensor in given.items()}
            outputs: list[tf.Tensor] = tf.graph_util.import_graph_def(
                definition, replaced, fetched, name=""
            )
            return outputs

        outputs = (
            run(feeds)
            if size is None
            else tf.function(run, autograph=False, jit_compile=True)(feeds)
        )
    graph.finalize()
    return graph, Step(step.name, feeds, dict(zip(step.fetches, outputs, strict=True)))


def _agree(given: Arrays, wanted: Arrays) -> bool:
    """Returns whether two ways give the same up to rounding."""
    return all(
        np.allclose(given[name], array, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
        if array.dtype.kind == "f"
        else np.array_equal(given[name], array)
        for name, array in wanted.items()
    )


def _draw(placeholder: tf.Tensor, size: int) -> np.ndarray:
    """Returns a batch that a model may take: numbers in [0, 1), or ones."""
    if not isinstance(placeholder, tf.Tensor):
        raise ConfigError([Problem("model.inputs", "a service takes no sparse input.")])
    shape = [size, *(axis or 1 for axis in placeholder.shape[1:])]
    dtype = placeholder.dtype.as_numpy_dtype
    if placeholder.dtype == tf.string:
        return np.full(shape, "a", object)
    if placeholder.dtype.is_floating:
        return np.random.default_rng(0).random(shape).astype(dtype)
    return np.ones(shape, dtype)


def _seconds(call: Any, sample: Arrays) -> float:
    """Returns the least time of a call."""
    call(sample)
    start = time.perf_counter()
    call(sample)
    once = time.perf_counter() - start
    count = max(1, int(_MEASURED_SECONDS / _ROUNDS / max(once, 1e-6)))
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            call(sample)
        times.append((time.perf_counter() - start) / count)
    return min(times)


def _find_strangers(given: list[str], known: list[str]) -> Iterator[Problem]:
    for name in given:
        if name not in known:
            yield expected(
                f"inputs.{name}", "an input of the model", name, did_you_mean(name, known)
            )
    for name in known:
        if name not in given:
            yield Problem(
                f"inputs.{name}", f"no value is given; the inputs are {', '.join(known)}."
            )


def _cast(name: str, array: np.ndarray, wanted: np.dtype[Any]) -> np.ndarray:
    is_extension = wanted.kind == "V" and array.dtype.kind in "fiub"  # such as bfloat16
    if is_extension or np.can_cast(array.dtype, wanted, "same_kind"):
        return array.astype(wanted)
    raise ConfigError([expected(f"inputs.{name}", f"values that {wanted} holds", str(array.dtype))])


def _low_latency(config: SessionConfig) -> SessionConfig:
    """Returns `config` with all work in the caller's thread."""
    return replace(config, intra_op_parallelism_threads=1, inter_op_parallelism_threads=-1)
