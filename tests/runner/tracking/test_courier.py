"""Runs delivered by a real process of their own."""

import logging
import os
import re
import shutil
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
from runner.results import SplitResult, StepsResult
from runner.tracking import parcels
from runner.tracking.courier import start_run, start_sweep
from runner.tracking.store import store_uri
from runner.tracking.tracker import RunContext, TrackingError, closing
from tests.workload import (
    SOURCE,
    check_delivered,
    configure,
    configure_sqlite,
    find_run,
    log_steps,
    open_tracker,
    read_spool,
)

pytestmark = pytest.mark.integration

STEPS = StepsResult(1, 1, np.array([0.5, 0.25]), {})
EPOCH = SplitResult("train", 1, 2, {"loss": 0.375})

KILLED = """
import os, signal, sys
from tests.runner.tracking.test_courier import *
tracker = open_tracker(configure_sqlite(sys.argv[1]), sys.argv[1])
tracker.log_result(STEPS)
sys.stdout.write(tracker.run_id)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_SWEEP = """
import os, signal, sys
from tests.runner.tracking.test_courier import *
config = configure_sqlite(sys.argv[1])
sweep = open_sweep(config, sys.argv[1])
tracker = open_tracker(config, sys.argv[1], parent=sweep.key)
sys.stdout.write(f"{sweep.run_id} {tracker.run_id}")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""

FULL = """
import resource, sys
from tests.runner.tracking.test_courier import *
config = configure_sqlite(sys.argv[1])
tracker = open_tracker(config, sys.argv[1])
tracker.log_result(STEPS)
(spool,) = spools(Path(sys.argv[1]))
size = spool.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, size + 2000))
try:
    with closing(tracker):
        tracker.log_result(StepsResult(1, 3, np.ones(1000), {}))
except TrackingError as error:
    sys.stdout.write(f"{tracker.run_id}\\n{error}")
"""


def open_sweep(config, folder):
    context = RunContext(["seed=0,1"], Path(folder))
    return start_sweep(config, config.tracking, context, SOURCE, name="seed=0,1")


@pytest.fixture(scope="module")
def fresh_store(tmp_path_factory):
    """A store without runs, whose tables take seconds to create."""
    tracking = configure_sqlite(tmp_path_factory.mktemp("store")).tracking
    MlflowClient(store_uri(tracking)).search_experiments()
    return tracking.database


@pytest.fixture
def config(tmp_path, fresh_store):
    shutil.copy(fresh_store, tmp_path / "mlflow.db")
    return configure_sqlite(tmp_path)


@pytest.fixture
def client(config):
    return MlflowClient(store_uri(config.tracking))


@pytest.fixture
def open_run(config, tmp_path):
    return lambda **context: open_tracker(config, tmp_path, **context)


def read_artifact(run, name):
    artifacts = Path(run.info.artifact_uri.removeprefix("file://"))
    return (artifacts / name).read_text(encoding="utf-8")


def read_error(run):
    return read_artifact(run, "error.txt")


def spools(folder):
    return sorted((folder / "spool").glob("*.spool"))


def run_script(script, folder):
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    )


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
    assert not list((tmp_path / "spool").iterdir())


