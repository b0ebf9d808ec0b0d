"""Opens the Session and calls steps in it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from models.problems import ConfigError, Problem
from runner.config import SessionConfig, TraceConfig
from runner.engine.errors import explain_failure
from runner.engine.feeds import feed_tensors, feed_values
from runner.engine.fetches import fetch_tensors, fetch_value
from runner.engine.graph import ExperimentGraph
from runner.engine.protos import build_config_proto
from runner.engine.steps import Step
from runner.engine.trace import read_trace
from runner.engine.variables import VariableValue, assign_variables, read_variables
from runner.feeds import FeedValue
from runner.results import TraceResult

# What Session.run is documented to raise.
_FAILURES = (tf.errors.OpError, RuntimeError, TypeError, ValueError)


class GraphSession:
    """An open Session on an experiment's graph, its variables initialized."""

    def __init__(self, graph: ExperimentGraph, config: SessionConfig) -> None:
        """Opens a Session on `graph` with the devices and threads of `config`.

        Raises:
            ConfigError: If the configured device is not there.
        """
        self._graph = graph
        self._config = config
        self._places = {call.name: call.path for call in graph.model.calls}
        self._session = tf.compat.v1.Session(graph=graph.graph, config=build_config_proto(config))
        self.devices = list_devices(self._session)
        try:
            require_device(config.device, self.devices)
            self._session.run(graph.initialize)
        except BaseException:
            self.close()
            raise

    @property
    def threads(self) -> int:
        """How many threads may run within an operation; 0 is one a core."""
        return self._config.intra_op_parallelism_threads or 0

    def close(self) -> None:
        """Frees the devices and the variables; what was made of it cannot be called any more."""
        self._session.close()

    def callable(self, step: Step) -> "StepCallable":
        """Returns `step` as a function of arrays; make it once, call it many times."""
        return StepCallable(self._session, step, self._places)

    def read(self, tensors: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
        """Returns the values of tensors that depend on no feed, such as variables."""
        values: dict[str, np.ndarray] = self._session.run(dict(tensors))
        return values

    def save(self) -> list[VariableValue]:
        """Returns the value of every variable of a run."""
        return list(read_variables(self._session, self._graph.state))

    def load(self, values: Iterable[VariableValue]) -> None:
        """Gives variables values, such as those that were saved, also of another Session."""
        assign_variables(self._session, ((variable, value.copy()) for variable, value in values))

    def hold(self, values: Iterable[VariableValue]) -> None:
        """Gives values to variables that no step changes; their memory is shared if aligned."""
        assign_variables(self._session, values)

    def freeze(self, operations: list[str]) -> Any:
        """Returns the definition of what `operations` need, its variables made constants."""
        definition: Any = tf.compat.v1.graph_util.convert_variables_to_constants(
            self._session, self._graph.graph.as_graph_def(), operations
        )
        return definition

    def fork(self, threads: int) -> "GraphSession":
        """Returns another Session on the same graph with variables of its own, to be closed.

        Its threads are its own: oneDNN keeps, by thread, kernels that were made for the number of
        threads at the time, and others would round otherwise.

        Args:
            threads: How many may run within one of its operations.
        """
        config = replace(
            self._config, intra_op_parallelism_threads=threads, use_per_session_threads=True
        )
        return GraphSession(self._graph, config)

    def adopt(self, other: "GraphSession") -> None:
        """Closes its Session and goes on with that of a fork; make callables anew."""
        self.close()
        self._session, self._config = other._session, other._config


class StepCallable:
    """A step, pruned and placed once, so that a call costs little more than its arithmetic.

    ``Session.run`` looks its fetches and feeds up anew at each call, 149 µs for a trivial graph;
    a callable made from options takes 24 µs.
    """

    def __init__(
        self, session: tf.compat.v1.Session, step: Step, places: Mapping[str, str]
    ) -> None:
        """Prepares `step` in `session`; `places` are those of the calls of layers."""
        self._session = session
        self._places = places
        self._step = step
        self._tensors = {name: fetch_tensors(fetch) for name, fetch in step.fetches.items()}
        # A dense tensor is fed and fetched as it is, which saves a call most of its own time.
        self._feeds_dense = all(isinstance(one, tf.Tensor) for one in step.feeds.values())
        self._fetches_dense = all(isinstance(one, tf.Tensor) for one in step.fetches.values())
        self._call = self._prepare(config_pb2.RunOptions())

    def __call__(self, arrays: Mapping[str, FeedValue]) -> dict[str, Any]:
        """Returns the step's fetches by name for one array a feed.

        They are as those of ``Session.run``: arrays, ``SparseValue``, None for an operation.

        Raises:
            StepError: If the Session fails; its own error is the cause.
        """
        return self._run(self._call, arrays)

    def trace(
        self, arrays: Mapping[str, FeedValue], name: str, config: TraceConfig
    ) -> tuple[dict[str, Any], TraceResult]:
        """Runs the step as a call does, and returns its fetches and what TensorFlow noted of it.

        Args:
            arrays: One array a feed.
            name: What is traced.
            config: What is noted.

        Raises:
            StepError: If the Session fails; its own error is the cause.
        """
        options = config_pb2.RunOptions(
            trace_level=config_pb2.RunOptions.TraceLevel.Value(config.level),
            output_partition_graphs=config.partition_graphs,
        )
        call = self._prepare(options)
        metadata = config_pb2.RunMetadata()
        values = self._run(partial(call, run_metadata=metadata), arrays)
        return values, read_trace(name, metadata, self._places, config.top)

    def _run(
        self, call: Callable[..., list[Any]], arrays: Mapping[str, FeedValue]
    ) -> dict[str, Any]:
        try:
            values = call(*self._values(arrays))
        except _FAILURES as error:
            raise explain_failure(error, self._step.name, self._places) from error
        if self._fetches_dense:
            return dict(zip(self._tensors, values, strict=True))
        remaining = iter(values)
        return {
            name: fetch_value(list(islice(remaining, len(tensors))))
            for name, tensors in self._tensors.items()
        }

    def _values(self, arrays: Mapping[str, FeedValue]) -> list[np.ndarray]:
        if self._feeds_dense:
            return [arrays[name] for name in self._step.feeds]  # type: ignore[misc]
        return [
            value
            for name, placeholder in self._step.feeds.items()
            for value in feed_values(placeholder, arrays[name])
        ]

    def _prepare(self, run_options: config_pb2.RunOptions) -> Callable[..., list[Any]]:
        options = config_pb2.CallableOptions()
        options.feed.extend(
            tensor.name
            for placeholder in self._step.feeds.values()
            for tensor in feed_tensors(placeholder)
        )
        for fetch, tensors in zip(self._step.fetches.values(), self._tensors.values(), strict=True):
            options.fetch.extend(tensor.name for tensor in tensors)
            if isinstance(fetch, tf.Operation):
                options.target.append(fetch.name)
        options.run_options.CopyFrom(run_options)
        try:
            made: Callable[..., list[Any]] = self._session._make_callable_from_options(options)
        except _FAILURES as error:
            raise explain_failure(error, self._step.name, self._places) from error
        return made


@contextmanager
def open_session(graph: ExperimentGraph, config: SessionConfig) -> Iterator[GraphSession]:
    """Yields a Session on `graph` with the configured devices, its variables initialized.

    Raises:
        ConfigError: If the configured device is not there.
    """
    # Not `with Session(...)`: that would make the finalized graph the default one in the block.
    with closing(GraphSession(graph, config)) as opened:
        opened.load(graph.assignments)
        yield opened


def list_devices(session: tf.compat.v1.Session) -> tuple[str, ...]:
    """Returns the devices of a Session, such as ``/CPU:0``."""
    return tuple(
        f"/{device.device_type}:{tf.DeviceSpec.from_string(device.name).device_index}"
        for device in session.list_devices()
    )


def require_device(device: str | None, found: tuple[str, ...]) -> None:
    """Checks that the configured device is among those found.

    Raises:
        ConfigError: If it is not there.
    """
    if device is None:
        return
    wanted = tf.DeviceSpec.from_string(device.upper().replace("/DEVICE:", "/"))
    index = wanted.device_index or 0
    if f"/{wanted.device_type}:{index}" in found:
        return
    message = (
        f"no device {device!r} is visible; found {list(found)}. "
        "Use session=cpu or check CUDA_VISIBLE_DEVICES."
    )
    raise ConfigError([Problem("session.device", message)])
