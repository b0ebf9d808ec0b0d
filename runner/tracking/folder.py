"""Keeps in a run's folder what a later command takes over from it, where no store does."""

from pathlib import Path

from runner.results import Result, WeightsResult
from runner.tracking.archives import write_arrays
from runner.tracking.runs import WEIGHTS
from runner.tracking.tracker import NullTracker


class FolderTracker(NullTracker):
    """Keeps the weights that a run ended with in its folder, and nothing else."""

    def __init__(self, folder: Path) -> None:
        """Keeps them in `folder`."""
        self._folder = folder

    def log_result(self, result: Result) -> None:
        """Writes weights; drops any other result."""
        if isinstance(result, WeightsResult):
            write_arrays(self._folder / Path(WEIGHTS).name, result.arrays)
