"""A run beside the one that it repeats: what is told, what is refused, and the verdict."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from models.problems import ConfigError
from runner.comparison import Verdict, metric_values
from runner.differences import OVERRIDE, Difference, LoggedData
from runner.results import PlanResult, SplitResult
from runner.tracking import metadata
from runner.tracking.metadata import collect_metadata
from runner.tracking.origin import Origin
from runner.tracking.repeating import Repetition
from runner.tracking.tracker import NullTracker, Status, TrackingError
from tests.runner.tracking.test_origin import DATA

SOURCE = Path(__file__).parent
LOGGED = LoggedData("/a.npz", "d1", "s1", {"test": ("e1", 20)})


class Notes(NullTracker):
    def __init__(self):
        self.tags = {}

    def log_tags(self, tags):
        self.tags |= tags


def repeat(*, tags=None, intended=(), is_strict=False, values=None):
    known = {**collect_metadata(SOURCE), "git.dirty": "false", "plan": "step", **(tags or {})}
    values = values or {"test/loss": metric_values([(0, 0.5)])}
    origin = Origin("abc", "cnn", "FINISHED", {}, known, LOGGED, values)
    return Repetition(origin, intended, SOURCE, tolerance=1e-6, is_strict=is_strict)


@pytest.fixture(autouse=True)
def _clean_tree(monkeypatch):
    tags = metadata._git_tags(SOURCE)
    monkeypatch.setattr(metadata, "_git_tags", lambda _: {**tags, "git.dirty": "false"})


def test_nothing_is_told_where_all_is_as_it_was(caplog):
    repetition = repeat()
    repetition.look_at_data(DATA, {})
    assert not repetition.differences
    assert not caplog.messages


def test_a_package_of_another_version_is_told_in_a_line(caplog, monkeypatch):
    found = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.9" if name == "keras" else found(name))
    repetition = repeat(tags={"version.keras": found("keras")})
    repetition.look_at_data(DATA, {})
    assert caplog.messages == [f"environment: keras was {found('keras')} and is 9.9"]


def test_another_commit_is_told_in_a_line(caplog):
    repetition = repeat(tags={"mlflow.source.git.commit": "a" * 40})
    repetition.look_at_data(DATA, {})
    (told,) = caplog.messages
    assert told.startswith("code: the commit was aaaaaaaaaaaa and is ")


def test_overrides_are_no_warnings(caplog):
    caplog.set_level(logging.INFO)
    repetition = repeat(intended=[Difference(OVERRIDE, "seed=1, was 0")])
    repetition.look_at_data(DATA, {})
    (record,) = caplog.records
    assert (record.levelname, record.message) == ("INFO", "override: seed=1, was 0")


def test_other_data_are_told_or_refused(caplog):
    other = replace(DATA, digest="d2")
    repeat().look_at_data(other, {})
    told = "data: /a.npz has changed, by digest: all that is read was d1 and is d2"
    assert caplog.messages == [told]
    with pytest.raises(ConfigError, match=r"^data: /a\.npz has changed, .* and is d2\.$"):
        repeat(is_strict=True).look_at_data(other, {})


@pytest.mark.parametrize("text", ["seed=1, was 0", "data.split.test=0.5, was 0.2", "data.fold=1"])
def test_splits_that_follow_from_an_override_are_no_other_data(caplog, text):
    splits = {"test": replace(DATA.splits["test"], digest="e2")}
    other = replace(DATA, splits=splits)
    repeat(intended=[Difference(OVERRIDE, text)], is_strict=True).look_at_data(other, {})
    repeat(intended=[Difference(OVERRIDE, "model=mlp")]).look_at_data(other, {})
    (told,) = caplog.messages
    assert told.startswith("data: the splits are others, by digest: split test (20 rows) was e1")


@pytest.mark.parametrize(
    ("loss", "verdict"), [(0.5, "bitwise"), (0.5 + 1e-9, "within_tolerance"), (0.6, "different")]
)
@pytest.mark.parametrize("status", list(Status))
def test_the_verdict_is_a_label_of_the_run(loss, verdict, status):
    repetition = repeat()
    notes = Notes()
    tracker = repetition.follow(notes)
    tracker.log_result(PlanResult("step", {}, {}, ()))
    tracker.log_result(SplitResult("test", 1, 3, {"loss": loss}))
    tracker.close(status)
    assert notes.tags == {"rerun.verdict": verdict}
    assert repetition.comparison.verdict is Verdict(verdict)
    assert not repetition.differences


def test_another_plan_and_other_devices_are_told():
    repetition = repeat(tags={"devices": "/CPU:0"})
    tracker = repetition.follow(NullTracker())
    tracker.log_tags({"devices": "/CPU:0, /GPU:0"})
    tracker.log_result(PlanResult("loop", {}, {}, ()))
    tracker.close(Status.FINISHED)
    assert list(map(str, repetition.differences)) == [
        "plan: the plan was 'step' and is 'loop'",
        "environment: the devices was '/CPU:0' and is '/CPU:0, /GPU:0'",
    ]


@pytest.mark.parametrize("is_strict", [False, True])
def test_other_files_of_weights_and_feeds_are_told_or_refused(is_strict):
    repetition = repeat(is_strict=is_strict, tags={"feeds.digest": "aa", "pretrained.digest": "bb"})
    told = "data: the digest of what is fed was 'aa' and is 'cc'"
    files = {"feeds.digest": "cc", "pretrained.digest": "bb"}
    if is_strict:
        with pytest.raises(ConfigError, match=f"^{told}.$"):
            repetition.look_at_data(DATA, files)
    else:
        repetition.look_at_data(DATA, files)
        assert list(map(str, repetition.differences)) == [told]


class Full(NullTracker):
    """Takes no labels, as on a full disk."""

    status = None

    def log_tags(self, tags):
        raise TrackingError("no space")

    def close(self, status, error=None):
        self.status = status


def test_a_run_whose_verdict_is_not_taken_is_closed():
    tracker = Full()
    with pytest.raises(TrackingError, match="no space"):
        repeat().follow(tracker).close(Status.FINISHED)
    assert tracker.status is Status.FINISHED


def test_runs_without_a_value_in_common_have_no_verdict():
    notes = Notes()
    repeat().follow(notes).close(Status.FAILED)
    assert notes.tags == {}
