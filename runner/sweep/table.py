"""Shows what came of a sweep to the person who started it."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from runner.console import print_table
from runner.data_tables import open_table
from runner.results import JobGroup, SweepResult

_TEST = "test/"


def print_sweep(result: SweepResult, notes: Sequence[str], console: Console | None = None) -> None:
    """Writes a table of the jobs, one of how repetitions spread, and `notes`.

    Args:
        result: What came of the sweep.
        notes: Lines to end with.
        console: Where to write; standard output if None.
    """
    console = console or Console()
    tables = [_job_table(result)]
    if any(group.spreads for group in result.groups):
        tables.append(_spread_table(result.groups))
    for table in tables:
        console.print()
        print_table(console, table)
    console.print()
    for line in (*_describe_errors(result), f"jobs     {_describe_counts(result)}", *notes):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _job_table(result: SweepResult) -> Table:
    names = [name for name in result.metrics if name.startswith(_TEST)]
    table = open_table(["job", *result.varying, "status"], names)
    for job in result.jobs:
        values = [job.overrides.get(key, "") for key in result.varying]
        metrics = [_format(job.metrics.get(name)) for name in names]
        table.add_row(str(job.number), *values, job.status, *metrics)
    return table


def _spread_table(groups: Sequence[JobGroup]) -> Table:
    """Returns a row a group and metric: the mean, the deviation, the interval of the mean."""
    keys = list(dict.fromkeys(key for group in groups for key in group.overrides))
    table = open_table([*keys, "metric"], ["jobs", "mean", "std", "95 % from", "to"])
    for group in groups:
        values = [group.overrides.get(key, "") for key in keys]
        for name, spread in group.spreads.items():
            numbers = map(_format, (spread.mean, spread.std, spread.low, spread.high))
            table.add_row(*values, name, str(spread.jobs), *numbers)
    return table


def _format(value: float | None) -> str:
    """Returns a value to four digits, zeros at its end too; "" where there is none."""
    return "" if value is None or math.isnan(value) else f"{value:#.4g}".rstrip(".")


def _describe_counts(result: SweepResult) -> str:
    return ", ".join(f"{count} {status}" for status, count in result.counts.items())


def _describe_errors(result: SweepResult) -> Iterator[str]:
    for job in result.jobs:
        if job.error:
            kind, colon, message = job.error.partition(": ")
            yield f"job {job.number:<4} {kind.rpartition('.')[2]}{colon}{message}"
