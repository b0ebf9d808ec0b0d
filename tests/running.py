"""Runs an experiment in this process, and keeps what it logged."""

import io

from rich.console import Console

import runner.experiment
from runner.clock import PhaseClock
from runner.console import Reporter
from runner.tracking.tracker import NullTracker, RunContext


class ListTracker(NullTracker):
    """Keeps results in a list."""

    def __init__(self):
        self.results = []

    def log_result(self, result):
        self.results.append(result)

    def find(self, kind):
        """Returns the results of a class, the last one last."""
        return [result for result in self.results if type(result) is kind]


def run_here(config, folder, monkeypatch):
    """Returns the tracker of a run of `config` in `folder`."""
    tracker = ListTracker()
    monkeypatch.setattr(runner.experiment, "_open_tracker", lambda *_: tracker)
    reporter = Reporter([], Console(file=io.StringIO()))
    runner.experiment.run_experiment(config, RunContext([], folder), reporter, PhaseClock())
    return tracker
