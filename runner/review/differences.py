"""Finds in what two runs differ."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.review.cells import format_value
from runner.review.settled import PLAN, is_same_path, list_pinned, settle_values
from runner.tracking.contents import RunContents
from runner.tracking.records import InputRecord, RunRecord

_LAYERS = "model.layers"
_COMMIT = "mlflow.source.git.commit"
_CODE = {_COMMIT: "commit", "git.dirty": "dirty"}
_DATA = {"data.source_digest": "digest of the file", "data.digest": "digest of all"}
_NAMES = {**_CODE, **_DATA}
_HOST = ("host", "platform", "devices", "plan")
_VERSION = "version."
# What is not the same in two runs of the same.
_MEASURED = re.compile(r"^(time|plan|trace|system|benchmark)/|^inspect/.*seconds")
_PIN = re.compile(r"^\s*([\w.-]+)\s*(?:==|@)\s*(.+?)\s*$")


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        name: What it is.
        first: What the first run has; None for nothing.
        second: What the second has.
        absolute: How much more the second has, of numbers.
        relative: That as a share of what the first has; None where that is 0.
    """

    name: str
    first: Any
    second: Any
    absolute: float | None = None
    relative: float | None = None


Differences = dict[str, list[Difference]]


def compare_runs(first: RunContents, second: RunContents, *, with_times: bool) -> Differences:
    """Returns what differs by section; a section in which nothing does is left out.

    Args:
        first: A run.
        second: Another.
        with_times: Whether times and other measurements of the machine, which always differ, are
            compared too.
    """
    sections = {
        "status": _compare("status", first.run.status, second.run.status),
        "configuration": _compare_configs(first, second),
        "code": _compare_code(first, second),
        "environment": _compare_environments(first, second),
        "data": _compare_data(first.run, second.run),
        "host": _compare_tags(first.run, second.run, _HOST),
        "metrics": _compare_metrics(first.run.metrics, second.run.metrics, measured=False),
    }
    if with_times:
        sections["times"] = _compare_metrics(first.run.metrics, second.run.metrics, measured=True)
    listed = {name: list(differences) for name, differences in sections.items()}
    return {name: differences for name, differences in listed.items() if differences}


def _compare(name: str, first: Any, second: Any) -> Iterator[Difference]:
    if first != second:
        yield Difference(name, first, second)


