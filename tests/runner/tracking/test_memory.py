"""Runs that are kept in memory."""

import numpy as np
import pytest

from runner.results import SplitResult, StepsResult
from runner.tracking.entries import PhasesTimed, ResultLogged, RunEnded, TagsAdded
from runner.tracking.memory import MemoryTracker
from runner.tracking.tracker import Status, closing

STEPS = StepsResult(1, 1, np.array([0.5, 0.25]), {})
EPOCH = SplitResult("train", 1, 2, {"loss": 0.375})


def test_what_a_run_says_is_kept_in_order():
    with closing(MemoryTracker()) as tracker:
        tracker.log_tags({"devices": "/CPU:0", "plan": "step"})
        tracker.log_result(STEPS)
        tracker.log_result(EPOCH)
        tracker.log_tags({"plan": "loop"})
        tracker.log_seconds({"train": 1.5})
        assert tracker.status is None
    assert tracker.status is Status.FINISHED
    assert tracker.entries == [
        TagsAdded({"devices": "/CPU:0", "plan": "step"}),
        ResultLogged(STEPS),
        ResultLogged(EPOCH),
        TagsAdded({"plan": "loop"}),
        PhasesTimed({"train": 1.5}),
        RunEnded(Status.FINISHED, None),
    ]
    assert tracker.tags == {"devices": "/CPU:0", "plan": "loop"}
    assert tracker.list_results(SplitResult) == [EPOCH]


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no"), Status.FAILED), (KeyboardInterrupt(), Status.KILLED)]
)
def test_a_run_in_memory_ends_with_its_true_status(error, status):
    tracker = MemoryTracker()
    with pytest.raises(type(error)), closing(tracker):
        raise error
    assert tracker.status is status
    assert type(error).__name__ in tracker.entries[-1].error
