"""All of a run, read from a real store."""

from contextlib import closing

import pytest

from runner.tracking.finding import find_run
from runner.tracking.folders import place_folder
from runner.tracking.pages import Artifact, Best, read_page
from runner.tracking.spool import SpoolWriter
from tests.stores import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


def test_a_page_holds_all_of_a_run(store):
    folder = store.folder / "runs" / "1"
    folder.mkdir(parents=True)
    spools = store.folder / "spool"
    spools.mkdir()
    (spools / "20260412T093011-482-5d0c.spool").touch()
    sweep = store.add("sweep", age=100)
    key = store.add(
        "job",
        parent=sweep,
        status="FAILED",
        metrics={"validation/loss": [3, 1, 2], "train/accuracy": [0.1, 0.3], "test/loss": 4},
        tags={"folder": place_folder(folder), "feedfetch.run": "20260412T093011-482-5d0c"},
        texts={"error.txt": "Traceback:\n  here\nStepError: not finite\n", "a/b/c.txt": "four"},
        inputs=[("train", "abc", 7)],
    )
    page = read_page(store.client, find_run(store.client, key), spools)
    assert page.best == {"train/accuracy": Best(0.3, 1), "validation/loss": Best(1.0, 1)}
    assert page.error == "StepError: not finite"
    assert set(page.artifacts) == {Artifact("a/b/c.txt", 4), Artifact("error.txt", 40)}
    assert page.parent.run_id == sweep
    assert page.folder == folder
    assert page.spool == spools / "20260412T093011-482-5d0c.spool"
    (given,) = page.run.inputs
    assert (given.split, given.digest, given.profile) == ("train", "abc", '{"num_rows": 7}')
    assert not page.is_going_on
    page.spool.unlink()
    with closing(SpoolWriter(page.spool)):
        assert read_page(store.client, page.run, spools).is_going_on
    above = read_page(store.client, find_run(store.client, sweep), spools)
    assert above.spool is None
    assert [job.run_id for job in above.jobs] == [key]


def test_a_page_names_the_models_and_what_they_are_registered_as(store):
    key = store.add("trained")
    experiment = store.experiment("digits")
    model = store.client.create_logged_model(experiment, name="model", source_run_id=key)
    store.client.create_registered_model("mine")
    store.client.create_model_version("mine", model.artifact_location)
    (shown,) = read_page(store.client, find_run(store.client, key), store.folder).models
    assert (shown.model_id, shown.name, shown.versions) == (
        model.model_id,
        "model",
        ("mine version 1",),
    )


def test_a_job_whose_sweep_is_gone_has_no_parent(store):
    key = store.add("orphan", parent="f" * 32)
    assert read_page(store.client, find_run(store.client, key), store.folder).parent is None
