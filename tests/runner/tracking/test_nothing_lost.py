"""A real server that fails in every way: afterwards store and spool agree entry for entry."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from models.problems import ConfigError
from runner.tracking import parcels
from runner.tracking.tracker import closing
from tests.servers import open_proxy, start_mlflow_server
from tests.workload import (
    DATA,
    check_delivered,
    configure,
    find_run,
    log_steps,
    open_tracker,
    read_spool,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with start_mlflow_server(f"sqlite:///{folder}/mlflow.db", folder / "artifacts") as server:
        yield server


@pytest.fixture
def proxy(server):
    with open_proxy(server) as proxy:
        yield proxy
    parcels._close_couriers()


@pytest.fixture
def client(server):
    return MlflowClient(server.uri)


@pytest.fixture
def config(tmp_path, proxy):
    return configure(tmp_path, "tracking=server", f"tracking.uri={proxy.uri}")


def spools(folder):
    return sorted((folder / "spool").glob("*.spool"))


def keep_spool(folder):
    """Returns a name of the spool that stays once it is delivered."""
    (spool,) = spools(folder)
    kept = folder / "kept"
    os.link(spool, kept)
    return kept


def count_runs(client, key):
    experiments = [one.experiment_id for one in client.search_experiments()]
    return len(client.search_runs(experiments, f"tags.`feedfetch.run` = '{key}'"))


FAULTS = [
    ("error", "", None),
    (503, "", None),
    (429, "", None),
    ("refuse", "", None),
    ("lose", "", None),
    ("hang", "", None),
    ("error", "artifacts", None),
    ("lose", "log-batch", None),
]


@pytest.mark.parametrize(("fault", "only", "times"), FAULTS)
def test_a_fault_in_mid_run_costs_no_entry(config, proxy, client, tmp_path, fault, only, times):
    with closing(open_tracker(config, tmp_path)) as tracker:
        kept = keep_spool(tmp_path)
        tracker.log_result(DATA)
        log_steps(tracker, 20)
        proxy.set(fault, only, times)
        spent = log_steps(tracker, 20, 0.1)
        proxy.set(None)
        log_steps(tracker, 5)
    assert max(spent) < 1
    check_delivered(client, read_spool(kept), tracker.run_id, tmp_path)
    assert client.get_run(tracker.run_id).info.status == "FINISHED"
    assert not spools(tmp_path)


@pytest.mark.parametrize("fault", ["lose", "error", "refuse"])
@pytest.mark.parametrize("path", ["experiments/create", "runs/create", "runs/update", "log-batch"])
def test_an_answer_that_is_lost_makes_nothing_twice(proxy, client, tmp_path, fault, path):
    overrides = ["tracking=server", f"tracking.uri={proxy.uri}"]
    config = configure(tmp_path, *overrides, f"tracking.experiment={path} {fault}")
    proxy.set(fault, path, 2)
    with closing(open_tracker(config, tmp_path)) as tracker:
        kept = keep_spool(tmp_path)
        log_steps(tracker, 20)
    assert count_runs(client, tracker.key) == 1
    check_delivered(client, read_spool(kept), tracker.run_id, tmp_path)
    assert client.get_run(tracker.run_id).info.status == "FINISHED"


def test_a_creation_that_comes_late_is_removed(config, server, client, tmp_path, proxy):
    client.get_experiment_by_name(config.tracking.experiment) or client.create_experiment(
        config.tracking.experiment
    )
    proxy.set("error", "runs/create", 1)
    with closing(open_tracker(config, tmp_path)) as tracker:
        ends = time.monotonic() + 30
        while tracker.run_id is None:
            assert time.monotonic() < ends
            time.sleep(0.05)
        experiment = client.get_experiment_by_name(config.tracking.experiment).experiment_id
        late = client.create_run(experiment, tags={"feedfetch.run": tracker.key})
    assert find_run(client, tracker.key).info.run_id == tracker.run_id
    assert client.get_run(late.info.run_id).info.lifecycle_stage == "deleted"
    assert len(client.search_runs([experiment], "", ViewType.DELETED_ONLY)) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_refuses_the_configuration(config, proxy, tmp_path, status):
    proxy.set(status)
    with pytest.raises(ConfigError, match=rf"^tracking\.uri: .*{status}"):
        open_tracker(config, tmp_path)
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_who_delivers_leaves_no_mark_on_the_run(proxy, client, tmp_path, status):
    address = f"tracking.uri={proxy.uri}"
    config = configure(tmp_path, "tracking=server", address, "tracking.wait_seconds=0")
    proxy.set("refuse")
    with closing(open_tracker(config, tmp_path)) as tracker:
        log_steps(tracker, 2)
    parcels._close_couriers()
    proxy.set(status)
    refused = sync(tmp_path, "--wait=0")
    assert (refused.returncode, refused.stdout[:9]) == (1, "refused  ")
    proxy.set(None)
    assert sync(tmp_path).stdout.startswith("delivered")
    run = find_run(client, tracker.key)
    assert run.info.status == "FINISHED"
    assert "error.txt" not in [one.path for one in client.list_artifacts(run.info.run_id)]


def test_a_server_that_comes_late_has_all_of_the_run(config, proxy, client, tmp_path):
    proxy.set("refuse")
    with closing(open_tracker(config, tmp_path)) as tracker:
        assert tracker.run_id is None
        kept = keep_spool(tmp_path)
        log_steps(tracker, 20)
        proxy.set(None)
    check_delivered(client, read_spool(kept), tracker.run_id, tmp_path)


def test_the_runs_of_a_sweep_find_their_parent_after_an_outage(config, proxy, client, tmp_path):
    proxy.set("refuse")
    with (
        closing(open_tracker(config, tmp_path)) as sweep,
        closing(open_tracker(config, tmp_path, parent=sweep.key)) as job,
    ):
        log_steps(job, 2)
        proxy.set(None)
    tags = client.get_run(job.run_id).data.tags
    assert tags["mlflow.parentRunId"] == sweep.run_id


def start_workload(folder, uri, steps, seconds=0.02):
    command = [sys.executable, "-m", "tests.workload", folder, str(steps), str(seconds)]
    process = subprocess.Popen(
        [*command, "tracking=server", f"tracking.uri={uri}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    key = process.stdout.readline().strip()
    return process, key


def sync(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "runner", "sync", *arguments, f"tracking.spool={folder}/spool"],
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_that_is_away_costs_no_entry(server, client, tmp_path, how):
    process, key = start_workload(tmp_path, server.uri, 400)
    kept = keep_spool(tmp_path)
    time.sleep(1)
    if how == "stopped":
        server.signal(signal.SIGSTOP)
        time.sleep(12)
        server.signal(signal.SIGCONT)
    else:
        server.kill()
        time.sleep(4)
        server.start()
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(told)["most_seconds"] < 1
    run = find_run(client, key)
    check_delivered(client, read_spool(kept), run.info.run_id, tmp_path)
    assert run.info.status == "FINISHED"
    assert not spools(tmp_path)


def test_what_a_server_that_stays_away_lacks_is_synced(server, client, tmp_path):
    with open_proxy(server) as proxy:
        process, key = start_workload(tmp_path, proxy.uri, 50)
        process.stdout.close()
        kept = keep_spool(tmp_path)
        proxy.set("refuse")
        time.sleep(1)
        process.kill()
        process.wait()
        time.sleep(1)
        waiting = sync(tmp_path, "--wait=0")
        if waiting.returncode == 0:  # the process that delivers was at it
            assert waiting.stdout.startswith("running    ")
        proxy.set(None)
        time.sleep(3)
        ends = time.monotonic() + 60
        while spools(tmp_path):
            assert time.monotonic() < ends
            sync(tmp_path)
    run = find_run(client, key)
    assert run.info.status == "KILLED"
    spooled = read_spool(kept)
    check_delivered(client, spooled, run.info.run_id, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_a_courier_that_is_killed_at_random_loses_and_doubles_nothing(
    config, client, tmp_path, seed
):
    instants = random.Random(seed)
    with closing(open_tracker(config, tmp_path)) as tracker:
        kept = keep_spool(tmp_path)
        tracker.log_result(DATA)
        for _ in range(5):
            log_steps(tracker, 30)
            time.sleep(instants.uniform(0, 0.4))
            try:
                os.kill(parcels.get_courier().pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    assert count_runs(client, tracker.key) == 1
    check_delivered(client, read_spool(kept), tracker.run_id, tmp_path)
    assert len(client.get_run(tracker.run_id).inputs.dataset_inputs) == 2
    assert client.get_run(tracker.run_id).info.status == "FINISHED"


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_is_killed_at_random_is_closed_with_all_that_it_logged(
    server, client, tmp_path, seed
):
    process, key = start_workload(tmp_path, server.uri, 2000, 0.001)
    kept = keep_spool(tmp_path)
    instants = random.Random(seed)
    time.sleep(instants.uniform(0, 3))
    if seed % 2:  # both at once, as where the machine ends
        for child in list_children(process.pid):
            os.kill(child, signal.SIGKILL)
    process.kill()
    process.communicate()
    ends = time.monotonic() + 60
    while spools(tmp_path):
        assert time.monotonic() < ends
        synced = sync(tmp_path)
        assert synced.returncode == 0, synced.stdout
    run = find_run(client, key)
    assert run.info.status == "KILLED"
    check_delivered(client, read_spool(kept), run.info.run_id, tmp_path)


def list_children(pid):
    """Returns the process that delivers, as a child of `pid`."""
    children = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True)
    return [int(child) for child in children.stdout.split()]
