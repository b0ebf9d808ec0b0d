"""Gives what a model says of each example of a source, batch by batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.classifiers import Classifier, read_classifiers
from models.problems import ConfigError, expected
from models.wiring import output_names
from runner.config import ExperimentConfig
from runner.data.examples import Batch, Examples
from runner.data.streams import iterate_batches
from runner.engine.faults import is_finite
from runner.engine.graph import ExperimentGraph
from runner.engine.session import GraphSession
from runner.fetches import flatten_fetches
from runner.results import PredictionsResult
from runner.tasks.classify import read_chances
from runner.tasks.watch import find_fault

ROW = "row"
ID = "id"

_NO_CLASS = -1
# The fetch of conf/config.yaml that is all outputs.
_OUTPUTS = "outputs"


@dataclass(frozen=True)
class _Column:
    """A fetch, and what is told of it.

    Attributes:
        fetch: Its name.
        name: What its column is called; "" for an output that is alone.
        classifier: How to read it as a class, None where it is none.
        class_names: What its classes are called; none where they have no names.
    """

    fetch: str
    name: str
    classifier: Classifier | None = None
    class_names: Sequence[str] = ()


def predict(
    config: ExperimentConfig, graph: ExperimentGraph, session: GraphSession, examples: Examples
) -> Iterator[PredictionsResult]:
    """Yields what is told of each example, in the order of `examples`.

    That is of an output that is a class the class, its probability and those of all; of another its
    values; and what further ``fetches`` fetch.

    Args:
        config: The whole experiment.
        graph: The experiment's graph.
        session: An open Session on it.
        examples: What to feed, fitted to the placeholders.

    Raises:
        ConfigError: If a fetch has no value for each example.
        NotFiniteError: If a value is not finite and ``debug.check_finite`` is true.
    """
    columns = _plan_columns(config)
    problems = [
        expected(f"fetches.{column.fetch}", "what has a value for each example", column.fetch)
        for column in columns
        if column.fetch not in graph.predict.batched
    ]
    if problems:
        raise ConfigError(problems)
    step = session.callable(graph.predict)
    size = _fixed_size(config)
    for batch in iterate_batches(examples, config.data.batch_size):
        feeds = batch.arrays
        fed = {name: _fill_up(feeds[name], size) for name in graph.predict.feeds}
        fetched = {name: value[: len(batch)] for name, value in step(fed).items()}
        if config.debug.check_finite and not all(map(is_finite, fetched.values())):
            raise find_fault(
                config,
                feeds,
                session.read(graph.variables),
                name="predict",
                rows=batch.rows,
                is_training=False,
            )
        yield _tell(columns, batch, fetched, len(examples))


def _plan_columns(config: ExperimentConfig) -> list[_Column]:
    given = dict(config.fetches)
    outputs: list[_Column] = []
    if given.get(_OUTPUTS) == config.model.outputs:
        outputs = _plan_outputs(config)
        del given[_OUTPUTS]
    return [*outputs, *(_Column(fetch, fetch) for fetch in flatten_fetches(given))]


def _plan_outputs(config: ExperimentConfig) -> list[_Column]:
    """Returns what is told of the model's outputs, each fetched under its own name."""
    labels = list(config.data.labels)
    found = read_classifiers(config.model, labels or [""])
    classifiers = {one.output: one for one in found}
    # Names are those of the first label; where no label is left, it is that of the first output.
    of_first = [one for one in found if one.label == labels[0]] if labels else found[:1]
    named = {one.output for one in of_first}
    outputs = output_names(config.model.outputs)
    return [
        _Column(
            fetch,
            output if len(outputs) > 1 else "",
            classifiers.get(output),
            (config.data.class_names or ()) if output in named else (),
        )
        for fetch, output in zip(
            flatten_fetches({_OUTPUTS: config.model.outputs}), outputs, strict=True
        )
    ]


def _fixed_size(config: ExperimentConfig) -> int | None:
    """Returns the only number of examples that the model takes; None for any."""
    sizes = [tensor.batch_size for tensor in config.model.inputs.values() if tensor.batch_size]
    return sizes[0] if sizes else None


def _fill_up(array: np.ndarray, size: int | None) -> np.ndarray:
    """Returns `array` with its last example repeated up to `size`."""
    if size is None or len(array) == size:
        return array
    return np.concatenate([array, np.repeat(array[-1:], size - len(array), axis=0)])


def _tell(
    columns: Sequence[_Column], batch: Batch, fetched: Mapping[str, Any], rows: int
) -> PredictionsResult:
    told: dict[str, np.ndarray] = {ROW: batch.rows}
    if batch.ids is not None:
        told[ID] = batch.ids
    parts: dict[str, tuple[str, ...]] = {}
    for column in columns:
        values = _readable(fetched[column.fetch])
        chances = None if column.classifier is None else read_chances(column.classifier, values)
        if chances is None:
            told[column.name or "output"] = values[:, 0] if values.shape[1:] == (1,) else values
            continue
        prefix = f"{column.name}." if column.name else ""
        named = dict(_tell_class(chances, column.class_names))
        told |= {f"{prefix}{name}": array for name, array in named.items()}
        classes = chances.shape[1]
        names = column.class_names if len(column.class_names) == classes else range(classes)
        parts[f"{prefix}probability"] = tuple(map(str, names))
    return PredictionsResult(rows, told, parts)


def _tell_class(chances: np.ndarray, names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the class of each example, what it is called, and the probabilities of all."""
    is_known = np.isfinite(chances).all(axis=1)
    predicted = np.where(is_known[:, np.newaxis], chances, 0.0).argmax(axis=1)
    yield "class", np.where(is_known, predicted, _NO_CLASS)
    if len(names) == chances.shape[1]:
        yield "class_name", np.where(is_known, np.asarray(names, object)[predicted], "")
    probability = chances.astype(np.float32)
    yield "confidence", np.take_along_axis(probability, predicted[:, np.newaxis], axis=1)[:, 0]
    yield "probability", probability


def _readable(values: np.ndarray) -> np.ndarray:
    """Returns `values` in a dtype that files hold: bfloat16 and bytes are none."""
    if values.dtype.kind == "V":
        return values.astype(np.float32)
    if values.dtype.kind == "O":
        decoded = [each.decode(errors="replace") for each in values.ravel()]
        return np.asarray(decoded, object).reshape(values.shape)
    return values