def _compare_mappings(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys([*first, *second]):
        yield from _compare(name, first.get(name), second.get(name))


def _compare_configs(first: RunContents, second: RunContents) -> Iterator[Difference]:
    """Yields the layers that one alone has, then each value that differs."""
    if first.config is None or second.config is None:
        yield from _compare_params(first, second)
        return
    ours, theirs = _list_layers(first.config), _list_layers(second.config)
    for name in dict.fromkeys([*ours, *theirs]):
        if (name in ours) != (name in theirs):
            first_layer, second_layer = map(_format_layer, (ours.get(name), theirs.get(name)))
            yield Difference(f"{_LAYERS}.{name}", first_layer, second_layer)
    both = [name for name in ours if name in theirs]
    orders = [[name for name in layers if name in both] for layers in (ours, theirs)]
    yield from _compare("order of layers", *(", ".join(order) for order in orders))
    flat = [dict(_flatten("", _without_layers(each.config, both))) for each in (first, second)]
    yield from _compare_values(first, second, flat[0], flat[1])


def _compare_values(
    first: RunContents, second: RunContents, ours: Mapping[str, str], theirs: Mapping[str, str]
) -> Iterator[Difference]:
    """Yields the values by dotted path that differ, but for what was chosen alike."""
    left_out = list_pinned((first.run, ours), (second.run, theirs))
    if all("plan" in each.run.tags for each in (first, second)):
        # The plans that were taken are compared beside the host.
        left_out |= {*PLAN}
    settled = (settle_values(ours, first.run), settle_values(theirs, second.run))
    for one in _compare_mappings(*settled):
        is_same = isinstance(one.first, str) and isinstance(one.second, str)
        is_same = is_same and is_same_path((one.first, one.second), (first.folder, second.folder))
        if not is_same and one.name not in left_out:
            yield one


def _compare_params(first: RunContents, second: RunContents) -> Iterator[Difference]:
    """Yields what differs where a run kept no configuration; the run of a sweep has none at all."""
    ours, theirs = first.run.params, second.run.params
    if bool(ours) != bool(theirs):
        sides = (f"{len(params)} values" if params else None for params in (ours, theirs))
        yield Difference("all of it", next(sides), next(sides))
        return
    yield from _compare_values(first, second, ours, theirs)


def _list_layers(config: Mapping[str, Any]) -> Mapping[str, Any]:
    layers: Mapping[str, Any] = config["model"]["layers"] or {}
    return layers


def _format_layer(layer: Any) -> str | None:
    return None if layer is None else format_value(layer)


def _without_layers(config: Any, kept: Sequence[str]) -> Mapping[str, Any]:
    """Returns `config` with none but the layers in `kept`."""
    layers = {name: config["model"]["layers"][name] for name in kept}
    return {**config, "model": {**config["model"], "layers": layers}}


def _flatten(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields every value by its dotted path, as YAML writes it; a list stays whole."""
    if isinstance(value, Mapping) and value:
        for key, nested in value.items():
            yield from _flatten(f"{path}.{key}" if path else str(key), nested)
    else:
        yield path, format_value(value)


def _compare_code(first: RunContents, second: RunContents) -> Iterator[Difference]:
    yield from _compare_tags(first.run, second.run, tuple(_CODE))
    yield from _compare("diff", first.patch, second.patch)


def _compare_tags(
    first: RunRecord, second: RunRecord, names: Sequence[str]
) -> Iterator[Difference]:
    for name in names:
        yield from _compare(_NAMES.get(name, name), first.tags.get(name), second.tags.get(name))


def _compare_environments(first: RunContents, second: RunContents) -> Iterator[Difference]:
    """Yields the versions that differ: of all packages where both runs list them."""
    pins = [_read_pins(each.requirements) for each in (first, second)]
    for one, each in zip(pins, (first, second), strict=True):
        if not all(pins):
            one.clear()
        one |= {
            name.removeprefix(_VERSION): value
            for name, value in each.run.tags.items()
            if name.startswith(_VERSION)
        }
    yield from _compare_mappings(*pins)


def _read_pins(text: str) -> dict[str, str]:
    matches = map(_PIN.match, text.splitlines())
    return {match[1].lower(): match[2] for match in matches if match is not None}


def _compare_data(first: RunRecord, second: RunRecord) -> Iterator[Difference]:
    yield from _compare_tags(first, second, tuple(_DATA))
    inputs = (dict(_describe_inputs(run.inputs)) for run in (first, second))
    yield from _compare_mappings(*inputs)


def _describe_inputs(inputs: Sequence[InputRecord]) -> Iterator[tuple[str, Any]]:
    for one in inputs:
        profile = json.loads(one.profile or "{}")
        yield f"{one.split} name", one.name
        yield f"{one.split} source", read_source(one)
        yield f"{one.split} digest", one.digest
        for key, value in profile.items():
            yield f"{one.split} {'rows' if key == 'num_rows' else key}", value


def read_source(record: InputRecord) -> str:
    """Returns where the data of an input are from."""
    try:
        source = json.loads(record.source)
    except json.JSONDecodeError:
        return record.source
    return str(source.get("uri", record.source)) if isinstance(source, dict) else record.source


def _compare_metrics(
    first: Mapping[str, float], second: Mapping[str, float], *, measured: bool
) -> Iterator[Difference]:
    for name in sorted({*first, *second}):
        ours, theirs = first.get(name), second.get(name)
        if bool(_MEASURED.search(name)) is not measured or _is_same(ours, theirs):
            continue
        if ours is None or theirs is None:
            yield Difference(name, ours, theirs)
        else:
            absolute = theirs - ours
            relative = absolute / abs(ours) if ours else None
            yield Difference(name, ours, theirs, absolute, relative)


def _is_same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return first == second or (math.isnan(first) and math.isnan(second))