def test_what_a_run_uses_of_its_machine_is_logged_while_steps_are(client, tmp_path):
    config = configure_sqlite(tmp_path, "tracking.system_metrics_seconds=0.1")
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
    config = configure_sqlite(
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
    assert note.startswith("FINISHED: train of **mlp** on **digits**")
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
        wait_for(lambda: "train/loss" in client.get_run(tracker.run_id).data.metrics)
        assert client.get_run(tracker.run_id).info.status == "RUNNING"


def test_one_process_delivers_run_after_run(open_run):
    pids = set()
    for _ in range(3):
        with closing(open_run()):
            pids.add(parcels.get_courier().pid)
    assert len(pids) == 1


def test_what_refuses_a_run_refuses_its_configuration(open_run, client, config, tmp_path):
    client.delete_experiment(client.create_experiment(config.tracking.experiment))
    with pytest.raises(ConfigError, match=r"^tracking\.experiment: .* was deleted in this store"):
        open_run()
    assert not list((tmp_path / "spool").iterdir())


def test_a_file_that_is_no_store_refuses_the_configuration(open_run, config, tmp_path):
    Path(config.tracking.database).write_text("not a database\n" * 100, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^tracking\.database: MLflow cannot open the store: "):
        open_run()
    assert not list((tmp_path / "spool").iterdir())


def test_a_run_whose_process_is_killed_is_closed_with_all_that_it_logged(client, tmp_path):
    finished = run_script(KILLED, tmp_path)
    assert finished.returncode == -signal.SIGKILL
    run = wait_for_end(client, finished.stdout)
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"step/loss": 0.25}
    assert "ended without a word" in read_error(run)
    wait_for(lambda: not spools(tmp_path))


def wait_for(is_reached):
    ends = time.monotonic() + 60
    while not is_reached():
        assert time.monotonic() < ends
        time.sleep(0.05)


def wait_for_end(client, run_id):
    wait_for(lambda: client.get_run(run_id).info.status != "RUNNING")
    return client.get_run(run_id)


def test_a_sweep_whose_process_is_killed_is_closed_with_the_run_of_its_job(client, tmp_path):
    ids = run_script(KILLED_SWEEP, tmp_path).stdout.split()
    assert len(ids) == 2
    assert {wait_for_end(client, run_id).info.status for run_id in ids} == {"KILLED"}
    assert client.get_run(ids[1]).data.tags["mlflow.parentRunId"] == ids[0]


def test_runs_come_and_go_while_that_of_their_sweep_is_open(config, client, open_run, tmp_path):
    with closing(open_sweep(config, tmp_path)) as sweep:
        for _ in range(2):
            with closing(open_run(parent=sweep.key)) as tracker:
                tracker.log_result(EPOCH)
            run = client.get_run(tracker.run_id)
            assert run.info.status == "FINISHED"
            assert run.data.tags["mlflow.parentRunId"] == sweep.run_id
        assert client.get_run(sweep.run_id).info.status == "RUNNING"
    assert client.get_run(sweep.run_id).info.status == "FINISHED"
    assert not spools(tmp_path)


def test_a_courier_that_is_killed_is_started_anew_and_goes_on(open_run, client, tmp_path):
    with closing(open_run()) as tracker:
        (spool,) = spools(tmp_path)
        kept = tmp_path / "kept"
        os.link(spool, kept)
        for _ in range(3):
            log_steps(tracker, 8)
            pid = parcels.get_courier().pid
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: parcels.get_courier().pid != pid)  # noqa: B023
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    check_delivered(client, read_spool(kept), tracker.run_id, tmp_path)
    assert not spools(tmp_path)


def change_store(config, statement):
    with sqlite3.connect(config.tracking.database) as connection:
        connection.execute(statement)
    connection.close()


def break_store(config):
    refusal = "SELECT RAISE(ABORT, 'no metrics today')"
    change_store(config, f"CREATE TRIGGER refusal BEFORE INSERT ON metrics BEGIN {refusal}; END")


def test_a_run_that_cannot_be_started_whole_is_failed(open_run, client, config, tmp_path):
    change_store(
        config,
        "CREATE TRIGGER refusal BEFORE INSERT ON params BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    with pytest.raises(ConfigError, match=r"^tracking: MLflow refused it: IntegrityError: no"):
        open_run()
    experiment = client.get_experiment_by_name(config.tracking.experiment)
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert not list((tmp_path / "spool").iterdir())


def mend_store(config):
    change_store(config, "DROP TRIGGER refusal")


def sync(tmp_path, *arguments):
    return subprocess.run(
        [
            *(sys.executable, "-m", "runner", "sync", *arguments),
            f"tracking.spool={tmp_path}/spool",
            f"tracking.database={tmp_path}/mlflow.db",
            f"tracking.artifacts={tmp_path}/artifacts",
        ],
        capture_output=True,
        text=True,
    )


def test_what_a_store_refuses_is_kept_and_delivered_once_that_is_mended(
    open_run, client, config, tmp_path
):
    tracker = open_run()
    break_store(config)
    lost = pytest.raises(TrackingError, match="MLflow did not take all of run")
    with lost as caught, closing(tracker):
        tracker.log_result(EPOCH)
    (spool,) = spools(tmp_path)
    told = f"All that the run logged is in {spool}; once that is mended, python -m runner sync"
    assert told in str(caught.value)
    refused = sync(tmp_path)
    assert refused.returncode == 1
    assert refused.stdout.startswith("refused    ")
    assert "no metrics today" in refused.stdout
    mend_store(config)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FAILED"
    assert "no metrics today" in read_error(run)
    delivered = sync(tmp_path)
    assert (delivered.returncode, delivered.stdout) == (
        0,
        f"delivered  {tracker.run_id} {run.info.run_name}: 4 entries, FINISHED\n",
    )
    run = client.get_run(tracker.run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"train/loss": 0.375})
    assert read_error(run).startswith("Delivered whole, after MLflow did not take all: ")
    assert sync(tmp_path).stdout == f"nothing waits in {tmp_path}/spool\n"


