"""Traces one step on behalf of a task."""

from collections.abc import Mapping
from typing import Any

from runner.engine.session import StepCallable
from runner.engine.trace import count_operations, format_chrome_trace
from runner.feeds import FeedValue
from runner.results import TraceResult


def trace_step(
    step: StepCallable, arrays: Mapping[str, FeedValue], name: str
) -> tuple[dict[str, Any], TraceResult]:
    """Returns the fetches of one call of `step` and the trace of that call."""
    values, metadata = step.trace(arrays)
    trace = TraceResult(
        name=name,
        chrome_trace=format_chrome_trace(metadata),
        operations=count_operations(metadata),
    )
    return values, trace
