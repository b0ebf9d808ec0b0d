"""A model of a run answers as the run did."""

import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml

from models.problems import ConfigError
from runner.composition import PROJECT, compose_config
from runner.serving import open_model, open_run
from runner.tracking.store import store_uri
from tests.datasets import load_dataset


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
def test_a_run_is_opened_with_the_statistics_that_it_was_adapted_to(store, client, tmp_path):
    norm = "data.preprocess.numbers.norm.type=Normalization"
    fetches = "fetches={fed: numbers, normed: preprocess.numbers, outputs: logits}"
    run_id = run(store, "model=tabular", "data=wine", norm, fetches, "task.epochs=1", "plan=step")
    fetched = np.load(client.download_artifacts(run_id, "fetches/test.npz", str(tmp_path)))
    file = client.download_artifacts(run_id, "config/preprocess.yaml", str(tmp_path))
    logged = yaml.safe_load(Path(file).read_text(encoding="utf-8"))["numbers"]["norm"]
    wanted = (fetched["fed"] - logged["mean"]) / np.sqrt(logged["variance"])
    np.testing.assert_allclose(fetched["normed"], wanted, rtol=1e-4, atol=1e-4)
    params = client.get_run(run_id).data.params
    assert params["data.preprocess.numbers.norm.mean"].startswith(f"[{logged['mean'][0]}, ")
    # Another seed has other examples in its training split; what the run was adapted to stays.
    with open_run(run_id, [*store, "seed=1", fetches]) as service:
        answers = service(numbers=fetched["fed"])
    np.testing.assert_allclose(answers["normed"], fetched["normed"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answers["outputs"], fetched["outputs"], rtol=1e-5, atol=1e-5)


@pytest.mark.integration
def test_a_run_without_weights_cannot_be_opened(store):
    run_id = run(store, "model=mlp", "task=forward", "data=random")
    with pytest.raises(ConfigError, match=r"It kept no weights/weights\.npz; it is FINISHED"):
        open_run(run_id, store)


def test_a_run_that_is_not_there_cannot_be_opened(store):
    with pytest.raises(
        ConfigError, match=r"from_run: expected a run's id, its name, its folder or last; received"
    ):
        open_run("123", store)
    with pytest.raises(
        ConfigError, match="from_run: expected the folder of a run, since tracking=off has no"
    ):
        open_run("123", ["tracking=off"])


def test_a_model_is_opened_as_the_command_line_composes_it():
    with open_model(["model=mlp", "fetches={hidden: dense2}"]) as service:
        assert service(image=np.zeros((2, 8, 8, 1)))["hidden"].shape == (2, 64)


def test_a_model_is_opened_with_the_statistics_of_the_training_split():
    norm = "data.preprocess.numbers.norm.type=Normalization"
    overrides = ["model=tabular", "data=wine", norm]
    config = compose_config(overrides)
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    numbers = train.features["numbers"].astype(np.float64)
    with open_model([*overrides, "fetches={normed: preprocess.numbers}"]) as service:
        normed = service(numbers=numbers[:4].astype(np.float32))["normed"]
    wanted = (numbers[:4] - numbers.mean(axis=0)) / numbers.std(axis=0)
    np.testing.assert_allclose(normed, wanted, rtol=1e-3, atol=1e-4)
