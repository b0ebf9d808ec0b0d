"""Shows a list of runs: a table that fits the terminal, plain text where there is none, or CSV."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.console import print_table
from runner.review.cells import break_name, format_number, style_status
from runner.review.columns import Column, choose_metrics, choose_params, read_columns
from runner.review.json_text import format_json
from runner.tracking.listing import ListedRun, Listing
from runner.tracking.records import RunRecord
from runner.tracking.rows import format_rows
from runner.tracking.times import format_age, format_duration

_GAP = 2
_LEAST_NAME = 18
_MOST_NAME = 48
_MOST_PARAMS = 12
_INDENT = "  "


@dataclass(frozen=True)
class _Cells:
    """A column of a table as it is written.

    Attributes:
        header: Its lines.
        values: A row each.
        is_number: Whether it is aligned to the right.
    """

    header: str
    values: list[Text]
    is_number: bool = False

    @property
    def width(self) -> int:
        texts = chain(self.header.split("\n"), (value.plain for value in self.values))
        return max(map(cell_len, texts))


def print_runs(
    listing: Listing, *, names: str | None, now_ms: int, console: Console | None = None
) -> None:
    """Writes a table of `listing`, and below it what it leaves out.

    Args:
        listing: The runs.
        names: The columns that were asked for; None for what was tested and the params in which
            the runs differ, as many as there is room for.
        now_ms: The time, in milliseconds since 1970, from which ages are counted.
        console: Where to write; standard output if None.
    """
    console = console or Console()
    chosen = _choose(listing.sought, names)
    is_terminal = console.is_terminal
    fixed = _list_fixed(listing, now_ms)
    others = [_lay_out(column, listing.rows, is_broken=is_terminal) for column in chosen]
    if is_terminal:
        fixed, others = _fit(fixed, others, console.width)
    elif names is None:
        params = [column for column in chosen if column.kind == "params"]
        others = others[: len(chosen) - max(len(params) - _MOST_PARAMS, 0)]
    print_table(console, _build_table([*fixed, *others]))
    for note in _list_notes(listing, left_out=len(chosen) - len(others)):
        console.print(note, style="dim", soft_wrap=True, markup=False, highlight=False)


def format_runs_csv(listing: Listing, names: str | None) -> str:
    """Returns a CSV table of `listing`: the columns `names`, or all in which its runs differ."""
    chosen = _choose(listing.sought, names)
    fixed = ["run_id", "name", "experiment", "status", "started", "seconds", "parent_run_id"]
    return format_rows(
        [*fixed, *(column.key for column in chosen)],
        (
            [
                run.run_id,
                run.name,
                run.experiment,
                run.status,
                format_time(run.start_ms),
                "" if run.seconds is None else run.seconds,
                run.parent_id or "",
                *("" if (cell := column.read(run)) is None else cell for column in chosen),
            ]
            for run in listing.sought
        ),
    )


def format_runs_json(listing: Listing) -> str:
    """Returns `listing` as a JSON array of all that is known of each run."""
    return format_json([describe_run(run) for run in listing.sought])


def describe_run(run: RunRecord) -> dict[str, Any]:
    """Returns all that is known of `run`, for JSON."""
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        "status": run.status,
        "started": format_time(run.start_ms),
        "ended": None if run.end_ms is None else format_time(run.end_ms),
        "seconds": run.seconds,
        "parent_run_id": run.parent_id,
        "metrics": dict(run.metrics),
        "params": dict(run.params),
        "tags": dict(run.tags),
    }


def format_time(milliseconds: int) -> str:
    """Returns a time since 1970 as ISO 8601 writes it, to the second, in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _choose(runs: Sequence[RunRecord], names: str | None) -> list[Column]:
    if names is not None:
        return read_columns(names)
    return [*choose_metrics(runs), *choose_params(runs)]


def _list_fixed(listing: Listing, now_ms: int) -> list[_Cells]:
    """Returns the columns of every list; the run's name is the second."""
    runs = [row.run for row in listing.rows]
    columns = [
        _Cells("run", [Text(run.short_id, style="cyan") for run in runs]),
        _Cells("name", [Text(_name(row)) for row in listing.rows]),
        _Cells("age", [Text(format_age(now_ms - run.start_ms)) for run in runs], is_number=True),
        _Cells("status", [style_status(run.status) for run in runs]),
        _Cells("time", [Text(_format_seconds(run)) for run in runs], is_number=True),
    ]
    if len(listing.experiments) > 1:
        columns.insert(2, _Cells("experiment", [Text(run.experiment) for run in runs]))
    return columns


def _name(row: ListedRun) -> str:
    line = " ".join(row.run.name.split("\n"))
    return f"{_INDENT}{line}" if row.is_job else line


def _format_seconds(run: RunRecord) -> str:
    return "" if run.seconds is None else format_duration(run.seconds)


def _lay_out(column: Column, rows: Sequence[ListedRun], *, is_broken: bool) -> _Cells:
    header = break_name(column.key) if is_broken else column.key
    return _Cells(header, list(_list_values(column, rows)), is_number=column.kind == "metrics")


def _list_values(column: Column, rows: Sequence[ListedRun]) -> Iterator[Text]:
    for row in rows:
        value = column.read(row.run)
        shown = format_number(value) if isinstance(value, float) else str(value or "")
        yield Text(" ".join(shown.split("\n")))


def _fit(
    fixed: list[_Cells], others: list[_Cells], width: int
) -> tuple[list[_Cells], list[_Cells]]:
    """Returns the columns for which there is room; the name takes what the others leave."""
    name = fixed[1]
    least = min(name.width, _LEAST_NAME)
    room = width - least - sum(one.width + _GAP for one in fixed if one is not name)
    shown = []
    for cells in others:
        if cells.width + _GAP <= room:
            shown.append(cells)
            room -= cells.width + _GAP
    most = max(least + max(room, 0), least)
    for value in name.values:
        value.truncate(min(most, _MOST_NAME), overflow="ellipsis")
    return fixed, shown


def _build_table(columns: Sequence[_Cells]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in columns:
        justify: Any = "right" if column.is_number else "left"
        header = Text(column.header)
        table.add_column(header, justify=justify, no_wrap=True, vertical="bottom")
    for row in zip(*(column.values for column in columns), strict=True):
        table.add_row(*row)
    return table


def _list_notes(listing: Listing, *, left_out: int) -> Iterator[str]:
    if left_out:
        yield f"{left_out} more columns differ: see them with --columns, --csv or --json"
    if listing.has_more:
        yield "there are more runs: --limit 0 lists all"
    if listing.others:
        yield (
            f"of experiment {', '.join(listing.experiments)}; --all lists those of "
            f"{', '.join(listing.others)} too"
        )
