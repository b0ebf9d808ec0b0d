"""Many metrics at once: none is lost."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from mlflow import MlflowClient

from runner.tracking.store import store_uri

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROCESSES = 4
STEPS = 5000
EPOCHS = 1250
METRICS = ("loss", "accuracy", "precision", "recall")

WRITE = """
import json, sys, time
from pathlib import Path
from tests.runner.tracking.test_volume import *
from runner.composition import compose_config
from runner.results import SplitResult, StepsResult
from runner.tracking.courier import start_run
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext, closing

overrides, folder, number = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
config = compose_config(overrides)
prepare_store(config.tracking)
(folder / f"{number}.ready").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
output = folder / str(number)
output.mkdir()
with closing(start_run(config, config.tracking, RunContext([], output), folder)) as tracker:
    sys.stdout.write(tracker.run_id)
    for first in range(0, STEPS, 100):
        tracker.log_result(StepsResult(1, first, losses_of(number)[first : first + 100], {}))
    for epoch in range(EPOCHS):
        tracker.log_result(SplitResult("train", epoch, epoch, metrics_of(number, epoch)))
"""


def losses_of(number):
    return number + 1 / np.arange(1, STEPS + 1)


def metrics_of(number, epoch):
    return {name: number + epoch / (2 + place) for place, name in enumerate(METRICS)}


def test_four_processes_that_write_ten_thousand_metrics_each_lose_none(
    store, store_overrides, tmp_path
):
    overrides = [*store_overrides, "tracking.experiment=volume"]
    command = [sys.executable, "-c", WRITE, json.dumps(overrides)]
    processes = [
        subprocess.Popen([*command, str(tmp_path), str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(PROCESSES)
    ]
    while len(list(tmp_path.glob("*.ready"))) < PROCESSES:
        assert not any(process.poll() for process in processes)
        time.sleep(0.05)
    (tmp_path / "go").touch()
    run_ids = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES

    client = MlflowClient(store_uri(store.tracking))
    for number, run_id in enumerate(run_ids):
        assert client.get_run(run_id).info.status == "FINISHED"
        losses = client.get_metric_history(run_id, "step/loss")
        points = sorted((point.step, point.value) for point in losses)
        assert points == list(enumerate(losses_of(number).tolist()))
        for name in METRICS:
            history = client.get_metric_history(run_id, f"train/{name}")
            assert sorted((point.step, point.value) for point in history) == [
                (epoch, metrics_of(number, epoch)[name]) for epoch in range(EPOCHS)
            ]
