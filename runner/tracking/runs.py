"""Reads what a run has logged."""

import os
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
from runner.tracking.finding import find_run
from runner.tracking.folders import FOLDER, is_run_folder
from runner.tracking.server import explaining_refusals
from runner.tracking.store import open_client

WEIGHTS = "weights/weights.npz"
PREPROCESS = "config/preprocess.yaml"
RESOLVED = f"config/{FILE}"

# Which every run of the project has but that of a sweep.
_TASK = "task"
_HINT = "Only a run of task=train that came to its end keeps some."


@dataclass(frozen=True)
class LoggedRun:
    """What a later command takes over from a run.

    Attributes:
        run: Its id, or its folder where no store has it.
        resolved: Its configuration: ``config``, and the ``kinds`` of its groups.
        weights: Its variables by name, as it ended.
    """

    run: str
    resolved: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


def read_run(tracking: TrackingConfig, run: str, path: str) -> LoggedRun:
    """Returns what a run has logged.

    Args:
        tracking: The store.
        run: The run, as ``runner.tracking.finding`` tells; or the folder of one that no store has.
        path: The place in the configuration that names it.

    Raises:
        ConfigError: If there is no such run, or it kept no weights.
    """
    folder = Path(run).expanduser()
    is_kept = is_run_folder(folder)
    if is_kept and (folder / Path(WEIGHTS).name).exists():
        return _read_folder(folder, path)
    if not is_kept and os.sep in run and folder.is_dir():
        hint = f"There is no {FILE} in it."
        raise ConfigError([expected(path, "a run's id or its folder", run, hint)])
    if not isinstance(tracking, StoreTrackingConfig):
        if is_kept:
            return _read_folder(folder, path)
        what = "the folder of a run, since tracking=off has no store"
        raise ConfigError([expected(path, what, run)])
    return _read_stored(tracking, run, path)


def _read_folder(folder: Path, path: str) -> LoggedRun:
    resolved, weights = folder / FILE, folder / Path(WEIGHTS).name
    if not weights.exists():
        hint = f"Only a run of task=train with tracking=off keeps {weights.name} there."
        raise ConfigError([expected(path, "a run with weights", str(folder), hint)])
    return _read_files(resolved, weights, path, str(folder))


def _read_stored(tracking: StoreTrackingConfig, run: str, path: str) -> LoggedRun:
    client = open_client(tracking)
    # To import it takes a second, which a command that names no run does not spend.
    from mlflow.exceptions import MlflowException

    with explaining_refusals(tracking):
        found = find_run(client, run, path)
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = RESOLVED
            resolved = Path(client.download_artifacts(found.run_id, artifact, folder))
            artifact = WEIGHTS
            weights = Path(client.download_artifacts(found.run_id, artifact, folder))
        except (MlflowException, OSError) as error:
            hint = f"It kept no {artifact}; it is {found.status}. {_HINT}"
            if is_sweep(found.tags):
                hint = "It is the run of a sweep; take one of its jobs."
            raise ConfigError([expected(path, "a run with weights", run, hint)]) from error
        return _read_files(resolved, weights, path, found.run_id)


def is_sweep(tags: Mapping[str, str]) -> bool:
    """Returns whether `tags` are of the run of a sweep, which has no configuration of its own."""
    return FOLDER in tags and _TASK not in tags


def _read_files(resolved: Path, weights: Path, path: str, run: str) -> LoggedRun:
    try:
        config = yaml.safe_load(resolved.read_text(encoding="utf-8"))
        with np.load(weights, allow_pickle=False) as arrays:
            restored = {name: _restore(array) for name, array in arrays.items()}
            return LoggedRun(run, config, restored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, yaml.YAMLError) as error:
        raise ConfigError([expected(path, "a run that can be read", run, f"{error}.")]) from error


def _restore(array: np.ndarray) -> np.ndarray:
    """Returns an array as it was written: NumPy's files keep of bfloat16 the bytes alone."""
    if array.dtype != np.dtype("V2"):
        return array
    import ml_dtypes

    return array.view(ml_dtypes.bfloat16)
