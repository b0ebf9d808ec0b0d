"""What was deleted is deleted for good, and nothing that lives is touched, in a real store."""

import os
import time
from contextlib import closing

import pytest

from models.problems import ConfigError
from runner.tracking.collecting import Collector, read_age
from runner.tracking.entries import RunStarted
from runner.tracking.folders import place_folder
from runner.tracking.spool import SpoolWriter
from tests.stores import Store

DAY = 86_400


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def collector(store, *, older_ms=0):
    return Collector(store.tracking, store.folder, older_ms=older_ms)


def find(store, **given):
    return {(one.kind, one.key): one for one in collector(store, **given).find()}


def collect(store):
    one = collector(store)
    for garbage in one.find():
        one.delete(garbage)


def place(store, name, *, age=DAY, files=("feedfetch.log",), resolved=None, hydra=True):
    """Returns a folder of a run that was left alone for `age` seconds."""
    folder = store.folder / name
    folder.mkdir(parents=True)
    if hydra:
        (folder / ".hydra").mkdir()
    for file in files:
        (folder / file).write_text("x" * 10, encoding="utf-8")
    if resolved is not None:
        (folder / "resolved.yaml").write_text(resolved, encoding="utf-8")
    then = time.time() - age
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))
    return folder


def add(store, name, folder, **given):
    tags = {"folder": place_folder(folder)}
    return store.add(name, tags=tags, texts={"config/resolved.yaml": store.resolve()}, **given)


def test_a_store_in_which_nothing_was_deleted_has_nothing_to_delete(store):
    add(store, "living", place(store, "runs/day/1", resolved=store.resolve()))
    assert find(store) == {}


def test_a_deleted_run_goes_with_its_files_and_its_folder(store):
    folders = [place(store, f"runs/day/{number}", resolved=store.resolve()) for number in (1, 2)]
    gone, living = (
        add(store, name, folder) for name, folder in zip(("gone", "living"), folders, strict=True)
    )
    store.client.delete_run(gone)
    files = store.artifacts / "digits" / gone
    (garbage,) = find(store).values()
    assert (garbage.kind, garbage.key, garbage.name) == ("run", gone, "gone")
    assert garbage.paths == (files, folders[0])
    on_disk = [*files.rglob("*"), *folders[0].rglob("*")]
    assert garbage.bytes == sum(path.stat().st_size for path in on_disk if path.is_file())
    assert files.exists()

    collect(store)
    assert not files.exists()
    assert not folders[0].exists()
    assert folders[1].exists()
    assert (store.artifacts / "digits" / living).exists()
    assert store.client.get_run(living).info.lifecycle_stage == "active"
    with pytest.raises(Exception, match="not found"):
        store.client.get_run(gone)
    assert find(store) == {}


def test_what_was_deleted_lately_is_left_alone(store):
    run = store.add("gone")
    store.client.delete_run(run)
    assert find(store, older_ms=DAY * 1000) == {}
    assert ("run", run) in find(store)


def test_a_run_that_was_restored_meanwhile_lives_on(store):
    run = store.add("restored", texts={"a.txt": "a"})
    store.client.delete_run(run)
    (garbage,) = find(store).values()
    store.client.restore_run(run)
    collector(store).delete(garbage)
    assert store.client.get_run(run).info.lifecycle_stage == "active"
    assert (store.artifacts / "digits" / run / "artifacts" / "a.txt").exists()


def test_a_folder_that_is_not_below_outputs_is_left_alone(store):
    folder = place(store, "elsewhere", resolved=store.resolve())
    run = add(store, "gone", folder)
    store.client.delete_run(run)
    collect(store)
    assert folder.exists()


def test_the_folder_of_a_sweep_stays_while_a_job_lives(store):
    sweep = place(store, "sweeps/day/1", files=("multirun.yaml",), hydra=False)
    jobs = [place(store, f"sweeps/day/1/{number}", resolved=store.resolve()) for number in (0, 1)]
    parent = add(store, "sweep", sweep)
    runs = [add(store, "job", folder, parent=parent) for folder in jobs]
    for run in (parent, runs[0]):
        store.client.delete_run(run)
    collect(store)
    assert not jobs[0].exists()
    assert jobs[1].exists()
    store.client.delete_run(runs[1])
    collect(store)
    assert not jobs[1].exists()


def test_a_deleted_experiment_goes_with_its_runs(store):
    run = store.add("one", experiment="old", texts={"a.txt": "a"})
    store.add("two", experiment="other")
    store.client.delete_experiment(store.experiment("old"))
    assert set(find(store)) == {("run", run), ("experiment", store.experiment("old"))}
    collect(store)
    names = {one.name for one in store.client.search_experiments(view_type=3)}
    assert names == {"Default", "other"}
    assert not (store.artifacts / "old").exists()


def add_model(store, run):
    experiment = store.client.get_run(run).info.experiment_id
    model = store.client.create_logged_model(experiment, name="model", source_run_id=run)
    folder = store.folder / "model"
    folder.mkdir(exist_ok=True)
    (folder / "weights").write_text("w", encoding="utf-8")
    store.client.log_model_artifacts(model.model_id, str(folder))
    return model.model_id


