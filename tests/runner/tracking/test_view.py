"""The columns that the UI lists an experiment's runs with, in a real store."""

import json

import pytest
from mlflow import MlflowClient

from runner.tracking.view import add_columns, choose_columns

TAG = "mlflow.sharedViewState.feedfetch"


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


def test_a_run_is_listed_with_what_it_measured_and_what_was_varied():
    columns = choose_columns(
        ["step/loss", "test/accuracy", "test/loss", "train/loss"],
        ["model.name", "model.layers.conv1.filters", "optimizer.learning_rate", "seed"],
        "model=mlp +model.layers.conv1.filters=8 seed=3 ~model.layers.drop trace.steps=[1,2]",
    )
    assert list(columns) == [
        "metrics.`test/accuracy`",
        "metrics.`test/loss`",
        "params.`model.name`",
        "params.`model.layers.conv1.filters`",
        "params.`seed`",
    ]


def columns_of(client, experiment):
    return json.loads(client.get_experiment(experiment).tags[TAG])["selectedColumns"]


def start_run(client, experiment, metric, param):
    run = client.create_run(experiment, tags={"overrides": f"{param}=1"}).info.run_id
    client.log_param(run, param, "1")
    client.log_metric(run, f"test/{metric}", 0.5)
    return run


def test_columns_of_later_runs_are_added(client):
    experiment = client.create_experiment("added")
    add_columns(client, start_run(client, experiment, "loss", "seed"))
    # Such as the page writes.
    state = {**json.loads(client.get_experiment(experiment).tags[TAG]), "runsPinned": ["abc"]}
    client.set_experiment_tag(experiment, TAG, json.dumps(state))
    add_columns(client, start_run(client, experiment, "loss", "data.fold"))
    assert columns_of(client, experiment) == [
        "metrics.`test/loss`",
        "params.`seed`",
        "params.`data.fold`",
    ]
    assert json.loads(client.get_experiment(experiment).tags[TAG])["runsPinned"] == ["abc"]


def test_the_newest_columns_stay_where_there_are_too_many(client):
    experiment = client.create_experiment("many")
    for number in range(8):
        add_columns(client, start_run(client, experiment, f"m{number}", f"p{number}"))
    columns = columns_of(client, experiment)
    assert len(columns) == 12
    assert columns[-2:] == ["metrics.`test/m7`", "params.`p7`"]


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"selectedColumns": 1}'])
def test_what_is_no_state_of_the_page_is_replaced(client, text):
    experiment = client.create_experiment(f"broken {text}")
    client.set_experiment_tag(experiment, TAG, text)
    add_columns(client, start_run(client, experiment, "loss", "seed"))
    assert columns_of(client, experiment) == ["metrics.`test/loss`", "params.`seed`"]
