"""The verbs that read runs, called as the entry calls them, on a real store."""

import json

import pytest

from models.problems import ConfigError
from runner.tracking.folders import place_folder
from runner.verbs import VERBS, diff, find_verb, gc, runs, show, ui
from tests.stores import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    common = {"seed": 0, "model.name": "cnn"}
    for name, accuracy, seed in (("one [red]", 0.5, 0), ("two", 0.75, 1)):
        store.last = store.add(
            name,
            age=100 - seed,
            metrics={"test/accuracy": accuracy},
            params={**common, "seed": seed},
            tags={"folder": "outputs/runs/gone", "overrides": f"seed={seed}", "user": "[b]x[/b]"},
            texts={"config/resolved.yaml": store.resolve(seed=seed), "weights/weights.npz": "1234"},
            inputs=[("train", "abc", 1258)],
        )
    return store


def call(verb, capsys, store, *arguments):
    status = verb.run([*arguments, *store.overrides])
    return status, capsys.readouterr().out


def test_runs_lists_them(store, capsys):
    status, out = call(runs, capsys, store)
    header, *rows = out.splitlines()
    assert status == 0
    assert header.split()[-2:] == ["test/accuracy", "seed"]
    assert [row.split()[1] for row in rows] == ["two", "one"]
    assert "one [red]" in rows[1]


def test_runs_takes_options_in_any_place(store, capsys):
    status = runs.run(["--filter", "test/accuracy>0.6", *store.overrides, "--json"])
    (only,) = json.loads(capsys.readouterr().out)
    assert (status, only["name"]) == (0, "two")
    _, out = call(runs, capsys, store, "--sort", "test/accuracy asc", "--csv", "--limit", "1")
    assert [line.split(",")[1] for line in out.splitlines()] == ["name", "one [red]"]


def test_columns_that_no_run_has_are_told(store, capsys):
    with pytest.raises(ConfigError) as caught:
        runs.run(["--columns", "seed,tset/accuracy", *store.overrides])
    message = "--columns: no run has a metric 'tset/accuracy'; did you mean 'test/accuracy'?"
    assert str(caught.value) == message
    _, out = call(runs, capsys, store, "--columns", "test/accuracy,status", "--limit", "1")
    assert out.splitlines()[1].split()[-2:] == ["0.7500", "FINISHED"]
    with pytest.raises(ConfigError, match=r"^--columns: expected metrics, params, tags or what"):
        runs.run(["--columns", "dataset.name", *store.overrides])


def test_files_are_read_without_bars(store, capsys):
    assert diff.run(["one [red]", "two", *store.overrides]) == 0
    assert capsys.readouterr().err == ""


def test_runs_says_where_there_are_none(store, capsys, tmp_path):
    assert call(runs, capsys, store, "--filter", "seed=9")[1] == "no run has seed=9\n"
    empty = Store(tmp_path)
    assert call(runs, capsys, empty)[1] == "no runs yet: python -m runner makes the first\n"


