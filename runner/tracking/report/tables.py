"""Lays out the tables of a run's page: layers, confusions, balance, configuration."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.shapes import format_shape
from runner.changes import flatten_tree, format_value
from runner.resolved import FILE as RESOLVED_FILE
from runner.results import OTHER_LAYER, ClassifyResult, FaultResult, LabelBalance, LayerTime
from runner.tracking.confusion import choose_classes, count_confusions
from runner.tracking.report.record import Record

MOST_CLASSES = 20
_MOST_LAYERS = 400
_MOST_BARS = 40
_MOST_STATISTICS = 60
_MOST_CHARACTERS = 400
_MOST_VALUES = 12


@dataclass(frozen=True)
class LayerRow:
    """A call of a layer; what is not known of it is None.

    Attributes:
        name: The call.
        type: Its class in Keras.
        shape: Of its outputs, in words.
        parameters: Number of weights.
        flops: Floating-point operations a batch, forward.
        unknown: How many operations there are of a cost that is not known.
        time: How long it computed in the traced step.
    """

    name: str
    type: str = ""
    shape: str = ""
    parameters: int | None = None
    flops: int | None = None
    unknown: int = 0
    time: LayerTime | None = None


@dataclass(frozen=True)
class Confusions:
    """A confusion matrix, or the part of it that has the most mistakes.

    Attributes:
        names: The classes.
        counts: (classes, classes) how often each, a row, was taken for which.
        shares: (classes, classes) of the row, 0 to 1.
        recall: (classes,) the share of each that is found; NaN where there is none.
        precision: (classes,) the share of each prediction that is right; NaN where there is none.
        classes: How many there are in all.
    """

    names: Sequence[str]
    counts: np.ndarray
    shares: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    classes: int


@dataclass(frozen=True)
class BalanceRow:
    """A class, or a range of values of a number.

    Attributes:
        name: What it is called.
        counts: By split, how many examples there are.
        shares: By split, the share of its examples, 0 to 1.
        widths: By split, that of the largest share.
    """

    name: str
    counts: Mapping[str, int]
    shares: Mapping[str, float]
    widths: Mapping[str, float]


@dataclass(frozen=True)
class Setting:
    """A value of the configuration.

    Attributes:
        path: Its place.
        value: As YAML writes it; None where the default was taken away.
        default: Likewise what the defaults have; None where they have nothing.
        is_changed: Whether both differ.
    """

    path: str
    value: str | None
    default: str | None
    is_changed: bool


def list_layers(record: Record) -> list[LayerRow]:
    """Returns the layers of a run's model in order, then what was traced of no layer."""
    times = {layer.name: layer for layer in record.traces[-1].layers} if record.traces else {}
    rows = list(_find_layers(record, times))[:_MOST_LAYERS]
    if rows and "" in times:
        rows.append(LayerRow(OTHER_LAYER, time=times[""]))
    return rows


def _find_layers(record: Record, times: Mapping[str, LayerTime]) -> Iterator[LayerRow]:
    if record.inspected is not None:
        for cost in record.inspected.layers:
            yield LayerRow(
                name=cost.name,
                type=cost.type,
                shape=_join_shapes(cost.output_shapes),
                parameters=cost.trained_parameters + cost.frozen_parameters,
                flops=cost.flops,
                unknown=sum(cost.unknown.values()),
            )
    elif record.layers is not None:
        for layer in record.layers.layers:
            yield LayerRow(
                name=layer.name,
                type=layer.type,
                shape=_join_shapes(layer.output_shapes),
                parameters=layer.parameters,
                flops=record.layers.flops.get(layer.name, 0) if record.layers.flops else None,
                unknown=record.layers.unknown.get(layer.name, 0),
                time=times.get(layer.name),
            )


def _join_shapes(shapes: Sequence[Sequence[int | None]]) -> str:
    return ", ".join(map(format_shape, shapes))


