"""A run is found by whatever a person calls it, in a real store."""

import pytest

from models.problems import ConfigError
from runner.tracking.finding import find_run
from runner.tracking.folders import locate_folder, place_folder
from tests.stores import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    folder = store.folder / "runs" / "first"
    (folder / ".hydra").mkdir(parents=True)
    store.first = store.add("cnn", age=9000, tags={"folder": place_folder(folder)})
    store.twins = [store.add("mlp 'a'", age=age, experiment="other") for age in (200, 100)]
    store.last = store.add("both ' and \"", age=10, status="RUNNING")
    store.run_folder = folder
    return store


def test_a_run_is_found_by_its_id_a_prefix_its_name_and_its_folder(store):
    names = (store.first, store.first[:8], store.first[:20], "cnn", str(store.run_folder))
    for name in names:
        assert find_run(store.client, name).run_id == store.first


def test_the_newest_are_found_across_experiments(store):
    newest = [store.last, *reversed(store.twins), store.first]
    for back, run in enumerate(newest):
        for name in (f"last~{back}", f"last-{back}"):
            assert find_run(store.client, name).run_id == run
    assert find_run(store.client, "last").experiment == "digits"
    assert find_run(store.client, "last~1").experiment == "other"


def test_a_name_with_both_kinds_of_quotes_is_found(store):
    assert find_run(store.client, "both ' and \"").run_id == store.last


def message(store, name, path="RUN"):
    with pytest.raises(ConfigError) as caught:
        find_run(store.client, name, path)
    return str(caught.value).splitlines()


def test_an_ambiguous_name_lists_the_runs(store):
    head, *lines = message(store, "mlp 'a'", "from_run")
    assert head == """from_run: "mlp 'a'" names 2 runs; give the id of one."""
    wanted = [(run[:8], "FINISHED") for run in reversed(store.twins)]
    assert [tuple(line.split()[:2]) for line in lines] == wanted


def test_a_prefix_that_two_runs_share_lists_them(store, monkeypatch):
    import uuid

    ids = iter(["abcdefab" + digit * 24 for digit in "12"])
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(next(ids)))
    shared = Store(store.folder / "shared") if (store.folder / "shared").mkdir() is None else None
    for name in ("one", "two"):
        shared.add(name)
    head, *lines = message(shared, "abcdefab")
    assert head == "RUN: 'abcdefab' names 2 runs; give the id of one."
    assert len(lines) == 2
    assert find_run(shared.client, "abcdefab1").name == "one"


def test_an_unknown_name_lists_the_nearest_or_the_newest(store):
    what = "RUN: expected a run's id, its name, its folder or last; received"
    head, line = message(store, "cnnn")
    assert head == f"{what} 'cnnn' (str). There is no such run. Did you mean"
    assert line == f"    {store.first[:8]}  FINISHED     2 h  cnn"
    head, *lines = message(store, "something else")
    assert head == f"{what} 'something else' (str). There is no such run. The newest are"
    assert len(lines) == 4
    assert lines[0].split()[:2] == [store.last[:8], "RUNNING"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("abc", "The beginning of an id needs 8 characters or more. The newest are"),
        ("f" * 32, "There is no such run. The newest are"),
        ("last~4", "There are 4 runs."),
    ],
)
def test_what_names_no_run_is_told(store, name, hint):
    assert message(store, name)[0].endswith(f"received {name!r} (str). {hint}")


def test_a_folder_of_no_run_is_told(store, tmp_path):
    (tmp_path / ".hydra").mkdir()
    assert "No run in the store has this folder. The newest are" in message(store, str(tmp_path))[0]


def test_a_deleted_run_is_told(tmp_path):
    store = Store(tmp_path)
    run = store.add("cnn")
    store.client.delete_run(run)
    (line,) = message(store, run)
    assert line.endswith("It was deleted; `mlflow runs restore` has it back until gc removes it.")
    (line,) = message(store, run[:8])
    assert line.endswith("There is no such run. The store has no runs yet.")
    (line,) = message(store, "last")
    assert line.endswith("There is no run yet.")


def test_the_place_of_a_folder_shows_no_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place_folder(tmp_path / "runs" / "1") == "~/runs/1"
    assert locate_folder("~/runs/1") == tmp_path / "runs" / "1"
    inside = locate_folder("outputs/runs/1")
    assert inside.is_absolute()
    assert place_folder(inside) == "outputs/runs/1"
