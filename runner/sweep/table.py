"""Shows what came of a sweep to the person who started it."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from runner.console import print_table
from runner.results import JobGroup, JobResult, Metrics, Spread, SweepResult

_TEST = "test/"


def print_sweep(result: SweepResult, notes: Sequence[str], console: Console | None = None) -> None:
    """Writes a table of the jobs, one of how repetitions spread, and `notes`.

    Args:
        result: What came of the sweep.
        notes: Lines to end with.
        console: Where to write; standard output if None.
    """
    console = console or Console()
    console.print("", end="\n")
    print_table(console, _job_table(result))
    if result.groups:
        print_table(console, _group_table(result.groups))
    lines = [f"jobs     {_describe_counts(result)}", *notes]
    for line in [*_errors(result), *lines]:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _job_table(result: SweepResult) -> Table:
    names = [name for name in result.metrics if name.startswith(_TEST)]
    table = _open_table(["job", *result.varying, "status"], names)
    for job in result.jobs:
        values = (job.overrides.get(key, "") for key in result.varying)
        table.add_row(str(job.number), *values, job.status, *_format_metrics(job.metrics, names))
    return table


def _group_table(groups: Sequence[JobGroup]) -> Table:
    """Returns a row a group: the mean, the deviation of a job, the interval of the mean."""
    keys = list(dict.fromkeys(key for group in groups for key in group.overrides))
    names = list(dict.fromkeys(name for group in groups for name in group.spreads))
    table = _open_table([*keys, "jobs"], [f"{name} mean ± std [95 %]" for name in names])
    for group in groups:
        spreads = (
            _format_spread(group.spreads[name]) if name in group.spreads else "" for name in names
        )
        table.add_row(*(group.overrides.get(key, "") for key in keys), str(group.jobs), *spreads)
    return table


def _open_table(columns: Sequence[str], metrics: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for name in metrics:
        table.add_column(name, justify="right", overflow="fold")
    return table


def _format_metrics(metrics: Metrics, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield f"{metrics[name]:.4g}" if name in metrics else ""


def _format_spread(spread: Spread) -> str:
    if math.isnan(spread.std):
        return f"{spread.mean:.4g}"
    return f"{spread.mean:.4g} ± {spread.std:.2g} [{spread.low:.4g}, {spread.high:.4g}]"


def _describe_counts(result: SweepResult) -> str:
    return ", ".join(f"{count} {status}" for status, count in result.counts.items())


def _errors(result: SweepResult) -> Iterator[str]:
    for job in result.jobs:
        if job.error:
            yield f"job {job.number}    {_shorten(job)}"


def _shorten(job: JobResult) -> str:
    """Returns a job's error without the module that its type is in."""
    kind, colon, message = job.error.partition(": ")
    return f"{kind.rpartition('.')[2]}{colon}{message}"
