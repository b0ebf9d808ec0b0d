"""Keeps what a run has to say in memory, for tests and for whoever calls it from Python."""

import traceback
from collections.abc import Mapping
from typing import TypeVar

from runner.results import Result
from runner.tracking.entries import Entry, PhasesTimed, ResultLogged, RunEnded, TagsAdded
from runner.tracking.tracker import Status

Kind = TypeVar("Kind")


class MemoryTracker:
    """One run, as a list of what it said."""

    run_id: str | None = None
    key: str | None = None

    def __init__(self) -> None:
        """Has nothing yet."""
        self.entries: list[Entry] = []

    @property
    def status(self) -> Status | None:
        """How the run ended; None while it goes on."""
        ends = [entry.status for entry in self.entries if isinstance(entry, RunEnded)]
        return ends[-1] if ends else None

    @property
    def tags(self) -> dict[str, str]:
        """The run's labels."""
        added = [entry.tags for entry in self.entries if isinstance(entry, TagsAdded)]
        return {name: tag for tags in added for name, tag in tags.items()}

    def list_results(self, kind: type[Kind]) -> list[Kind]:
        """Returns the results of one kind, in the order in which they came."""
        results = [entry.result for entry in self.entries if isinstance(entry, ResultLogged)]
        return [result for result in results if isinstance(result, kind)]

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""
        self.entries.append(TagsAdded(dict(tags)))

    def log_result(self, result: Result) -> None:
        """Keeps what a task yielded."""
        self.entries.append(ResultLogged(result))

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Keeps the wall time of each phase."""
        self.entries.append(PhasesTimed(dict(seconds)))

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Keeps the run's true status."""
        text = None if error is None else "".join(traceback.format_exception(error))
        self.entries.append(RunEnded(status, text))