def test_a_spool_that_is_damaged_ends_its_run_and_is_set_aside(open_run, client, tmp_path):
    tracker = open_run()
    tracker.log_result(STEPS)
    os.write(tracker._spool._descriptor, bytes(100))
    told = r"is damaged; it is set aside as .*\.spool\.damaged"
    with pytest.raises(TrackingError, match=told), closing(tracker):
        tracker.log_result(EPOCH)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FAILED"
    assert run.data.metrics == {"step/loss": 0.25}
    assert "is damaged" in read_error(run)
    (kept,) = (tmp_path / "spool").iterdir()
    assert kept.suffix == ".damaged"


def test_a_run_that_failed_says_so_before_what_the_store_did(open_run, config, caplog):
    tracker = open_run()
    break_store(config)
    failed = pytest.raises(ValueError, match="not finite")
    with caplog.at_level(logging.ERROR, "runner"), failed, closing(tracker):
        tracker.log_result(EPOCH)
        raise ValueError("not finite")
    assert "MLflow did not take all of run" in caplog.text


def test_a_run_goes_on_without_its_store_and_says_what_waits(tmp_path, caplog):
    server = ["tracking=server", "tracking.uri=http://127.0.0.1:9", "tracking.wait_seconds=0"]
    config = configure(tmp_path, *server)
    with caplog.at_level(logging.WARNING, "runner"), closing(open_tracker(config, tmp_path)) as run:
        assert run.run_id is None
        run.log_result(STEPS)
    (spool,) = spools(tmp_path)
    refused = r"tracking: the store is away \(ConnectionRefusedError: .*\); "
    away, waits = caplog.messages
    assert_matches(away, f"{refused}the run is kept until it is back")
    assert_matches(waits, f"{refused}4 entries wait in {spool}: deliver them by python -m runner ")
    parcels._close_couriers()
    synced = sync(tmp_path, "--wait=0")
    assert synced.returncode == 1
    assert_matches(synced.stdout, r"waiting    mlp seed=0: 4 entries wait in \S+: ConnectionRefus")


def test_a_sweep_goes_on_without_its_store(tmp_path, caplog):
    server = ["tracking=server", "tracking.uri=http://127.0.0.1:9", "tracking.wait_seconds=1"]
    config = configure(tmp_path, *server)
    began = time.monotonic()
    with closing(open_sweep(config, tmp_path)) as sweep:
        for _ in range(3):
            with closing(open_tracker(config, tmp_path, parent=sweep.key)) as job:
                job.log_result(STEPS)
    assert time.monotonic() - began < 60
    assert len(spools(tmp_path)) == 4
    assert sum("entries wait in" in message for message in caplog.messages) == 4
    parcels._close_couriers()


def assert_matches(text, pattern):
    assert re.match(pattern, text), text


def test_a_full_disk_is_told_of_and_nothing_before_it_is_lost(client, tmp_path):
    finished = run_script(FULL, tmp_path)
    run_id, told = finished.stdout.split("\n", 1)
    assert told.startswith(f"tracking.spool: {tmp_path}/spool/")
    assert "cannot be written: File too large. All that was logged before is kept. Make" in told
    run = wait_for_end(client, run_id)
    assert run.data.metrics == {"step/loss": 0.25}
    assert run.info.status == "FAILED"


def test_a_run_closes_what_earlier_ones_left(open_run, client, tmp_path):
    finished = run_script(KILLED.replace("os.kill", KILL_ALL), tmp_path)
    assert finished.returncode == -signal.SIGKILL
    assert client.get_run(finished.stdout).info.status == "RUNNING"
    assert len(spools(tmp_path)) == 1
    with closing(open_run()):
        run = wait_for_end(client, finished.stdout)
        assert run.info.status == "KILLED"
        assert "ended without a word" in read_artifact(run, "report.html")
        wait_for(lambda: len(spools(tmp_path)) == 1)


KILL_ALL = "os.kill(parcels.get_courier().pid, signal.SIGKILL); os.kill"


def test_a_run_whose_spool_is_gone_is_closed_as_its_process_is(client, tmp_path):
    finished = run_script(KILLED.replace("os.kill", KILL_ALL), tmp_path)
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    synced = sync(tmp_path)
    assert synced.returncode == 0
    assert synced.stdout == f"closed     {finished.stdout}: KILLED, as its process is gone\n"
    run = find_run(client, client.get_run(finished.stdout).data.tags["feedfetch.run"])
    assert run.info.status == "KILLED"
    assert read_error(run).startswith("Its process is gone")


def test_a_run_that_goes_on_is_left_alone(open_run, client, tmp_path):
    with closing(open_run()) as tracker:
        synced = sync(tmp_path)
        assert synced.returncode == 0
        assert synced.stdout.startswith("running    ")
        assert client.get_run(tracker.run_id).info.status == "RUNNING"
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
