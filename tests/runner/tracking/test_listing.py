"""Which runs are listed, of a real store."""

import pytest

from models.problems import ConfigError
from runner.tracking.listing import Query, list_runs
from tests.stores import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    store.add("wine", age=900, experiment="wine", metrics={"test/accuracy": 1.0})
    store.add("old", age=800, metrics={"test/accuracy": 0.7}, params={"seed": 1})
    sweep = store.add("sweep", age=700)
    for number, accuracy in enumerate((0.8, 0.9, 0.6)):
        store.add(
            f"job {number}",
            age=690 - number,
            parent=sweep,
            metrics={"test/accuracy": accuracy},
            params={"seed": number},
        )
    store.add("new", age=10, status="RUNNING")
    return store


def names(store, **query):
    listing = list_runs(store.client, Query(**query))
    return [("  " if row.is_job else "") + row.run.name for row in listing.rows]


def test_jobs_stand_under_their_sweep_in_the_order_they_started(store):
    assert names(store) == ["new", "sweep", "  job 0", "  job 1", "  job 2", "old"]


def test_jobs_are_left_out_where_sweeps_are_folded(store):
    assert names(store, is_folded=True) == ["new", "sweep", "old"]
    assert names(store, is_folded=True, filter="status=FINISHED") == ["sweep", "old"]


def test_what_is_sorted_is_in_one_row(store):
    wanted = ["wine", "job 1", "job 0", "old", "job 2", "new", "sweep"]
    assert names(store, sort="test/accuracy", in_all=True) == wanted
    assert names(store, sort="test/accuracy asc", limit=2) == ["job 2", "old"]


def test_a_job_that_a_filter_finds_stands_under_its_sweep_all_the_same(store):
    listing = list_runs(store.client, Query(filter="test/accuracy > 0.75"))
    assert [(row.run.name, row.was_sought) for row in listing.rows] == [
        ("sweep", False),
        ("job 0", True),
        ("job 1", True),
    ]
    assert [run.name for run in listing.sought] == ["job 0", "job 1"]


def test_a_limit_says_whether_there_is_more(store):
    listing = list_runs(store.client, Query(limit=2))
    assert [row.run.name for row in listing.rows] == ["new", "sweep", "job 2"]
    assert listing.has_more
    assert not list_runs(store.client, Query(limit=6)).has_more


def test_the_experiment_is_that_of_the_newest_run_or_the_one_named(store):
    listing = list_runs(store.client, Query())
    assert (listing.experiments, listing.others) == (("digits",), ("wine",))
    assert names(store, experiment="wine") == ["wine"]
    assert len(names(store, in_all=True)) == 7


def test_an_unknown_experiment_is_told(store):
    with pytest.raises(ConfigError) as caught:
        list_runs(store.client, Query(experiment="wines"))
    assert str(caught.value) == (
        "--experiment: expected one with runs; received 'wines' (str). Did you mean 'wine'?"
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"sort": "tset/accuracy"},
            "--sort: no run has a metric 'tset/accuracy'; did you mean 'test/accuracy'?",
        ),
        (
            {"filter": "test/acuracy > 0.9 and sed=1"},
            "--filter: no run has a metric 'test/acuracy'; did you mean 'test/accuracy'?\n"
            "--filter: no run has a tag 'sed'; did you mean 'seed'?",
        ),
        ({"filter": "zzz.zzz=1"}, "--filter: no run has a param 'zzz.zzz'."),
    ],
)
def test_names_that_no_run_has_are_told(store, query, message):
    with pytest.raises(ConfigError) as caught:
        list_runs(store.client, Query(**query))
    assert str(caught.value) == message


def test_names_that_only_runs_have_that_are_not_listed_are_taken(store):
    store.add("elsewhere", age=1000, experiment="wine", metrics={"only/here": float("-inf")})
    store.add("too", age=1001, experiment="wine", tags={"owner": ""})
    assert names(store, filter="only/here > 3 and owner=me and test/accuracy > 2") == []
    assert names(store, sort="only/here", limit=1) == ["new"]


def test_a_filter_that_mlflow_does_not_take_is_told(store):
    with pytest.raises(ConfigError, match=r"^--filter: MLflow does not take it: "):
        list_runs(store.client, Query(filter="metrics.loss like 3"))


def test_more_runs_than_a_page_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("runner.tracking.records._PAGE", 2)
    store = Store(tmp_path)
    for number in range(5):
        store.add(str(number), age=100 - number, experiment=f"e{number % 3}")
    assert names(store, in_all=True) == ["4", "3", "2", "1", "0"]
    assert names(store, in_all=True, limit=3) == ["4", "3", "2"]


def test_an_empty_store_lists_nothing(tmp_path):
    assert list_runs(Store(tmp_path).client, Query()).rows == ()
