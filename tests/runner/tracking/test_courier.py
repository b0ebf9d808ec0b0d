"""Runs delivered by a real process of their own."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from models.problems import ConfigError
from runner import secrets
from runner.composition import compose_config
from runner.results import SplitResult, StepsResult
from runner.tracking import courier
from runner.tracking.courier import start_run, start_sweep
from runner.tracking.store import prepare_store, store_uri
from runner.tracking.tracker import RunContext, TrackingError, closing

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).parent
STEPS = StepsResult(1, 1, np.array([0.5, 0.25]), {})
EPOCH = SplitResult("train", 1, 2, {"loss": 0.375})

KILLED = """
import os, signal, sys
from tests.runner.tracking.test_courier import *
tracker = open_tracker(configure(sys.argv[1]), sys.argv[1])
tracker.log_result(STEPS)
sys.stdout.write(tracker.run_id)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_SWEEP = """
import os, signal, sys
from tests.runner.tracking.test_courier import *
config = configure(sys.argv[1])
sweep = open_sweep(config, sys.argv[1])
tracker = open_tracker(config, sys.argv[1])
sys.stdout.write(f"{sweep.run_id} {tracker.run_id}")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


def configure(folder, *overrides):
    store = [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]
    config = compose_config([*store, "tracking.system_metrics_seconds=null", *overrides])
    prepare_store(config.tracking)
    return config


def open_tracker(config, folder):
    return start_run(config, config.tracking, RunContext(["seed=0"], Path(folder)), SOURCE)


def open_sweep(config, folder):
    context = RunContext(["seed=0,1"], Path(folder))
    return start_sweep(config, config.tracking, context, SOURCE, name="seed=0,1")


@pytest.fixture
def config(tmp_path):
    return configure(tmp_path)


@pytest.fixture
def client(config):
    return MlflowClient(store_uri(config.tracking))


@pytest.fixture
def open_run(config, tmp_path):
    return lambda: open_tracker(config, tmp_path)


def read_error(run):
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    return (artifacts / "error.txt").read_text(encoding="utf-8")


def spools(folder):
    return list(folder.glob("*.spool"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("conv1 is not finite"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(3), "KILLED"),
    ],
)
def test_a_run_is_delivered_with_the_status_it_ended_in(open_run, client, tmp_path, error, status):
    try:
        with closing(open_run()) as tracker:
            tracker.log_tags({"devices": "/CPU:0"})
            tracker.log_result(STEPS)
            assert len(spools(tmp_path)) == 1
            if error is not None:
                raise error
    except BaseException as raised:
        if raised is not error:
            raise
    run = client.get_run(tracker.run_id)
    assert run.info.status == status
    assert run.data.metrics == {"step/loss": 0.25}
    assert run.data.tags["devices"] == "/CPU:0"
    assert run.data.params["seed"] == "0"
    assert not spools(tmp_path)


def test_what_a_run_uses_of_its_machine_is_logged_while_steps_are(client, tmp_path):
    config = configure(tmp_path, "tracking.system_metrics_seconds=0.1")
    with closing(open_tracker(config, tmp_path)) as tracker:
        time.sleep(0.5)
        tracker.log_result(STEPS)
    name = "system/process_memory_usage_megabytes"
    history = client.get_metric_history(tracker.run_id, name)
    assert [one.step for one in history] == list(range(len(history)))
    assert len(history) > 2
    assert all(1 < one.value < 1e6 for one in history)


def test_no_secret_gets_to_the_store(client, tmp_path, monkeypatch):
    monkeypatch.setattr(secrets, "_redactor", secrets.Redactor(None))
    secrets.learn_environment({"MY_API_KEY": "planted-4711"})
    config = configure(
        tmp_path, "+tracking.tags.note=planted-4711", "tracking.run_name=planted-4711"
    )
    context = RunContext(["+tracking.tags.note=planted-4711"], tmp_path, command="run planted-4711")
    failed = pytest.raises(ValueError, match="planted-4711")
    with failed, closing(start_run(config, config.tracking, context, SOURCE)) as tracker:
        tracker.log_tags({"devices": "planted-4711"})
        assert b"planted-4711" not in spools(tmp_path)[0].read_bytes()
        raise ValueError("planted-4711 is refused")
    run = client.get_run(tracker.run_id)
    assert run.data.tags["note"] == run.data.tags["devices"] == "${oc.env:MY_API_KEY}"
    assert read_error(run).endswith("ValueError: ${oc.env:MY_API_KEY} is refused\n")
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not [file for file in files if b"planted-4711" in file.read_bytes()]


def test_a_run_describes_itself(config, client, tmp_path):
    context = RunContext(["seed=0"], tmp_path, command="python -m runner seed=0", number=3)
    with closing(start_run(config, config.tracking, context, SOURCE)) as tracker:
        tracker.log_result(EPOCH)
    run = client.get_run(tracker.run_id)
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("FINISHED: train of **cnn** on **digits**")
    assert "python -m runner seed=0" in note
    assert run.data.tags["command"] == "python -m runner seed=0"
    assert (run.data.tags["seed"], run.data.tags["sweep.number"]) == ("0", "3")
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    requirements = (artifacts / "environment/requirements.txt").read_text(encoding="utf-8")
    assert f"numpy=={np.__version__}\n" in requirements
    machine = yaml.safe_load((artifacts / "environment/machine.yaml").read_text(encoding="utf-8"))
    assert machine["cores"]["logical"] == os.cpu_count()


def test_metrics_come_while_the_run_goes_on(open_run, client):
    with closing(open_run()) as tracker:
        tracker.log_result(EPOCH)
        ends = time.monotonic() + 30
        while "train/loss" not in client.get_run(tracker.run_id).data.metrics:
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert client.get_run(tracker.run_id).info.status == "RUNNING"


def test_one_process_delivers_run_after_run(open_run):
    pids = set()
    for _ in range(3):
        with closing(open_run()):
            assert not courier._idle
        (idle,) = courier._idle
        pids.add(idle._process.pid)
    assert len(pids) == 1


def test_what_refuses_a_run_refuses_its_configuration(open_run, client, config, tmp_path):
    client.delete_experiment(client.create_experiment(config.tracking.experiment))
    with pytest.raises(ConfigError, match=r"^tracking\.experiment: .* was deleted in this store"):
        open_run()
    assert not spools(tmp_path)


def test_a_file_that_is_no_store_refuses_the_configuration(open_run, config, tmp_path):
    Path(config.tracking.database).write_text("not a database\n" * 100, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^tracking\.database: MLflow cannot open the store: "):
        open_run()
    assert not spools(tmp_path)


def test_a_run_whose_process_is_killed_is_closed_with_all_that_it_logged(client, tmp_path):
    finished = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert finished.returncode == -signal.SIGKILL
    run = wait_for_end(client, finished.stdout)
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"step/loss": 0.25}
    assert "ended without a word" in read_error(run)


def wait_for_end(client, run_id):
    ends = time.monotonic() + 30
    while (run := client.get_run(run_id)).info.status == "RUNNING":
        assert time.monotonic() < ends
        time.sleep(0.05)
    return run


def test_a_sweep_whose_process_is_killed_is_closed_with_the_run_of_its_job(client, tmp_path):
    finished = subprocess.run(
        [sys.executable, "-c", KILLED_SWEEP, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    ids = finished.stdout.split()
    assert len(ids) == 2
    assert {wait_for_end(client, run_id).info.status for run_id in ids} == {"KILLED"}


def test_runs_come_and_go_while_that_of_their_sweep_is_open(config, client, open_run, tmp_path):
    with closing(open_sweep(config, tmp_path)) as sweep:
        for _ in range(2):
            with closing(open_run()) as tracker:
                tracker.log_result(EPOCH)
            assert client.get_run(tracker.run_id).info.status == "FINISHED"
        assert client.get_run(sweep.run_id).info.status == "RUNNING"
        assert len(courier._idle) == 1
    assert client.get_run(sweep.run_id).info.status == "FINISHED"
    assert not spools(tmp_path)


def test_a_courier_that_was_killed_loses_its_sweep_and_no_further_job(
    config, client, open_run, tmp_path
):
    sweep = open_sweep(config, tmp_path)
    courier._idle[0]._process.kill()
    courier._idle[0]._process.wait()
    with closing(open_run()) as tracker:
        tracker.log_result(EPOCH)
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    with pytest.raises(TrackingError, match="ended with status -9"), closing(sweep):
        sweep.log_result(EPOCH)


def rename_table(config, old, new):
    with sqlite3.connect(config.tracking.database) as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
    connection.close()


def break_store(config):
    rename_table(config, "metrics", "gone")


def mend_store(config):
    rename_table(config, "gone", "metrics")


def test_what_a_store_does_not_take_is_kept(open_run, client, config, tmp_path):
    tracker = open_run()
    break_store(config)
    lost = pytest.raises(TrackingError, match="MLflow did not take all of run")
    with lost as caught, closing(tracker):
        tracker.log_result(EPOCH)
    (spool,) = spools(tmp_path)
    assert str(caught.value).endswith(f"All that the run logged is in {spool}")
    mend_store(config)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FAILED"
    assert "no such table: metrics" in read_error(run)


def test_a_spool_that_is_damaged_ends_its_run(open_run, client):
    tracker = open_run()
    tracker._spool._write(bytes(100))
    with pytest.raises(TrackingError, match="is damaged"), closing(tracker):
        tracker.log_result(EPOCH)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FAILED"
    assert "is damaged" in read_error(run)


def test_a_run_that_failed_says_so_before_what_the_store_did(open_run, config, caplog):
    tracker = open_run()
    break_store(config)
    failed = pytest.raises(ValueError, match="not finite")
    with caplog.at_level(logging.ERROR, "runner"), failed, closing(tracker):
        tracker.log_result(EPOCH)
        raise ValueError("not finite")
    assert "MLflow did not take all of run" in caplog.text


def test_a_courier_that_was_killed_is_told_of_and_replaced(open_run, client, tmp_path):
    tracker = open_run()
    os.kill(tracker._courier._process.pid, signal.SIGKILL)
    ended = "the process that writes to MLflow ended with status -9"
    with pytest.raises(TrackingError, match=ended), closing(tracker):
        tracker.log_result(EPOCH)
    assert len(spools(tmp_path)) == 1
    with closing(open_run()) as other:
        other.log_result(EPOCH)
    assert client.get_run(other.run_id).info.status == "FINISHED"
