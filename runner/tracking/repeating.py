"""Holds a run beside the one that it repeats: what is not as it was, and what came of it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.problems import ConfigError, Problem
from runner.comparison import Comparison, Values, compare_runs, metric_values
from runner.differences import (
    DATA,
    ENVIRONMENT,
    OVERRIDE,
    PLAN,
    Difference,
    compare_changes,
    compare_data,
    compare_environment,
    compare_machines,
    compare_packages,
    compare_tag,
)
from runner.results import DataResult, PlanResult, PredictionsWritten, Result
from runner.secrets import redact
from runner.tracking.environment import format_machine
from runner.tracking.metadata import collect_metadata, format_patch
from runner.tracking.metrics import list_arrays, list_metrics
from runner.tracking.origin import PREDICTIONS, Origin
from runner.tracking.tracker import Status, Tracker

# Overrides by which rows of the same data come to other splits.
_OF_SPLITS = ("seed=", "data.split", "data.fold")
VERDICT = "rerun.verdict"
# What is taken from files beside the data, by the label that has its digest.
_FILES = {
    "pretrained.digest": "the digest of the weights of pretrained.source",
    "feeds.digest": "the digest of what is fed",
}

log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What a run has logged so far.

    Attributes:
        metrics: Step and value of each entry, by name.
        arrays: Weights, fetches and predictions, by name.
        tags: Its labels, the plan among them.
    """

    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Adds what a task yielded."""
        for name, step, value in list_metrics(result):
            self.metrics.setdefault(name, []).append((step, value))
        self.arrays |= dict(list_arrays(result))
        match result:
            case PlanResult():
                self.tags["plan"] = result.plan
            case PredictionsWritten():
                # This imports Arrow.
                from runner.predictions import read_predictions

                told = read_predictions(result.file)
                self.arrays |= {f"{PREDICTIONS}/{name}": array for name, array in told.items()}

    @property
    def values(self) -> dict[str, Values]:
        """All of it by name, as a run's origin has it."""
        metrics = {name: metric_values(entries) for name, entries in self.metrics.items()}
        return metrics | {name: Values(array) for name, array in self.arrays.items()}


@dataclass(frozen=True)
class _Surroundings:
    """What a run is made with and in.

    Attributes:
        tags: Commit, versions, host.
        patch: Changes that are not committed; None where they are not known.
        machine: CPU, memory and GPUs as YAML; None where they are not known.
    """

    tags: Mapping[str, str]
    patch: str | None = None
    machine: str | None = None


def _look_around(source: Path) -> _Surroundings:
    """Returns what there is now, as a run would log it."""
    patch = format_patch(source)
    return _Surroundings(
        collect_metadata(source),
        None if patch is None else redact(patch),
        redact(format_machine()),
    )


def _compare_surroundings(origin: Origin, now: _Surroundings) -> Iterator[Difference]:
    yield from compare_environment(origin.tags, now.tags)
    yield from compare_changes(origin.tags, now.tags, patch=origin.patch, patch_now=now.patch)
    yield from compare_packages(origin.requirements or "", now.tags)
    if origin.machine is not None and now.machine is not None:
        yield from compare_machines(origin.machine, now.machine)


class Repetition:
    """Compares a run with the one that it repeats: what it begins with, and what it logs."""

    def __init__(
        self,
        origin: Origin,
        intended: Sequence[Difference],
        source: Path,
        *,
        tolerance: float,
        is_strict: bool,
    ) -> None:
        """Compares what can be before the run begins.

        Args:
            origin: The run that is repeated.
            intended: What is to be otherwise.
            source: A folder of the code.
            tolerance: The largest relative difference of values that is within it.
            is_strict: Whether other data are refused.
        """
        self.origin = origin
        self.differences = list(intended)
        self.comparison: Comparison | None = None
        self._tolerance = tolerance
        self._is_strict = is_strict
        self._is_split_anew = any(one.text.startswith(_OF_SPLITS) for one in intended)
        self.differences += _compare_surroundings(origin, _look_around(source))

    def look_at_data(self, data: DataResult, files: Mapping[str, str]) -> None:
        """Tells of all that is not as it was, the data among it.

        Args:
            data: What is read of the data.
            files: The digests of files beside it, by the labels that they are logged as.

        Raises:
            ConfigError: If the data or the files are others, and it is strict.
        """
        found = list(compare_data(self.origin.data, data, is_split_anew=self._is_split_anew))
        for name, what in _FILES.items():
            found += compare_tag(DATA, what, self.origin.tags.get(name), files.get(name))
        is_refused = self._is_strict and bool(found)
        self.differences += [] if is_refused else found
        for one in self.differences:
            if one.kind == OVERRIDE:
                log.info("%s", one)
            else:
                log.warning("%s", one)
        if is_refused:
            raise ConfigError([Problem(DATA, f"{one.text}.") for one in found])

    def follow(self, tracker: Tracker) -> Tracker:
        """Returns `tracker`, which notes what is logged, and adds the verdict at the end."""
        return _FollowedTracker(tracker, self)

    def conclude(self, seen: Seen) -> Mapping[str, str]:
        """Compares what both runs logged, and returns the label that says how alike it is."""
        self.differences += compare_tag(
            PLAN, "the plan", self.origin.tags.get("plan"), seen.tags.get("plan")
        )
        self.differences += compare_tag(
            ENVIRONMENT, "the devices", self.origin.tags.get("devices"), seen.tags.get("devices")
        )
        self.comparison = compare_runs(
            self.origin.values,
            seen.values,
            tolerance=self._tolerance,
            is_whole=self.origin.is_whole,
        )
        verdict = self.comparison.verdict
        return {} if verdict is None else {VERDICT: verdict.value}


class _FollowedTracker:
    """A tracker whose run is held beside another."""

    def __init__(self, tracker: Tracker, repetition: Repetition) -> None:
        self._tracker = tracker
        self._repetition = repetition
        self._seen = Seen()

    @property
    def run_id(self) -> str | None:
        """The run's id, or None where none is kept."""
        return self._tracker.run_id

    @property
    def key(self) -> str | None:
        """What runs that are nested under this one know it by."""
        return self._tracker.key

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""
        self._seen.tags |= tags
        self._tracker.log_tags(tags)

    def log_result(self, result: Result) -> None:
        """Logs what a task yielded."""
        self._seen.add(result)
        self._tracker.log_result(result)

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Logs the wall time of each phase."""
        self._tracker.log_seconds(seconds)

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Adds the verdict, then closes the run."""
        try:
            self._tracker.log_tags(self._repetition.conclude(self._seen))
        finally:
            # As on a full disk, that takes the status but no more.
            self._tracker.close(status, error)
