"""What a tracker is, and who owns a run's start and end."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

import numpy as np

from runner.resolved import Hidden
from runner.results import DataResult, Result
from runner.signals import hold_signals

log = logging.getLogger(__name__)


class Status(Enum):
    """How a run ended, in MLflow's terms."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True)
class RunContext:
    """How a run came to be.

    Attributes:
        overrides: What the user wrote on the command line.
        output_dir: The run's folder, which holds the composed configuration and the log.
        parent: The key of the run of the sweep that it is of; None for none.
        resolved: The whole configuration as YAML, with what its data was found to be.
        weights: The values of variables by name that the run in ``from_run`` ended with.
        tags: Labels beside those that every run has.
        verb: What stands before the overrides on the command line, ``rerun RUN``; none for a run
            that is declared by them alone.
        witness: Who sees what the run does; None for none.
        changes: By dotted path, what the defaults have where the configuration has something else;
            None where they have nothing.
        hidden: What of the configuration is not shown; see ``runner.resolved``.
        command: What repeats the run, as typed.
        number: The run's place in its sweep, counted from 0; None for none.
    """

    overrides: Sequence[str]
    output_dir: Path
    parent: str | None = None
    resolved: str = ""
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    verb: Sequence[str] = ()
    witness: "Witness | None" = None
    changes: Mapping[str, str | None] = field(default_factory=dict)
    hidden: Hidden = field(default_factory=dict)
    command: str = ""
    number: int | None = None


class TrackingError(Exception):
    """What a run has to say was not taken; the message says by what, and where the rest is kept."""


class Tracker(Protocol):
    """Somewhere that a run is logged."""

    @property
    def run_id(self) -> str | None:
        """The run's id, or None where none is kept, or the store has not been reached yet."""

    @property
    def key(self) -> str | None:
        """What runs that are nested under this one know it by; None where none is kept."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""

    def log_result(self, result: Result) -> None:
        """Logs what a task yielded."""

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Logs the wall time of each phase."""

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Writes all that is still to be written, and the run's true status.

        Raises:
            TrackingError: If the store did not take all of it.
        """


class Witness(Protocol):
    """Sees what a run reads, and all that it logs."""

    def look_at_data(self, data: DataResult, files: Mapping[str, str]) -> None:
        """Sees what the data of the run were found to be, before a step is taken.

        Args:
            data: What is read of the data.
            files: The digests of files beside it, by the labels that they are logged as.

        Raises:
            ConfigError: If it is not to be run with them.
        """

    def follow(self, tracker: Tracker) -> Tracker:
        """Returns `tracker`, seen at work."""


class NullTracker:
    """Keeps nothing."""

    run_id: str | None = None
    key: str | None = None

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Drops `tags`."""

    def log_result(self, result: Result) -> None:
        """Drops `result`."""

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Drops `seconds`."""

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Does nothing."""


@contextmanager
def closing(tracker: Tracker) -> Iterator[Tracker]:
    """Yields `tracker` and closes it with the status that the block ended in.

    An exception that is no ``Exception``, such as an interrupt, means KILLED; any other FAILED.

    Raises:
        TrackingError: If the block ends well and the store did not take all of it.
    """
    try:
        yield tracker
    except BaseException as error:
        status = Status.FAILED if isinstance(error, Exception) else Status.KILLED
        try:
            with hold_signals():
                tracker.close(status, error)
        except TrackingError as lost:
            # What ended the run is what its user has to know first.
            log.error("%s", lost)
        raise
    with hold_signals():
        tracker.close(Status.FINISHED)