def count_classes(result: ClassifyResult) -> Confusions:
    """Returns the confusion matrix of up to 20 classes; of more, those in the most mistakes."""
    classes = choose_classes(result, MOST_CLASSES)
    counts = count_confusions(result.actual, result.predicted, classes)
    is_right = result.actual == result.predicted
    return Confusions(
        names=list(map(result.name_class, classes)),
        counts=counts,
        shares=counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
        recall=np.array([_share(is_right[result.actual == one]) for one in classes]),
        precision=np.array([_share(is_right[result.predicted == one]) for one in classes]),
        classes=result.classes,
    )


def _share(is_right: np.ndarray) -> float:
    return float(is_right.mean()) if is_right.size else float("nan")


def list_balance(balance: LabelBalance) -> list[BalanceRow]:
    """Returns the classes, or ranges of values, of a label; of many the most frequent."""
    totals = {split: max(int(counts.sum()), 1) for split, counts in balance.counts.items()}
    shares = {split: counts / totals[split] for split, counts in balance.counts.items()}
    largest = max((float(one.max(initial=0)) for one in shares.values()), default=0) or 1
    if balance.classes:
        names: Sequence[str] = balance.classes
    else:
        edges = [f"{edge:.4g}" for edge in balance.edges]
        names = [f"{low} to {high}" for low, high in pairwise(edges)]
    order = np.arange(len(names))
    if balance.classes and len(names) > _MOST_BARS:
        order = np.argsort(-next(iter(shares.values())), kind="stable")[:_MOST_BARS]
    return [
        BalanceRow(
            name=names[index],
            counts={split: int(counts[index]) for split, counts in balance.counts.items()},
            shares={split: float(values[index]) for split, values in shares.items()},
            widths={split: float(values[index]) / largest for split, values in shares.items()},
        )
        for index in order.tolist()
    ]


def list_settings(record: Record) -> dict[str, list[Setting]]:
    """Returns the whole configuration by its first key; what has none stands under ``run``."""
    values = _read_configuration(record)
    changes = record.started.changes
    groups: dict[str, list[Setting]] = {}
    removed = [path for path in changes if path not in values and not _is_laid_out(path, values)]
    for path in (*values, *removed):
        is_changed = path in changes
        setting = Setting(path, values.get(path), changes.get(path), is_changed)
        group = path.partition(".")[0] if "." in path else "run"
        groups.setdefault(group, []).append(setting)
    return groups


def _is_laid_out(path: str, values: Mapping[str, str]) -> bool:
    """Returns whether a value was given where there is a mapping now, or the other way round."""
    return any(one.startswith(f"{path}.") or path.startswith(f"{one}.") for one in values)


def _read_configuration(record: Record) -> dict[str, str]:
    file = record.started.output_dir / RESOLVED_FILE
    if not record.started.params or not Path(file).exists():
        return dict(record.started.params)
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    return {
        path: _cut(format_value(value))
        for path, value in flatten_tree(tree).items()
        if not _is_unset(path, value)
    }


def _is_unset(path: str, value: Any) -> bool:
    """Returns whether it is one of the Session's many options that keep TensorFlow's default."""
    return path.startswith("session.") and (value is None or value in ([], {}))


def list_faults(fault: FaultResult) -> list[Mapping[str, str | int | float]]:
    """Returns the first value in a step that is not finite, and what was made around it.

    None where what is not finite was only about to be made, as by the optimizer.
    """
    broken = [
        index
        for index, row in enumerate(fault.statistics)
        if row.get("nan", 0) or row.get("infinite", 0)
    ]
    if not broken:
        return []
    start = max(0, broken[0] - _MOST_STATISTICS // 4)
    return list(fault.statistics[start : start + _MOST_STATISTICS])


def list_short_features(features: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Returns the features that can be read in a cell by name: a text for each example."""
    return {
        name: [_cut(" ".join(map(_format_cell, np.ravel(value)))) for value in values]
        for name, values in features.items()
        if values.dtype.kind in "biufUSO" and values[:1].size <= _MOST_VALUES
    }


def _format_cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