def test_models_that_were_deleted_go_and_those_of_deleted_runs(store):
    runs = [store.add(name) for name in ("living", "gone")]
    models = [add_model(store, run) for run in (runs[0], runs[0], runs[1])]
    store.client.delete_logged_model(models[1])
    store.client.delete_run(runs[1])
    assert set(find(store)) == {("run", runs[1]), ("model", models[1]), ("model", models[2])}
    collect(store)
    assert [path.name for path in (store.artifacts / "digits" / "models").iterdir()] == [models[0]]
    assert store.client.get_logged_model(models[0]).name == "model"


def test_a_registered_model_of_a_deleted_run_stays(store):
    run = store.add("gone")
    model = add_model(store, run)
    store.client.create_registered_model("mine")
    place = store.client.get_logged_model(model).artifact_location
    store.client.create_model_version("mine", place)
    store.client.delete_run(run)
    assert set(find(store)) == {("run", run)}


def test_files_of_no_run_go_if_they_say_that_they_were_of_this_store(store):
    store.add("living")
    for key, text in (
        ("a" * 32, store.resolve()),
        ("b" * 32, store.resolve(tracking={"database": "/elsewhere.db"})),
        ("c" * 32, "no yaml: ["),
    ):
        place(store, f"artifacts/digits/{key}/artifacts/config", resolved=text, hydra=False)
        os.utime(store.artifacts / "digits" / key, (0, 0))
        os.utime(store.artifacts / "digits" / key / "artifacts", (0, 0))
    (store.artifacts / "digits" / "mine").mkdir()
    assert set(find(store)) == {("files", "a" * 32)}
    collect(store)
    left = sorted(path.name for path in (store.artifacts / "digits").iterdir())
    assert left == ["b" * 32, "c" * 32, "mine"]


def test_folders_of_no_run_go_if_nothing_came_of_them_or_they_were_of_this_store(store):
    elsewhere = store.resolve(tracking={"database": "/elsewhere.db"})
    kept = [
        place(store, "runs/day/other", resolved=elsewhere),
        place(store, "runs/day/off", resolved=store.resolve(), files=("weights.npz",)),
        place(store, "runs/day/young", age=60),
        place(store, "runs/day/mine", hydra=False),
    ]
    gone = [place(store, "runs/day/refused"), place(store, "runs/old/1", resolved=store.resolve())]
    assert {one.paths for one in find(store).values()} == {(folder,) for folder in gone}
    collect(store)
    assert all(folder.exists() for folder in kept)
    assert not any(folder.exists() for folder in gone)
    assert not gone[1].parent.exists()


def test_folders_stay_where_a_run_does_not_tell_its_own(store):
    store.add("old")
    place(store, "runs/day/refused")
    assert find(store) == {}


def wait_in(spools, folder, tracking):
    """Returns the spool of a run in `folder` that the store has not been told of."""
    spools.mkdir(parents=True, exist_ok=True)
    with closing(SpoolWriter(spools / f"20260412T093011-{folder.name}.spool")) as spool:
        spool.append(RunStarted(tracking, "waiting", {}, {}, folder))
    return spool.file


@pytest.mark.parametrize("place_of_spools", ["spool", "outputs/spool"])
def test_a_folder_stays_while_its_run_waits_for_the_store(tmp_path, place_of_spools):
    # Those of tracking.spool, and those that runs for a server leave beside the folders.
    store = Store(tmp_path)
    waiting, none = (
        place(store, f"outputs/runs/day/{name}", resolved=store.resolve())
        for name in ("waiting", "none")
    )
    spool = wait_in(tmp_path / place_of_spools, waiting, store.tracking)
    one = Collector(store.tracking, tmp_path / "outputs", older_ms=0)
    assert [found.paths for found in one.find()] == [(none,)]
    spool.unlink()
    assert {found.paths for found in one.find()} == {(none,), (waiting,)}


def test_the_folder_of_a_deleted_sweep_stays_while_a_job_waits(store):
    sweep = place(store, "sweeps/day/1", files=("multirun.yaml",), hydra=False)
    job = place(store, "sweeps/day/1/0", resolved=store.resolve())
    store.client.delete_run(add(store, "sweep", sweep))
    wait_in(store.spool, job, store.tracking)
    collect(store)
    assert job.exists()


def test_a_spool_that_does_not_tell_whose_it_is_is_refused(store):
    store.spool.mkdir()
    (store.spool / "a.spool").write_bytes(b"x")
    message = r"tracking\.spool: .*a\.spool waits for its store, and does not tell of which run"
    with pytest.raises(ConfigError, match=message):
        find(store)


@pytest.mark.parametrize(
    ("text", "age"),
    [("30d", 30 * DAY), ("1d12h", 1.5 * DAY), ("5m3s", 303), ("0d", 0), ("", None), ("3x", None)],
)
def test_ages_are_read(text, age):
    assert read_age(text) == (None if age is None else age * 1000)
