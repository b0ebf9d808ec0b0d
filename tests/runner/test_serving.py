"""A model of a run answers as the run did."""

import subprocess
import sys

import mlflow
import numpy as np
import pytest

from models.problems import ConfigError
from runner.composition import PROJECT, compose_config
from runner.serving import open_model, open_run
from runner.tracking.store import store_uri


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return [f"tracking.database={folder}/m.db", f"tracking.artifacts={folder}/a"]


@pytest.fixture(scope="module")
def client(store):
    return mlflow.MlflowClient(store_uri(compose_config(store).tracking))


def run(store, *overrides):
    """Returns the id of a run of the command line."""
    command = [
        sys.executable,
        "-m",
        "runner",
        *store,
        *overrides,
        f"hydra.run.dir={store[0].partition('=')[2]}.out",
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("run ")]
    return line.split()[1]


@pytest.mark.integration
def test_a_run_is_opened_with_the_weights_that_it_ended_with(store, client, tmp_path):
    overrides = ("model=mlp", "model.layers.dense1.units=5", "task.epochs=1", "fetches.fed=image")
    run_id = run(store, *overrides, "plan=step")
    fetched = np.load(client.download_artifacts(run_id, "fetches/test.npz", str(tmp_path)))
    with open_run(run_id, [*store, "fetches.hidden=dense1"]) as service:
        answers = service(image=fetched["fed"])
    np.testing.assert_allclose(answers["outputs"], fetched["outputs"], rtol=1e-5, atol=1e-5)
    assert answers["hidden"].shape == (64, 5)


@pytest.mark.integration
def test_a_run_without_weights_cannot_be_opened(store):
    run_id = run(store, "model=mlp", "task=forward", "data=random")
    with pytest.raises(ConfigError, match="it kept no weights; it is FINISHED"):
        open_run(run_id, store)


def test_a_run_that_is_not_there_cannot_be_opened(store):
    with pytest.raises(ConfigError, match="run 123: cannot be opened"):
        open_run("123", store)
    with pytest.raises(ConfigError, match="tracking: expected a store"):
        open_run("123", ["tracking=off"])


def test_a_model_is_opened_as_the_command_line_composes_it():
    with open_model(["model=mlp", "fetches={hidden: dense2}"]) as service:
        assert service(image=np.zeros((2, 8, 8, 1)))["hidden"].shape == (2, 64)
