"""What a run has to say to its store, in the order in which it came to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.config import StoreTrackingConfig
from runner.results import Result
from runner.tracking.tracker import Status


@dataclass(frozen=True)
class RunStarted:
    """A run is to be created; the first entry.

    Attributes:
        tracking: The store, and what of the run is kept there; its tags are among the run's.
        name: The run's name.
        tags: Its labels.
        params: What it was configured with, by dotted path.
        output_dir: The run's folder, which holds the composed configuration and the log.
        overrides: What the user wrote on the command line, after the verb if there is one.
        changes: What the defaults have where the configuration has something else, by dotted path.
        key: What the run is known by before the store has given it an id, and found again by.
        parent: The key of the sweep's run that it is nested under; None for none.
        process: Its process, as ``describe_process`` tells of it; None where that is not known.
        files: Texts that are kept as artifacts, by their paths.
    """

    tracking: StoreTrackingConfig = field(metadata={"is_shown": False})
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    output_dir: Path
    overrides: tuple[str, ...] = ()
    changes: Mapping[str, str | None] = field(default_factory=dict)
    key: str = ""
    parent: str | None = None
    process: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TagsAdded:
    """Further labels of the run."""

    tags: Mapping[str, str]


@dataclass(frozen=True)
class ResultLogged:
    """What a task yielded."""

    result: Result


@dataclass(frozen=True)
class MetricsSampled:
    """What was measured beside the steps, such as what the machine was used for.

    Attributes:
        metrics: The values by name.
        sample: Which sample of them it is, counted from 0.
    """

    metrics: Mapping[str, float]
    sample: int


@dataclass(frozen=True)
class PhasesTimed:
    """The wall time of each phase."""

    seconds: Mapping[str, float]


@dataclass(frozen=True)
class RunEnded:
    """The run's true status; the last entry.

    Attributes:
        status: How it ended.
        error: The traceback of what ended it, or None.
    """

    status: Status
    error: str | None


Entry = RunStarted | TagsAdded | ResultLogged | MetricsSampled | PhasesTimed | RunEnded
