"""Runs on either store, delivered from their spools as real ones are."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import load_text

from models.problems import ConfigError
from runner.results import SplitResult, StepsResult, WeightsResult
from runner.tracking.courier import start_run, start_sweep
from runner.tracking.runs import read_run
from runner.tracking.store import store_uri
from runner.tracking.tracker import RunContext, closing

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).parent
STEPS = StepsResult(1, 1, np.array([0.5, 0.25]), {})
EPOCH = SplitResult("train", 1, 2, {"loss": 0.375})
END_SECONDS = 60

KILLED = """
import json, os, signal, sys
from runner.composition import compose_config
from runner.tracking.store import prepare_store
from tests.runner.tracking.test_stores import STEPS, open_run

config = compose_config(json.loads(sys.argv[1]))
prepare_store(config.tracking)
tracker = open_run(config, sys.argv[2])
tracker.log_result(STEPS)
sys.stdout.write(tracker.run_id)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def open_run(config, folder):
    return start_run(config, config.tracking, RunContext(["seed=0"], Path(folder)), SOURCE)


@pytest.fixture
def client(store):
    return MlflowClient(store_uri(store.tracking))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("conv1 is not finite"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
    ],
)
def test_a_run_is_in_its_store_with_all_that_it_logged(store, client, tmp_path, error, status):
    try:
        with closing(open_run(store, tmp_path)) as tracker:
            tracker.log_tags({"devices": "/CPU:0"})
            tracker.log_result(STEPS)
            tracker.log_result(EPOCH)
            if error is not None:
                raise error
    except BaseException as raised:
        if raised is not error:
            raise
    run = client.get_run(tracker.run_id)
    assert run.info.status == status
    assert run.data.metrics == {"step/loss": 0.25, "train/loss": 0.375}
    assert run.data.tags["devices"] == "/CPU:0"
    assert run.data.params["seed"] == "0"
    if error is not None:
        assert type(error).__name__ in load_text(f"{run.info.artifact_uri}/error.txt")


def test_a_run_whose_process_is_killed_is_closed_in_either_store(store_overrides, client, tmp_path):
    command = [sys.executable, "-c", KILLED, json.dumps(store_overrides), str(tmp_path)]
    killed = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL
    ends = time.monotonic() + END_SECONDS
    while (run := client.get_run(killed.stdout)).info.status == "RUNNING":
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"step/loss": 0.25}


def test_the_runs_of_a_sweep_come_and_go_while_its_own_is_open(store, client, tmp_path):
    context = RunContext(["seed=0,1"], tmp_path)
    swept = start_sweep(store, store.tracking, context, SOURCE, name="seed=0,1")
    with closing(swept) as sweep:
        for _ in range(2):
            with closing(open_run(store, tmp_path)) as tracker:
                tracker.log_result(EPOCH)
            assert client.get_run(tracker.run_id).info.status == "FINISHED"
        assert client.get_run(sweep.run_id).info.status == "RUNNING"
    assert client.get_run(sweep.run_id).info.status == "FINISHED"


def test_what_a_run_ended_with_is_read_from_either_store(store, tmp_path):
    (tmp_path / "resolved.yaml").write_text("config: {seed: 3}\n", encoding="utf-8")
    kernel = np.array([[1.5, 2.5]], np.float32)
    with closing(open_run(store, tmp_path)) as tracker:
        tracker.log_result(WeightsResult({"conv1/kernel": kernel}))
    logged = read_run(store.tracking, tracker.run_id, "from_run")
    assert logged.resolved == {"config": {"seed": 3}}
    np.testing.assert_array_equal(logged.weights["conv1/kernel"], kernel)


def test_a_run_without_weights_is_refused_of_either_store(store, tmp_path):
    with closing(open_run(store, tmp_path)) as tracker:
        pass
    with pytest.raises(ConfigError) as caught:
        read_run(store.tracking, tracker.run_id, "from_run")
    assert str(caught.value) == (
        f"from_run: expected a run with weights; received {tracker.run_id!r} (str). It kept no "
        "config/resolved.yaml; it is FINISHED. Only a run of task=train that came to its end keeps "
        "some."
    )
    sweep = start_sweep(
        store, store.tracking, RunContext([], tmp_path / "sweep"), SOURCE, name="sweep"
    )
    with closing(sweep):
        pass
    told = r"^RUN: .* It is the run of a sweep; take one of its jobs\.$"
    with pytest.raises(ConfigError, match=told):
        read_run(store.tracking, sweep.run_id, "RUN")
    with pytest.raises(ConfigError, match=r"^from_run: .* There is no such run\."):
        read_run(store.tracking, "none", "from_run")


def test_an_experiment_that_was_deleted_is_refused_by_either_store(store, client, tmp_path):
    client.delete_experiment(client.create_experiment("given up"))
    config = replace(store, tracking=replace(store.tracking, experiment="given up"))
    with pytest.raises(ConfigError, match=r"^tracking\.experiment: .* was deleted in this store"):
        open_run(config, tmp_path)
