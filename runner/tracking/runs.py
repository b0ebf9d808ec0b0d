"""Reads what a run has logged."""

import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.problems import ConfigError, expected
from runner.config import StoreTrackingConfig, TrackingConfig
from runner.resolved import FILE
from runner.tracking.store import open_client, store_uri

WEIGHTS = "weights/weights.npz"
PREPROCESS = "config/preprocess.yaml"
RESOLVED = f"config/{FILE}"

_HINT = "Only a run of task=train that came to its end keeps some."


@dataclass(frozen=True)
class LoggedRun:
    """What a later command takes over from a run.

    Attributes:
        resolved: Its configuration: ``config``, and the ``kinds`` of its groups.
        weights: Its variables by name, as it ended.
    """

    resolved: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


def read_run(tracking: TrackingConfig, run: str, path: str) -> LoggedRun:
    """Returns what a run has logged.

    Args:
        tracking: The store.
        run: The run's id in the store, or its folder.
        path: The place in the configuration that names it.

    Raises:
        ConfigError: If there is no such run, or it kept no weights.
    """
    folder = Path(run).expanduser()
    if folder.is_dir():
        return _read_folder(folder, path)
    if not isinstance(tracking, StoreTrackingConfig):
        what = "the folder of a run, since tracking=off has no store"
        raise ConfigError([expected(path, what, run)])
    return _read_stored(tracking, run, path)


def _read_folder(folder: Path, path: str) -> LoggedRun:
    resolved, weights = folder / FILE, folder / Path(WEIGHTS).name
    if not resolved.exists():
        hint = f"There is no {FILE} in it."
        raise ConfigError([expected(path, "a run's id or its folder", str(folder), hint)])
    if not weights.exists():
        hint = f"Only a run of task=train with tracking=off keeps {weights.name} there; of another "
        hint += "give the id."
        raise ConfigError([expected(path, "a run with weights", str(folder), hint)])
    return _read_files(resolved, weights, path, str(folder))


def _read_stored(tracking: StoreTrackingConfig, run: str, path: str) -> LoggedRun:
    client = open_client(tracking)
    # To import it takes a second, which a command that names no run does not spend.
    from mlflow.exceptions import MlflowException

    try:
        status = client.get_run(run).info.status
    except MlflowException as error:
        hint = f"There is no such run in {store_uri(tracking)}."
        raise ConfigError([expected(path, "a run's id or its folder", run, hint)]) from error
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = RESOLVED
            resolved = Path(client.download_artifacts(run, artifact, folder))
            artifact = WEIGHTS
            weights = Path(client.download_artifacts(run, artifact, folder))
        except (MlflowException, OSError) as error:
            hint = f"It kept no {artifact}; it is {status}. {_HINT}"
            raise ConfigError([expected(path, "a run with weights", run, hint)]) from error
        return _read_files(resolved, weights, path, run)


def _read_files(resolved: Path, weights: Path, path: str, run: str) -> LoggedRun:
    try:
        config = yaml.safe_load(resolved.read_text(encoding="utf-8"))
        with np.load(weights, allow_pickle=False) as arrays:
            return LoggedRun(config, dict(arrays))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, yaml.YAMLError) as error:
        raise ConfigError([expected(path, "a run that can be read", run, f"{error}.")]) from error
