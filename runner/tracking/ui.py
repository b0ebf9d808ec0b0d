"""Serves the MLflow UI on the configured store."""

import os
import socket
import sys

from models.problems import ConfigError, expected
from runner.config import ServerTrackingConfig, StoreTrackingConfig, TrackingConfig
from runner.tracking.server import explaining_refusals
from runner.tracking.store import open_client, require_store, store_uri

_HOST = "127.0.0.1"


def serve_ui(tracking: TrackingConfig, run_id: str | None, port: int) -> None:
    """Prints where the runs are and becomes the server that shows them, until it is interrupted.

    Of a store that is a server it prints the address there, and returns.

    Args:
        tracking: The store.
        run_id: The run whose page is named; None for the list of experiments.
        port: Where to listen, on the local address alone.

    Raises:
        ConfigError: If there is no such store or run, or the port is taken.
    """
    tracking = require_store(tracking)
    if isinstance(tracking, ServerTrackingConfig):
        address = tracking.uri.rstrip("/")
        sys.stdout.write(f"{_page(address, tracking, run_id)}  (shown by the server itself)\n")
        return
    _require_port(port)
    page = _page(f"http://{_HOST}:{port}", tracking, run_id)
    sys.stdout.write(f"{page}  (stop with Ctrl-C)\n")
    sys.stdout.flush()
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # One worker and no job runner: 2 processes and 0.5 GB instead of 15 and 2.4 GB.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **os.environ,
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", store_uri(tracking)]
    os.execve(sys.executable, command, environment)


def _page(address: str, tracking: StoreTrackingConfig, run_id: str | None) -> str:
    page = "#/experiments" if run_id is None else _run_page(tracking, run_id)
    # Without the workflow, the UI opens on language models and hides training runs.
    return f"{address}/{page}?workflowType=machine_learning"


def _run_page(tracking: StoreTrackingConfig, run_id: str) -> str:
    client = open_client(tracking)
    from mlflow.exceptions import MlflowException

    try:
        with explaining_refusals(tracking):
            run = client.get_run(run_id)
    except MlflowException as error:
        raise ConfigError([expected("--run", "the id of a run", run_id)]) from error
    return f"#/experiments/{run.info.experiment_id}/runs/{run_id}"


def _require_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            hint = f"{error.strerror}; choose another."
            raise ConfigError([expected("--port", "a free port", port, hint)]) from error
