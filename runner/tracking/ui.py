"""Serves the MLflow UI on the configured store, and opens the page that one wants to see."""

import os
import socket
import subprocess
import sys
import webbrowser
from typing import TYPE_CHECKING, NoReturn

from models.problems import ConfigError, did_you_mean, expected
from runner.config import ServerTrackingConfig, StoreTrackingConfig, TrackingConfig
from runner.tracking.finding import find_run
from runner.tracking.records import list_experiments, search_runs
from runner.tracking.server import explaining_refusals
from runner.tracking.store import open_client, require_store, store_uri
from runner.tracking.view import KEY, VIEW_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient

_HOST = "127.0.0.1"
_FIRST_PORT = 5000
_MOST_PORTS = 100
# Without the workflow, the UI opens on language models and hides training runs.
_WORKFLOW = "workflowType=machine_learning"
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def open_ui(
    tracking: TrackingConfig,
    *,
    run: str | None,
    experiment: str | None,
    port: int | None,
    opens: bool,
) -> None:
    """Prints where a page is, opens it, and serves it until it is interrupted.

    A server serves its pages itself; of one the page is only opened.

    Args:
        tracking: The store.
        run: The run to show, as ``runner.tracking.finding`` tells; None for none.
        experiment: The name of the experiment to show; None for that of the newest run.
        port: Where to listen, on the local address alone; None for 5000, or the next free one.
        opens: Whether the browser is opened, where there is a desktop.

    Raises:
        ConfigError: If there is no such store, run or experiment, or the port is taken.
    """
    client = open_client(tracking)
    with explaining_refusals(require_store(tracking)):
        page = find_page(client, run=run, experiment=experiment)
    opens = opens and _has_desktop()
    if isinstance(tracking, ServerTrackingConfig):
        url = f"{tracking.uri.rstrip('/')}/{page}"
        sys.stdout.write(f"{url}\n")
        if opens:
            webbrowser.open(url)
    elif isinstance(tracking, StoreTrackingConfig):
        port = _find_port() if port is None else _require_port(port)
        url = f"http://{_HOST}:{port}/{page}"
        sys.stdout.write(f"{url}  (stop with Ctrl-C)\n")
        sys.stdout.flush()
        _serve(tracking, url if opens else None, port)


def find_page(client: "MlflowClient", *, run: str | None, experiment: str | None) -> str:
    """Returns the page of a run or of an experiment, behind the address of the UI.

    Args:
        client: A client of the store.
        run: The run, as ``runner.tracking.finding`` tells; None for none.
        experiment: The experiment's name; None for that of the newest run.

    Raises:
        ConfigError: If there is no such run or experiment.
    """
    if run is not None:
        found = find_run(client, run, "--run")
        return f"#/experiments/{found.experiment_id}/runs/{found.run_id}?{_WORKFLOW}"
    names = list_experiments(client)
    if experiment is not None:
        chosen = [key for key, name in names.items() if name == experiment]
        if not chosen:
            hint = did_you_mean(experiment, list(names.values()))
            what = "one that is in the store"
            raise ConfigError([expected("tracking.experiment", what, experiment, hint)])
    else:
        chosen = [one.experiment_id for one in search_runs(client, limit=1)]
        if not chosen:
            return f"#/experiments?{_WORKFLOW}"
    (key,) = chosen
    has_view = VIEW_TAG in client.get_experiment(key).tags
    view = f"viewStateShareKey={KEY}&" if has_view else ""
    return f"#/experiments/{key}/runs?{view}{_WORKFLOW}"


def _serve(tracking: StoreTrackingConfig, opened: str | None, port: int) -> NoReturn:
    """Becomes the server; another process opens the address `opened` once it answers."""
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # One worker and no job runner: 2 processes and 0.5 GB instead of 15 and 2.4 GB.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        **os.environ,
    }
    if opened is not None:
        opener = [sys.executable, "-m", "runner.tracking.browser", opened, _HOST, str(port)]
        subprocess.Popen(opener, stdin=subprocess.DEVNULL)
    command = [sys.executable, "-m", "mlflow", "server", "--host", _HOST, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", store_uri(tracking)]
    os.execve(sys.executable, command, environment)


def _has_desktop() -> bool:
    """Returns whether somebody at a terminal would see a browser open."""
    is_seen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, _DISPLAYS))
    return is_seen and sys.stdout.isatty() and "SSH_CONNECTION" not in os.environ


def _find_port() -> int:
    for port in range(_FIRST_PORT, _FIRST_PORT + _MOST_PORTS):
        if _why_taken(port) is None:
            return port
    return _require_port(_FIRST_PORT)


def _require_port(port: int) -> int:
    reason = _why_taken(port)
    if reason is not None:
        hint = f"{reason}; choose another."
        raise ConfigError([expected("--port", "a free port", port, hint)])
    return port


def _why_taken(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except (OSError, OverflowError) as error:
            return getattr(error, "strerror", None) or str(error)
    return None
