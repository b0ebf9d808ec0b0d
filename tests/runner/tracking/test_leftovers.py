"""Runs that a real store holds as RUNNING without a process."""

import os

import pytest

from runner.tracking.folders import digest_folder
from runner.tracking.leftovers import close_left_running
from runner.tracking.liveness import describe_place, describe_process
from tests.stores import Store


@pytest.fixture
def add(tmp_path):
    """Returns what adds a run whose spool is in a folder and whose process is gone, or is not."""
    store = Store(tmp_path)
    gone = f"{os.getpid()} 0 {describe_place()}"

    def add(folder, process=gone, **tags):
        place = {"feedfetch.process": process, "feedfetch.spool": digest_folder(folder)}
        return store.add("a run", status="RUNNING", tags={**place, **tags})

    add.store = store
    return add


def close(store, folder):
    return list(close_left_running(store.client, [store.experiment("digits")], folder))


def test_a_run_is_closed_where_its_spool_should_be(add, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    mine, other = add(here), add(there)
    assert close(add.store, here) == [mine]
    assert add.store.client.get_run(mine).info.status == "KILLED"
    assert add.store.client.get_run(other).info.status == "RUNNING"
    assert close(add.store, here / ".." / "there") == [other]


def test_a_run_with_a_spool_or_a_process_is_left_alone(add, tmp_path):
    tmp_path.joinpath("first.spool").touch()
    add(tmp_path, **{"feedfetch.run": "first"})
    add(tmp_path, process=describe_process())
    assert close(add.store, tmp_path) == []
