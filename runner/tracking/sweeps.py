"""Lays out what came of a sweep: as tables, and as metrics of its run."""

from dataclasses import fields

from runner.results import Metrics, Spread, SweepResult
from runner.tracking.rows import format_rows
from runner.tracking.tracker import Status

_SPREAD = tuple(field.name for field in fields(Spread))
_COLUMNS = {"low": "ci95_low", "high": "ci95_high"}


def format_jobs(result: SweepResult) -> str:
    """Returns a CSV table: a row a job, what it was started with, how it ended, its metrics."""
    keys = list(dict.fromkeys(key for job in result.jobs for key in job.overrides))
    return format_rows(
        ["job", *keys, "status", *result.metrics, "run_id", "error"],
        (
            [
                job.number,
                *(job.overrides.get(key, "") for key in keys),
                job.status,
                *(job.metrics.get(name, "") for name in result.metrics),
                job.run_id or "",
                job.error,
            ]
            for job in result.jobs
        ),
    )


def format_groups(result: SweepResult) -> str:
    """Returns a CSV table: a row a group of jobs, what they share, how each metric spreads."""
    keys = list(dict.fromkeys(key for group in result.groups for key in group.overrides))
    names = list(dict.fromkeys(name for group in result.groups for name in group.spreads))
    return format_rows(
        [*keys, "jobs", *(f"{name}_{_name(part)}" for name in names for part in _SPREAD)],
        (
            [
                *(group.overrides.get(key, "") for key in keys),
                group.jobs,
                *(
                    getattr(group.spreads[name], part) if name in group.spreads else ""
                    for name in names
                    for part in _SPREAD
                ),
            ]
            for group in result.groups
        ),
    )


def summarize_sweep(result: SweepResult) -> Metrics:
    """Returns how many jobs ended how, and how the test's metrics spread if there is one group.

    What is not known of one job alone, such as the deviation, is left out.
    """
    metrics: dict[str, float] = {
        f"jobs/{status.value.lower()}": result.counts[status.value] for status in Status
    }
    if len(result.groups) != 1:
        return metrics
    (group,) = result.groups
    for name, spread in group.spreads.items():
        parts = _SPREAD if spread.jobs > 1 else ("jobs", "mean")
        metrics |= {f"{name}_{_name(part)}": getattr(spread, part) for part in parts}
    return metrics


def _name(part: str) -> str:
    return _COLUMNS.get(part, part)
