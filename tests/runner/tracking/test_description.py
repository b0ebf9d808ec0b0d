"""What a run says of itself in words."""

from pathlib import Path

import pytest

from runner.results import (
    DataResult,
    JobGroup,
    JobResult,
    PlanResult,
    SplitResult,
    SplitSummary,
    Spread,
    StopResult,
    SweepResult,
)
from runner.tracking.description import Description
from runner.tracking.entries import PhasesTimed, ResultLogged, RunStarted
from runner.tracking.tracker import Status

TAGS = {
    "task": "train",
    "model": "cnn",
    "data": "digits",
    "seed": "3",
    "command": "python -m runner seed=3",
    "mlflow.source.git.commit": "0123456789abcdef",
    "mlflow.source.git.branch": "main",
    "git.dirty": "true",
}
RESULTS = (
    DataResult(
        "digits", "scikit-learn", "d1", None, {}, {}, {"train": SplitSummary(1258, "d2", {})}
    ),
    PlanResult("loop", {}, {}, ()),
    SplitResult("train", 1, 4, {"loss": 0.5}),
    SplitResult("test", 1, 4, {"loss": 0.25, "accuracy": 0.98765}),
    StopResult(4, "patience", None),
)


@pytest.fixture
def describe(compose):
    def describe(*results, changes=None, params=None, error=None, tags=TAGS):
        tracking = compose().tracking
        started = RunStarted(tracking, "a name", tags, params or {}, Path(), changes=changes or {})
        description = Description(started)
        for result in results:
            description.add(ResultLogged(result))
        description.add(PhasesTimed({"train": 3.0, "import": 1.0, "fetch": 0.001}))
        description.end(Status.FINISHED if error is None else Status.FAILED, error)
        return description.format()

    return describe


def test_a_run_tells_its_result_data_command_and_time(describe):
    text = describe(*RESULTS)
    first, *notes = text.partition("\n\n")[0].splitlines()
    assert first == (
        "FINISHED: train of **cnn** on **digits**: test loss **0.25**, accuracy **0.9877**."
    )
    assert notes == [
        "Steps were put to the Session by the plan *loop*.",
        "It stopped after step 4: patience.",
    ]
    assert "|  | train | test |\n| --- | --- | --- |\n| loss | 0.5 | 0.25 |" in text
    assert "scikit-learn; examples: 1,258 train; digest `d1`." in text
    assert "```\npython -m runner seed=3\n```\nCommit `0123456789ab` of `main`" in text
    assert "with changes that are in `code/diff.patch`; seed 3." in text
    assert "### Time\n4.0 s: train 3.0 s (75%), import 1.0 s (25%)." in text


def test_what_differs_from_the_defaults_is_told_with_them(describe):
    text = describe(
        changes={"a.b": "1", "new": None, "file": "???", "tracking.pictures": "3"},
        params={"a.b": "2 | `x`", "new": "y", "file": "z"},
    )
    assert "| `a.b` | `2 \\| 'x'` | `1` |\n| `new` | `y` |  |\n| `file` | `z` |  |" in text
    assert "pictures" not in text


def test_it_stays_within_what_a_tag_holds(describe):
    changes = {f"model.layers.{index}": "d" * 500 for index in range(500)}
    text = describe(changes=changes, params=dict.fromkeys(changes, "v" * 500))
    assert len(text) <= 8000
    assert "`model.layers.39`" in text
    assert "460 more are in config/resolved.yaml." in text
    assert "python -m runner seed=3" in text


def test_a_failed_run_tells_its_error(describe):
    text = describe(error=ValueError("conv1 is not finite"))
    assert text.startswith("FAILED: train of **cnn** on **digits**.\n")
    assert "```\nValueError: conv1 is not finite\n```" in text


def test_a_run_that_goes_on_has_one(compose):
    started = RunStarted(compose().tracking, "a name", TAGS, {}, Path())
    assert Description(started).format().startswith("train of **cnn** on **digits**.\n")


def test_a_sweep_lists_its_jobs_and_what_repeats(describe):
    jobs = (
        JobResult(0, {"seed": "0"}, "FINISHED", {"test/loss": 0.5}, "r0"),
        JobResult(1, {"seed": "1"}, "FAILED", {}, None, "ValueError: no"),
    )
    spread = Spread(2, 0.5, 0.1, 0.25, float("nan"))
    sweep = SweepResult(jobs, ("seed",), (JobGroup({}, 2, {"test/loss": spread}),))
    text = describe(sweep, tags={"command": "python -m runner -m seed=0,1"})
    assert text.startswith("FINISHED: sweep of `a name`.")
    assert "| job | seed | status | test/loss |" in text
    assert "| [0](#/runs/r0) | 0 | FINISHED | 0.5 |\n| 1 | 1 | FAILED |  |" in text
    assert "| test/loss | 2 | 0.5 | 0.1 | 0.25 |  |" in text
