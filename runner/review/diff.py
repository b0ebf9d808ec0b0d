"""Shows in what two runs differ, a section after another."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from runner.console import print_table
from runner.data_tables import open_table
from runner.review.cells import format_value, style_status
from runner.review.differences import Difference, Differences
from runner.review.json_text import format_json
from runner.review.runs import describe_run
from runner.tracking.records import RunRecord
from runner.tracking.times import format_age

_NUMBERS = ("metrics", "times")
_LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def print_diff(
    first: RunRecord,
    second: RunRecord,
    differences: Differences,
    *,
    now_ms: int,
    console: Console | None = None,
) -> None:
    """Writes which runs these are and what differs.

    Args:
        first: A run.
        second: Another.
        differences: What differs, by section.
        now_ms: The time, in milliseconds since 1970, from which ages are counted.
        console: Where to write; standard output if None.
    """
    console = console or Console()
    table = open_table(["", "run", "status", "age", "name"], [])
    for letter, run in (("A", first), ("B", second)):
        age = format_age(now_ms - run.start_ms)
        table.add_row(letter, run.short_id, style_status(run.status), age, Text(run.name))
    print_table(console, table)
    if not differences:
        console.print("\nnothing differs")
    for name, section in differences.items():
        console.print()
        console.print(name, style="bold", markup=False, highlight=False)
        _print_section(console, section, is_number=name in _NUMBERS)


def format_diff_json(first: RunRecord, second: RunRecord, differences: Differences) -> str:
    """Returns what differs as JSON: both runs, and the differences by section."""
    head = ("run_id", "name", "experiment", "status", "started", "ended")
    runs = [{key: describe_run(run)[key] for key in head} for run in (first, second)]
    listed = {
        section: [asdict(difference) for difference in found]
        for section, found in differences.items()
    }
    return format_json({"first": runs[0], "second": runs[1], "differences": listed})


def _print_section(console: Console, section: Sequence[Difference], *, is_number: bool) -> None:
    short = [one for one in section if not _is_long(one)]
    if short and is_number:
        table = open_table(["metric"], ["A", "B", "B - A", "relative"])
        for one in short:
            table.add_row(one.name, *map(_format, (one.first, one.second)), *_format_change(one))
        print_table(console, table)
    elif short:
        table = open_table(["what", "A", "B"], [])
        for one in short:
            table.add_row(
                Text(one.name), *(Text(_format(side)) for side in (one.first, one.second))
            )
        print_table(console, table)
    for one in section:
        if _is_long(one):
            _print_lines(console, one)


def _is_long(difference: Difference) -> bool:
    """Returns whether a side has several lines."""
    sides = (difference.first, difference.second)
    return any(isinstance(side, str) and "\n" in side for side in sides)


def _print_lines(console: Console, difference: Difference) -> None:
    first, second = (str(side or "").splitlines() for side in (difference.first, difference.second))
    names = (f"A {difference.name}", f"B {difference.name}")
    for line in difflib.unified_diff(first, second, *names, lineterm=""):
        style = _LINE_STYLES.get(line[:1], "")
        console.print(line, style=style, soft_wrap=True, markup=False, highlight=False)


def _format(value: Any) -> str:
    """Returns a side; a number as precisely as two that differ are told apart."""
    if value is None:
        return "-"
    return f"{value:.9g}" if isinstance(value, float) else format_value(value)


def _format_change(difference: Difference) -> Iterator[str]:
    yield "" if difference.absolute is None else f"{difference.absolute:+.3g}"
    yield "" if difference.relative is None else f"{difference.relative:+.2%}"
