"""What is said of data, code and environment that are not as they were."""

from importlib.metadata import version

import pytest

from runner.differences import (
    LoggedData,
    compare_changes,
    compare_data,
    compare_environment,
    compare_machines,
    compare_packages,
    compare_tag,
)
from runner.results import DataResult, SplitSummary

COMMIT = "mlflow.source.git.commit"
BEFORE = LoggedData("/a.csv", "d1", "s1", {"train": ("t1", 80), "test": ("e1", 20)})


def texts(differences):
    return [str(one) for one in differences]


def data(source="/a.csv", digest="d1", source_digest="s1", train=("t1", 80), test=("e1", 20)):
    splits = {"train": train, "test": test}
    return DataResult(
        name="table",
        source=source,
        digest=digest,
        source_digest=source_digest,
        features={},
        labels={},
        splits={name: SplitSummary(each[1], each[0], {}) for name, each in splits.items() if each},
    )


def test_data_that_are_the_same_are_no_difference():
    assert not texts(compare_data(BEFORE, data()))


def test_one_row_is_told_once_by_file_whole_and_split():
    assert texts(compare_data(BEFORE, data(digest="d2", source_digest="s2", test=("e2", 20)))) == [
        "data: /a.csv has changed, by digest: the file was s1 and is s2; all that is read was d1 "
        "and is d2; split test (20 rows) was e1 and is e2"
    ]


def test_rows_that_came_are_counted():
    (told,) = texts(compare_data(BEFORE, data(digest="d2", train=("t2", 81))))
    assert told.endswith("; split train (81 rows, 80 before) was t1 and is t2")


def test_another_source_and_another_split_are_told():
    told = texts(compare_data(BEFORE, data(source="/b.csv", digest="d2", test=None)))
    assert told == [
        "data: it was /a.csv and is /b.csv, by digest: all that is read was d1 and is d2; "
        "split test: the run had it, and now there is none"
    ]


def test_a_file_that_is_read_as_it_was_is_told_too():
    assert texts(compare_data(BEFORE, data(source_digest="s2"))) == [
        "data: /a.csv has changed, but not what is read of it: the file was s1 and is s2"
    ]


def test_other_splits_of_the_same_data_are_told_where_nothing_explains_them():
    now = data(test=("e2", 20))
    told = "data: the splits are others, by digest: split test (20 rows) was e1 and is e2"
    assert texts(compare_data(BEFORE, now)) == [told]
    assert not texts(compare_data(BEFORE, now, is_split_anew=True))
    (told,) = texts(compare_data(BEFORE, data(digest="d2", test=("e2", 20)), is_split_anew=True))
    assert told.startswith("data: /a.csv has changed, by digest: all that is read was d1 and is d2")


def test_data_that_were_not_logged_cannot_be_compared():
    (told,) = compare_data(LoggedData("", "", "", {}), data())
    assert not told.is_known


def test_another_commit_and_another_version_are_told():
    before = {COMMIT: "a" * 40, "version.keras": "3.14.0", "host": "one", "git.dirty": "false"}
    now = {COMMIT: "b" * 40, "version.keras": "3.15.0", "host": "one", "git.dirty": "true"}
    assert texts(compare_environment(before, now)) == [
        "code: the commit was aaaaaaaaaaaa and is bbbbbbbbbbbb",
        "environment: keras was 3.14.0 and is 3.15.0",
    ]


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (
            "true",
            "false",
            ["code: the run had changes that were not committed, and there are none"],
        ),
        ("false", "true", ["code: there are changes that are not committed, and the run had none"]),
        ("false", "false", []),
    ],
)
def test_changes_that_are_not_committed_are_told(before, now, told):
    tags = ({"git.dirty": each} for each in (before, now))
    found = texts(compare_changes(*tags, patch=None, patch_now=None))
    assert [text.removesuffix(" now") for text in found] == told


def test_changes_are_compared_where_they_are_known():
    dirty = {"git.dirty": "true"}
    (told,) = compare_changes(dirty, dirty, patch=None, patch_now="+ x")
    assert not told.is_known
    assert not list(compare_changes(dirty, dirty, patch="+ x\n", patch_now="+ x"))
    (told,) = compare_changes(dirty, dirty, patch="+ x", patch_now="+ y")
    assert str(told) == "code: the changes that are not committed are others"


def test_packages_are_compared_with_their_pins():
    numpy = version("numpy")
    pins = f"# all\nnumpy==1.0\nPyYAML=={version('PyYAML')}\nnone-such==2.1\nkeras==1.0\n"
    assert texts(compare_packages(pins, {"version.keras": "3"})) == [
        f"environment: numpy was 1.0 and is {numpy}",
        "environment: none-such was 2.1 and is not installed",
    ]


def test_machines_are_compared_by_name():
    assert texts(compare_machines("cpu: A\ncores: 2\n", "cpu: B\ncores: 2\n")) == [
        "environment: cpu was A and is B"
    ]


def test_a_label_that_one_lacks_is_no_difference():
    assert not list(compare_tag("plan", "the plan", None, "loop"))
    (told,) = compare_tag("plan", "the plan", "loop", "step")
    assert str(told) == "plan: the plan was 'loop' and is 'step'"
