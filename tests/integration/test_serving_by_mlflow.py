"""A run's model under ``mlflow models serve``: an HTTP request gets what the run fetched."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import mlflow
import numpy as np
import pytest

from runner.composition import PROJECT, compose_config
from runner.tracking.store import store_uri
from tests.datasets import load_dataset

pytestmark = [pytest.mark.integration, pytest.mark.slow]

START_SECONDS = 120


@contextmanager
def serve(uri, model, folder):
    """Yields the address of a server of a model."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        # MLflow starts uvicorn by its name, as in an environment that is activated.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        # In a group of its own, since the server is a process of its process.
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield wait_for(f"http://127.0.0.1:{port}", server, folder / "server.log")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait_for(address, server, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"{address}/ping", timeout=5):
                return address
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=cnn", "tracking.register=digits", "tracking.alias=champion"],
        ["model=letters", "data=text", "data.file=tests/samples/irises"],
        ["model=multitask"],
    ],
    ids=["registered", "text", "two outputs"],
)
def test_a_request_is_answered_with_what_the_run_fetched(tmp_path, overrides):
    store = [f"tracking.database={tmp_path}/m.db", f"tracking.artifacts={tmp_path}/a"]
    given = [*store, *overrides, "task.epochs=2", "task.examples=7", "plan.name=step"]
    command = [sys.executable, "-m", "runner", *given, f"hydra.run.dir={tmp_path}/run"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    run_id = re.search(r"run +(\w{32})", finished.stdout).group(1)
    config = compose_config(given)
    uri = store_uri(config.tracking)
    client = mlflow.MlflowClient(uri)
    model_id = client.get_run(run_id).outputs.model_outputs[0].model_id
    is_registered = config.tracking.register is not None
    model = "models:/digits@champion" if is_registered else f"models:/{model_id}"
    with np.load(client.download_artifacts(run_id, "fetches/test.npz")) as fetched:
        wanted = {name: fetched[name] for name in fetched if name.startswith("outputs")}
        rows = fetched["row"]
    test = load_dataset(config.data, config.model.inputs, config.seed).test
    features = test.take(np.asarray([list(test.rows).index(row) for row in rows])).features
    body = {"inputs": {name: features[name].tolist() for name in config.model.inputs}}
    with serve(uri, model, tmp_path) as address:
        request = Request(
            f"{address}/invocations",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as response:
            answer = json.load(response)["predictions"]
    if len(wanted) == 1:
        answer = {"": answer}
    assert len(answer) == len(wanted)
    for name, array in wanted.items():
        key = name.removeprefix("outputs").lstrip(".")
        scale = np.abs(array).max()
        np.testing.assert_allclose(np.asarray(answer[key]) / scale, array / scale, atol=1e-6)
