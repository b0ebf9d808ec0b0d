"""Chooses the charts that a run's page has, and never fails for a value that cannot be drawn."""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from runner.results import TraceResult
from runner.tracking.report.record import Record

if TYPE_CHECKING:
    from runner.tracking.pictures.charts import Chart

_MOST_METRICS = 12
_LEAST_VALUES = 2
MOST_TRACES = 3
_MOST_RESIDUALS = 4

# What NumPy and matplotlib raise for values that nobody thought of.
UNDRAWABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

log = logging.getLogger(__name__)


def draw_figures(record: Record, drawn: Mapping[str, "Chart"]) -> dict[str, list["Chart"]]:
    """Returns the charts of a run by the part of the page that they are of.

    Args:
        record: What is told of the run.
        drawn: The timelines of traced steps that are drawn already, by the step's name.
    """
    # This imports matplotlib.
    from runner.tracking.pictures.styles import plain_style

    with plain_style():
        return {
            "curves": list(_draw(_plan_curves(record))),
            "residuals": list(_draw(_plan_residuals(record))),
            "timeline": list(_draw(_plan_timelines(record, drawn))),
        }


def draw_trace(trace: TraceResult) -> "Chart":
    """Returns the timeline of a traced step."""
    from runner.tracking.pictures.styles import plain_style
    from runner.tracking.pictures.timeline import draw_timeline

    with plain_style():
        return draw_timeline(trace)


def _recall(trace: TraceResult, drawn: Mapping[str, "Chart"]) -> "Chart":
    return drawn[trace.name] if trace.name in drawn else draw_trace(trace)


def _draw(planned: Iterator[Callable[[], "Chart"]]) -> Iterator["Chart"]:
    for draw in planned:
        try:
            yield draw()
        except UNDRAWABLE as error:
            log.warning("a figure of the report is not drawn: %r", error)


def _plan_curves(record: Record) -> Iterator[Callable[[], "Chart"]]:
    from runner.tracking.pictures.curves import Progress, draw_metric, draw_rate

    losses = sum(int(np.isfinite(one.losses).sum()) for one in record.steps)
    values = losses + len(record.splits)
    # One point, of a run that failed in its first steps, is no curve.
    if record.training is None or not record.steps or values < _LEAST_VALUES:
        return
    progress = Progress(
        steps=record.steps,
        splits=[one for one in record.splits if one.step],
        rates=record.rates,
        stop=record.stop,
        steps_per_epoch=max(1, record.training.steps_per_epoch),
    )
    for metric in progress.metrics[:_MOST_METRICS] or ("loss",):
        yield partial(draw_metric, progress, metric)
    if len({one.value for one in record.rates}) > 1:
        yield partial(draw_rate, progress)


def _plan_residuals(record: Record) -> Iterator[Callable[[], "Chart"]]:
    from runner.tracking.pictures.residuals import draw_errors, draw_predicted

    for index, result in enumerate(record.regressed[:_MOST_RESIDUALS]):
        if not result.examples:
            continue
        yield partial(draw_predicted, result, f"predicted_{index}")
        yield partial(draw_errors, result, f"errors_{index}")


def _plan_timelines(
    record: Record, drawn: Mapping[str, "Chart"]
) -> Iterator[Callable[[], "Chart"]]:
    for trace in record.traces[:MOST_TRACES]:
        if trace.operations:
            yield partial(_recall, trace, drawn)
