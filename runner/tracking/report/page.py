"""Lays out a run as one page of HTML that needs nothing beside itself."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runner.results import SplitResult
from runner.tracking.report.record import Record
from runner.tracking.report.tables import (
    count_classes,
    list_balance,
    list_faults,
    list_layers,
    list_settings,
    list_short_features,
)
from runner.tracking.report.thumbnails import list_thumbnails
from runner.tracking.selection import select_store

if TYPE_CHECKING:
    from runner.tracking.pictures.charts import Chart

PAGE, STYLE = "page.html", "page.css"

# In front of the name of an error.
_MODULE = re.compile(r"^(?:\w+\.)+(?=\w+:)")

_SECOND_MS = 1000
_DASH = "\N{EN DASH}"
_MINUTE, _HOUR = 60, 3600
_THOUSAND = 1000
_UNITS = ("", " k", " M", " G", " T", " P")
_MOST_TILES = 8
_MOST_LINES = 200


def format_page(record: Record, figures: Mapping[str, Sequence["Chart"]]) -> str:
    """Returns the page of a run.

    Args:
        record: What is told of the run.
        figures: Its charts by the part of the page that they are of.
    """
    environment = open_templates()
    return environment.get_template(PAGE).render(
        record=record,
        figures=figures,
        style=Markup(environment.get_template(STYLE).render()),
        name=record.started.name,
        status=record.end.status.value,
        started=_format_time(record.started_ms),
        duration=_format_duration((record.ended_ms - record.started_ms) / _SECOND_MS),
        tiles=list_tiles(record),
        commands=list_commands(record),
        message=find_message(record.end.error),
        error=_cut_lines(record.end.error),
        layers=list_layers(record),
        confusions=[(one, count_classes(one), list_thumbnails(one)) for one in record.classified],
        balances=[(one, list_balance(one)) for one in record.balance.labels]
        if record.balance
        else [],
        faults=list_faults(record.fault) if record.fault else [],
        settings=list_settings(record),
        longest_phase=max(record.phases.values(), default=0) or 1,
        short_features=list_short_features,
    )


def prepare_templates() -> None:
    """Reads the templates, which takes 0.1 s, ahead of the first page."""
    for name in (PAGE, STYLE):
        open_templates().get_template(name)


@cache
def open_templates() -> Environment:
    """Returns the templates, read once; what is written into them is text, never HTML."""
    environment = Environment(
        loader=PackageLoader("runner.tracking.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": format_metric,
        "count": format_count,
        "large": format_large,
        "share": format_share,
        "chart": _embed,
    }
    return environment


def _embed(chart: "Chart") -> Markup:
    return Markup(chart.svg)


def list_tiles(record: Record) -> list[tuple[str, str]]:
    """Returns the figures that a run is judged by, the first first: what each is, and its value."""
    if record.sweep is not None:
        counts = record.sweep.counts
        return [
            ("jobs", f"{len(record.sweep.jobs):,}"),
            *((status.lower(), f"{count:,}") for status, count in counts.items()),
        ]
    if record.benchmark is not None:
        best = max(record.benchmark.latencies, key=lambda one: one.examples_per_second)
        what = f"examples a second, {best.batch_size:,} a batch"
        return [(what, format_large(best.examples_per_second))]
    if record.inspected is not None:
        totals = record.inspected.totals
        parameters = totals.trained_parameters + totals.frozen_parameters
        return [
            ("parameters", f"{parameters:,}"),
            (f"FLOPs for {record.inspected.batch_size:,} examples", format_large(totals.flops)),
            ("layers", f"{len(record.inspected.layers):,}"),
        ]
    return [
        (f"{one.split} {name}", format_metric(value))
        for one in _choose_splits(record)
        for name, value in sorted(one.metrics.items(), key=lambda item: item[0] == "loss")
    ][:_MOST_TILES]


def _choose_splits(record: Record) -> list[SplitResult]:
    """Returns the last metrics over the split that was held out, or over each of an evaluation."""
    last = {one.split: one for one in record.splits}
    if record.training is None:
        return list(last.values())
    for split in ("test", "validation", "train"):
        if split in last:
            return [last[split]]
    return []


def find_message(error: str | None) -> str:
    """Returns what a traceback ends with, or the error itself where it is none; "" for none."""
    lines = (error or "").strip().splitlines()
    starts = [
        index
        for index, line in enumerate(lines)
        if index and lines[index - 1].startswith("    ") and not line.startswith((" ", "\t"))
    ]
    message = "\n".join(lines[starts[-1] if starts else 0 :])
    return _MODULE.sub("", message)


def _cut_lines(error: str | None) -> str:
    lines = (error or "").splitlines()
    if len(lines) <= _MOST_LINES:
        return "\n".join(lines)
    half = _MOST_LINES // 2
    return "\n".join([*lines[:half], "…", *lines[-half:]])


def list_commands(record: Record) -> list[str]:
    """Returns what repeats a run: as it was, where a store has it, and as a new command."""
    commands = []
    if record.run_id is not None and record.sweep is None:
        store = select_store(record.started.overrides)
        commands.append(shlex.join(["python", "-m", "runner", "rerun", record.run_id, *store]))
    if "command" in record.tags:
        commands.append(record.tags["command"])
    return commands


def _format_time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / _SECOND_MS, UTC).strftime("%d %b %Y, %H:%M:%S UTC")


def _format_duration(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def format_metric(value: float) -> str:
    """Returns a value to four digits, with a true minus; a dash where it is not a number."""
    if math.isnan(value):
        return _DASH
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def format_count(value: int) -> str:
    """Returns a whole number, its thousands apart."""
    return f"{value:,}"


def format_large(value: float) -> str:
    """Returns a number to three digits with its unit, such as 1.23 M."""
    for unit in _UNITS:
        if abs(value) < _THOUSAND or unit == _UNITS[-1]:
            break
        value /= _THOUSAND
    return f"{value:.3g}{unit}" if unit else f"{value:,.3g}"


def format_share(value: float) -> str:
    """Returns a share as percent; a dash where it is not a number."""
    return _DASH if math.isnan(value) else f"{value:.1%}"