@pytest.mark.parametrize("width", [80, 140])
def test_runs_fit_a_terminal(store, capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    _, out = call(runs, capsys, store)
    assert "one [red]" in out
    assert all(len(line) <= width for line in out.splitlines())


def test_show_tells_all_of_a_run(store, capsys):
    status, out = call(show, capsys, store, "two")
    assert status == 0
    assert call(show, capsys, store)[1].splitlines()[1] == f"run         {store.last}"
    lines = out.splitlines()
    assert lines[:4] == [
        "two",
        f"run         {store.last}",
        "experiment  digits",
        "status      FINISHED",
    ]
    assert "overrides   seed=1" in lines
    assert "test/accuracy  0.75" in [line.rstrip() for line in lines]
    assert any(
        line.startswith("folder") and line.endswith("(gone, or on another machine)")
        for line in lines
    )
    assert any(line.split() == ["train", "digits", "scikit-learn", "abc", "1258"] for line in lines)
    assert "[b]x[/b]" in out
    tree = lines[-4:]
    assert tree[0] == "config/"
    assert tree[1].startswith("└── resolved.yaml")
    assert tree[2:] == ["weights/", "└── weights.npz  4 B"]
    _, out = call(show, capsys, store, "--params", "two")
    assert ["model.name", "cnn"] in [line.split() for line in out.splitlines()]


def test_show_tells_it_as_json(store, capsys):
    told = json.loads(call(show, capsys, store, "two", "--json")[1])
    assert (told["name"], told["metrics"]) == ("two", {"test/accuracy": 0.75})
    assert told["inputs"][0]["profile"] == {"num_rows": 1258}
    assert {file["path"]: file["bytes"] for file in told["artifacts"]}["weights/weights.npz"] == 4


def test_show_writes_a_description(store, capsys, tmp_path):
    own = Store(tmp_path)
    own.add("described", tags={"mlflow.note.content": "## Result\n\n[red] 0.9"})
    assert "\n## Result\n\n[red] 0.9\n" in call(show, capsys, own)[1]


def test_diff_tells_what_differs(store, capsys):
    status, out = call(diff, capsys, store, "last~1", "last")
    assert status == 0
    assert ["seed", "0", "1"] in [line.split() for line in out.splitlines()]
    assert call(diff, capsys, store, "last~1", "last", "--exit-code")[0] == 1
    status, out = call(diff, capsys, store, "last", "two", "--exit-code")
    assert (status, out.splitlines()[-1]) == (0, "nothing differs")
    told = json.loads(call(diff, capsys, store, "last~1", "last", "--json")[1])
    assert list(told["differences"]) == ["configuration", "metrics"]


def test_gc_tells_first_and_deletes_when_asked_to(capsys, tmp_path):
    store = Store(tmp_path)
    run = store.add("gone [red]", texts={"a.txt": "four"}, tags={"folder": place_folder(tmp_path)})
    store.client.delete_run(run)
    given = ["--outputs", str(tmp_path)]
    status, out = call(gc, capsys, store, *given)
    assert status == 0
    assert out.splitlines()[1].split() == ["run", run, "gone", "[red]", "4", "B"]
    assert out.endswith("1 run, 4 B; nothing was deleted: --yes deletes it for good\n")
    assert call(gc, capsys, store, *given, "--older-than", "1d")[1] == "nothing is to be deleted\n"
    assert call(gc, capsys, store, *given, "--yes")[1].endswith("1 run, 4 B; deleted\n")
    assert not (store.artifacts / "digits" / run).exists()
    assert call(gc, capsys, store, *given)[1] == "nothing is to be deleted\n"


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        (
            runs,
            ["--limit", "-1"],
            "--limit: expected a number of 0 or more; received -1 (int).",
        ),
        (
            show,
            ["cnn", "task.epochs=3"],
            "overrides: expected what chooses a store, such as tracking.database=PATH; received "
            "'task.epochs=3' (str). Put a name that has spaces in quotes.",
        ),
        (
            gc,
            ["--outputs", "/nonexist"],
            "--outputs: expected a folder that is there; received '/nonexist' (str).",
        ),
        (
            ui,
            ["--port", "99999"],
            "--port: expected a number from 1 to 65535; received 99999 (int).",
        ),
        (
            gc,
            ["--older-than", "soon"],
            "--older-than: expected an age such as 30d, 12h or 1d12h; received 'soon' (str).",
        ),
        (
            gc,
            ["tracking=server", "tracking.uri=http://127.0.0.1:9"],
            "tracking: a server deletes nothing for good that is asked for over the network. Where "
            "its database can be reached: mlflow gc --backend-store-uri ITS_DATABASE, with "
            "MLFLOW_TRACKING_URI set to the server's address.",
        ),
        (diff, ["a", "b", "tracking=off"], "tracking: nothing is kept with tracking=off."),
        (
            runs,
            ["tracking.database=/nowhere.db"],
            "tracking.database: expected a store with runs in it; received '/nowhere.db' (str). "
            "Run one first.",
        ),
    ],
)
def test_what_cannot_be_done_is_told(verb, arguments, message):
    with pytest.raises(ConfigError) as caught:
        verb.run(arguments)
    assert str(caught.value) == message


def test_a_mistyped_verb_is_told_from_an_override():
    assert find_verb("runs") is runs.run
    for name in ("model=cnn", "~model.layers.drop", "+x=1", "-m", "--help", "model@x=cnn"):
        assert find_verb(name) is None
    head = "there is no such verb, and an override has a =, such as model=mlp."
    for name, hint in (
        ("rus", "Did you mean 'runs'?"),
        ("xyzzy", f"Choose from {', '.join(VERBS)}."),
    ):
        with pytest.raises(ConfigError) as caught:
            find_verb(name)
        assert str(caught.value) == f"{name}: {head} {hint}"
