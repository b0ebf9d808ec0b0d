"""Whole runs of Feedfetch in one process."""

import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from runner.composition import compose_config
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

import numpy as np
from rich.console import Console

from runner.clock import PhaseClock
from runner.config import ExperimentConfig
from runner.console import Reporter
from runner.experiment import run_experiment
from runner.results import Result, SplitResult, Started
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext

_STATUS = Path("/proc/self/status")


class _Stopwatch(Reporter):
    """Shows nothing, and notes when training started and ended."""

    def __init__(self) -> None:
        super().__init__([], Console(file=io.StringIO()))
        self.started = self.ended = 0.0

    def show_result(self, result: Result) -> None:
        match result:
            case Started():
                self.started = time.perf_counter()
            case SplitResult(split="train" | "validation"):
                self.ended = time.perf_counter()


def time_run(overrides: list[str], folder: Path) -> tuple[float, float]:
    """Returns the seconds of a run's training and of all of it, its store made before.

    Args:
        overrides: What Hydra composes the run from.
        folder: Where the run writes.
    """
    config = compose_config(overrides)
    prepare_store(config.tracking)
    stopwatch = _Stopwatch()
    start = time.perf_counter()
    _run(config, overrides, folder, stopwatch)
    return stopwatch.ended - stopwatch.started, time.perf_counter() - start


def measure_resident(overrides: list[str], runs: int) -> np.ndarray:
    """Returns the resident memory of this process after each of `runs` runs, in bytes."""
    return np.array(list(_measure_resident(overrides, runs)))


def _measure_resident(overrides: list[str], runs: int) -> Iterator[int]:
    config = compose_config(overrides)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            _run(config, overrides, Path(folder), _Stopwatch())
            yield _resident_bytes()


def _run(config: ExperimentConfig, overrides: list[str], folder: Path, reporter: Reporter) -> None:
    context = RunContext(overrides=overrides, output_dir=folder)
    with reporter:
        run_experiment(config, context, reporter, PhaseClock())


def _resident_bytes() -> int:
    """Returns what Linux tells of this process."""
    (line,) = (one for one in _STATUS.read_text().splitlines() if one.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
