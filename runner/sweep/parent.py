"""Owns a sweep's start and end: its jobs are noted, and nested under a run of its own."""

import logging
import shlex
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.config import ExperimentConfig, StoreTrackingConfig
from runner.results import JobResult, RunOutcome
from runner.signals import hold_signals
from runner.sweep.overrides import name_sweep, read_overrides, read_settings
from runner.sweep.summary import summarize_jobs
from runner.tracking.courier import start_sweep
from runner.tracking.tracker import NullTracker, RunContext, Status, Tracker, TrackingError

_SOURCE = Path(__file__).parent

log = logging.getLogger(__name__)


class Sweep:
    """The jobs of a sweep, whoever launches them, and the run that theirs are nested under.

    A single run is no sweep: where no job is noted, nothing is opened, logged or shown.
    """

    def __init__(
        self,
        open_command: Callable[[Sequence[str]], Sequence[str]],
        repeat_command: Callable[[Sequence[str]], Sequence[str]],
    ) -> None:
        """Has no jobs yet.

        Args:
            open_command: Returns the command that opens the MLflow UI on the store of a run of
                given overrides, to which a run's id is added.
            repeat_command: Returns the command that starts a sweep of given overrides.
        """
        self._open_command = open_command
        self._repeat_command = repeat_command
        self._jobs: list[JobResult] = []
        self._tracker: Tracker = NullTracker()
        self._overrides: Sequence[str] = ()

    def read(self, folder: Path) -> None:
        """Reads what was asked for, while the file that says it has its secrets."""
        self._overrides = self._overrides or read_overrides(folder)

    def open_run(self, config: ExperimentConfig, folder: Path) -> str | None:
        """Returns the key of the sweep's run, opened for the first job; None where none is kept.

        Args:
            config: A job that is about to start, in whose store and experiment the run is.
            folder: The sweep's.

        Raises:
            ConfigError: If the store cannot be opened, or the experiment was deleted in it.
        """
        if self._tracker.key is None and isinstance(config.tracking, StoreTrackingConfig):
            self.read(folder)
            command = self._repeat_command(self._overrides)
            self._tracker = start_sweep(
                config,
                config.tracking,
                RunContext(self._overrides, folder, command=shlex.join(command)),
                _SOURCE,
                name=name_sweep(self._overrides),
            )
        return self._tracker.key

    def run_job(self, overrides: Sequence[str], job: Callable[[], RunOutcome]) -> RunOutcome:
        """Runs `job`, notes how it ended, and returns or raises what it does."""
        settings = read_settings(overrides)
        number = len(self._jobs)
        try:
            outcome = job()
        except BaseException as error:
            status = Status.FAILED if isinstance(error, Exception) else Status.KILLED
            (line, *_) = "".join(traceback.format_exception_only(error)).splitlines()
            self._jobs.append(JobResult(number, settings, status.value, {}, None, line))
            raise
        self._jobs.append(
            JobResult(number, settings, Status.FINISHED.value, outcome.metrics, outcome.run_id)
        )
        return outcome

    def __enter__(self) -> Self:
        """Returns the sweep, to which jobs are to come."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Logs and shows what came of the jobs, and closes the run with its true status.

        Raises:
            TrackingError: If the block ended well and the store did not take all of it.
        """
        if not self._jobs:
            return
        # These import rich.
        from runner.console import Reporter
        from runner.sweep.table import print_sweep

        with Reporter([]), hold_signals():
            result = summarize_jobs(self._jobs)
            print_sweep(result, self._describe_run())
            try:
                try:
                    self._tracker.log_result(result)
                finally:
                    self._tracker.close(_end(error, result.counts), error)
            except TrackingError as lost:
                if error is None:
                    raise
                log.error("%s", lost)

    def _describe_run(self) -> list[str]:
        run_id = self._tracker.run_id
        if run_id is None:
            return []
        command = " ".join(self._open_command(self._overrides))
        return [f"sweep    {run_id}", f"open     {command} --run {run_id}"]


def _end(error: BaseException | None, counts: Counter[str]) -> Status:
    if error is not None and not isinstance(error, Exception):
        return Status.KILLED
    is_whole = error is None and set(counts) == {Status.FINISHED.value}
    return Status.FINISHED if is_whole else Status.FAILED
