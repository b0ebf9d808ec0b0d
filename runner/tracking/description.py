"""What a run says of itself in words, as Markdown that MLflow's UI shows on the run's page.

It is written when the run starts, and anew when it ends.
"""

import math
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence

from omegaconf import MISSING

from runner.results import (
    DataResult,
    PlanResult,
    PretrainedResult,
    SplitResult,
    StopResult,
    SweepResult,
)
from runner.tracking.entries import Entry, PhasesTimed, ResultLogged, RunStarted
from runner.tracking.limits import TAG_CHARACTERS, fit_value
from runner.tracking.tracker import Status

NOTE = "mlflow.note.content"

# A tag holds 8,000 characters; the tables that may be long get about half of them.
_MOST_ROWS = 40
_MOST_CELL_CHARACTERS = 80
_MOST_ERROR_CHARACTERS = 1000
_LEAST_SHARE = 0.01


class Description:
    """Takes note of what a run logs, to describe it."""

    def __init__(self, started: RunStarted) -> None:
        """Begins with what is known at the start."""
        self._started = started
        self._data: DataResult | None = None
        self._metrics: dict[str, Mapping[str, float]] = {}
        self._seconds: Mapping[str, float] = {}
        self._notes: list[str] = []
        self._sweep: SweepResult | None = None
        self._status: Status | None = None
        self._error = ""

    def add(self, entry: Entry) -> None:
        """Takes note of what is logged."""
        match entry:
            case PhasesTimed():
                self._seconds = entry.seconds
            case ResultLogged(DataResult() as data):
                self._data = data
            case ResultLogged(SplitResult() as result):
                self._metrics[result.split] = result.metrics
            case ResultLogged(PlanResult() as result):
                self._notes.append(f"steps were put to the Session by the plan *{result.plan}*")
            case ResultLogged(PretrainedResult() as result):
                self._notes.append(f"it began with the weights of `{result.source}`")
            case ResultLogged(StopResult(reason=reason, step=step)) if reason:
                self._notes.append(f"it stopped after step {step}: {reason}")
            case ResultLogged(SweepResult() as sweep):
                self._sweep = sweep

    def end(self, status: Status, error: BaseException | None) -> None:
        """Takes note of how the run ended."""
        self._status = status
        if error is not None:
            text = "".join(traceback.format_exception_only(error)).rstrip()
            self._error = fit_value(text, _MOST_ERROR_CHARACTERS, "error.txt")

    def format(self) -> str:
        """Returns Markdown, in what a tag of MLflow holds."""
        sections = [
            self._summarize(),
            _section("Jobs", self._list_jobs()),
            _section("Repetitions", self._list_groups()),
            _section("Metrics", self._list_metrics()),
            _section("Differs from the defaults", self._list_changes()),
            _section("Data", self._describe_data()),
            _section("Repeat", self._tell_command()),
            _section("Time", self._list_seconds()),
        ]
        return fit_value("\n\n".join(filter(None, sections)), TAG_CHARACTERS)

    def _summarize(self) -> str:
        tags = self._started.tags
        what = f"sweep of `{self._started.name}`"
        if "model" in tags:
            what = f"{tags['task']} of **{tags['model']}** on **{tags['data']}**"
        text = what if self._status is None else f"{self._status.value}: {what}"
        if tested := self._metrics.get("test"):
            text += (
                f": test {', '.join(f'{name} **{value:.4g}**' for name, value in tested.items())}"
            )
        lines = [f"{text}.", *(f"{note[0].upper()}{note[1:]}." for note in self._notes)]
        if self._error:
            lines.append(f"\n{_code(self._error)}")
        return "\n".join(lines)

    def _list_jobs(self) -> Iterator[str]:
        if self._sweep is None:
            return
        varying = self._sweep.varying
        metrics = [name for name in self._sweep.metrics if name.startswith("test/")]
        rows = [
            [
                str(job.number) if job.run_id is None else f"[{job.number}](#/runs/{job.run_id})",
                *(job.overrides.get(key, "") for key in varying),
                job.status,
                *(_number(job.metrics.get(name)) for name in metrics),
            ]
            for job in self._sweep.jobs
        ]
        yield from _table(["job", *varying, "status", *metrics], rows, "sweep/jobs.csv")

    def _list_groups(self) -> Iterator[str]:
        groups = () if self._sweep is None else self._sweep.groups
        keys = list(dict.fromkeys(key for group in groups for key in group.overrides))
        rows = [
            [
                *(group.overrides.get(key, "") for key in keys),
                name,
                *(str(spread.jobs), _number(spread.mean), _number(spread.std)),
                *(_number(spread.low), _number(spread.high)),
            ]
            for group in groups
            for name, spread in group.spreads.items()
        ]
        if rows:
            header = [*keys, "metric", "jobs", "mean", "std", "95 % from", "to"]
            yield from _table(header, rows, "sweep/groups.csv")

    def _list_metrics(self) -> Iterator[str]:
        splits = list(self._metrics)
        names = dict.fromkeys(name for metrics in self._metrics.values() for name in metrics)
        rows = [
            [
                name,
                *(_number(self._metrics[split].get(name)) for split in splits),
            ]
            for name in names
        ]
        if rows:
            yield from _table(["", *splits], rows, "the tab of the metrics")

    def _list_changes(self) -> Iterator[str]:
        params = self._started.params
        rows = [
            [f"`{path}`", _quote(params.get(path)), _quote(default)]
            for path, default in self._started.changes.items()
            if not path.startswith("tracking.")
        ]
        if rows:
            yield from _table(["", "here", "default"], rows, "config/resolved.yaml")

    def _describe_data(self) -> Iterator[str]:
        if self._data is None:
            return
        splits = ", ".join(f"{one.examples:,} {name}" for name, one in self._data.splits.items())
        yield f"{self._data.source}; examples: {splits}; digest `{self._data.digest}`."

    def _tell_command(self) -> Iterator[str]:
        tags = self._started.tags
        if command := tags.get("command"):
            yield _code(command)
        commit = tags.get("mlflow.source.git.commit")
        if commit is None:
            return
        branch = tags.get("mlflow.source.git.branch")
        text = f"Commit `{commit[:12]}`" + (f" of `{branch}`" if branch else "")
        if tags.get("git.dirty") == "true":
            text += ", with changes that are in `code/diff.patch`"
        yield f"{text}; seed {tags.get('seed', 'of each job')}."

    def _list_seconds(self) -> Iterator[str]:
        total = sum(self._seconds.values())
        shown = {
            phase: seconds
            for phase, seconds in self._seconds.items()
            if seconds >= _LEAST_SHARE * total
        }
        if shown:
            longest_first = sorted(shown.items(), key=lambda item: -item[1])
            parts = [
                f"{name} {seconds:.1f} s ({seconds / total:.0%})" for name, seconds in longest_first
            ]
            yield f"{total:.1f} s: {', '.join(parts)}."


def _section(title: str, lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    return f"### {title}\n{text}" if text else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], rest: str) -> Iterator[str]:
    """Yields the lines of a table; of more than 40 rows, where the others are.

    Args:
        header: The names of the columns.
        rows: As many cells each.
        rest: Where all rows are.
    """
    yield _row(header)
    yield _row(["---"] * len(header))
    for row in rows[:_MOST_ROWS]:
        yield _row(row)
    if len(rows) > _MOST_ROWS:
        yield f"\n{len(rows) - _MOST_ROWS:,} more are in {rest}."


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _number(value: float | None) -> str:
    """Returns a value to four digits; nothing where there is none, or it is not known."""
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def _quote(value: str | None) -> str:
    """Returns a value in a cell of a table; nothing where there is none."""
    if value in (None, MISSING):
        return ""
    line = " ".join(value.split()).replace("`", "'")
    if len(line) > _MOST_CELL_CHARACTERS:
        line = f"{line[: _MOST_CELL_CHARACTERS - 1]}…"
    return f"`{line}`"


def _code(text: str) -> str:
    """Returns a block of lines as they are."""
    return f"```\n{text}\n```"
