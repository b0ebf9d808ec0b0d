"""Keeps in a run's folder what a later command takes over from it, where no store does."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from runner.differences import LoggedData
from runner.results import DataResult, PlanResult, Result, WeightsResult
from runner.secrets import redact_all
from runner.tracking.archives import write_arrays
from runner.tracking.metrics import list_metrics
from runner.tracking.runs import WEIGHTS
from runner.tracking.tracker import NullTracker, Status

LOGGED = "logged.json"
METRICS = "metrics.npz"


class FolderTracker(NullTracker):
    """Keeps the weights that a run ended with in its folder, its metrics, and what it ran on."""

    def __init__(self, folder: Path, name: str, tags: Mapping[str, str]) -> None:
        """Keeps them in `folder`.

        Args:
            folder: The run's.
            name: The run's name.
            tags: Its labels.
        """
        self._folder = folder
        self._name = name
        self._tags = dict(tags)
        self._data = LoggedData("", "", "", {})
        self._metrics: dict[str, list[tuple[int, float]]] = {}

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""
        self._tags |= tags

    def log_result(self, result: Result) -> None:
        """Writes weights; keeps metrics, the digests of data and the plan for the end."""
        for name, step, value in list_metrics(result):
            self._metrics.setdefault(name, []).append((step, value))
        match result:
            case WeightsResult():
                write_arrays(self._folder / Path(WEIGHTS).name, result.arrays)
            case DataResult():
                self._data = describe_logged(result)
            case PlanResult():
                self._tags["plan"] = result.plan

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Writes what was kept, and how the run ended."""
        arrays = {name: np.asarray(entries) for name, entries in self._metrics.items()}
        write_arrays(self._folder / METRICS, arrays)
        logged = {
            "name": self._name,
            "status": status.value,
            "tags": self._tags,
            "data": asdict(self._data),
        }
        text = json.dumps(redact_all(logged), indent=1)
        (self._folder / LOGGED).write_text(text, encoding="utf-8")


def describe_logged(result: DataResult) -> LoggedData:
    """Returns what is kept of a run's data."""
    return LoggedData(
        source=result.source,
        digest=result.digest,
        source_digest=result.source_digest or "",
        splits={name: (split.digest, split.examples) for name, split in result.splits.items()},
    )
