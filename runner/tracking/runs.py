"""Reads what a run has logged."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from models.problems import ConfigError, Problem
from runner.config import SqliteTrackingConfig
from runner.tracking.store import store_lock, store_uri

WEIGHTS = "weights/weights.npz"
OVERRIDES = "config/overrides.yaml"
PREPROCESS = "config/preprocess.yaml"


@dataclass(frozen=True)
class LoggedRun:
    """What is needed to call the model of a run.

    Attributes:
        overrides: What the run was started with.
        weights: Its variables by name, as it ended.
        preprocess: Its ``data.preprocess``, with the statistics that layers were adapted to; empty
            where there was none.
    """

    overrides: Sequence[str]
    weights: Mapping[str, np.ndarray]
    preprocess: Mapping[str, Any]


def read_run(tracking: SqliteTrackingConfig, run_id: str) -> LoggedRun:
    """Returns what the run `run_id` has logged in the store.

    Raises:
        ConfigError: If there is no such run, or it kept no weights.
    """
    if not Path(tracking.database).exists():
        raise _problem(run_id, f"there is no store at {tracking.database}")
    with store_lock(tracking):
        client = MlflowClient(store_uri(tracking))
    try:
        status = client.get_run(run_id).info.status
        with tempfile.TemporaryDirectory() as folder:
            overrides = Path(client.download_artifacts(run_id, OVERRIDES, folder))
            texts = yaml.safe_load(overrides.read_text(encoding="utf-8")) or []
            try:
                file = client.download_artifacts(run_id, WEIGHTS, folder)
            except (MlflowException, OSError) as error:
                reason = f"it kept no weights; it is {status}. Only a run of task=train keeps some"
                raise _problem(run_id, reason) from error
            with np.load(file, allow_pickle=False) as arrays:
                return LoggedRun(texts, dict(arrays), _read_stacks(client, run_id, folder))
    except (MlflowException, OSError) as error:
        raise _problem(run_id, str(error).splitlines()[0].rstrip(".")) from error


def _read_stacks(client: MlflowClient, run_id: str, folder: str) -> Mapping[str, Any]:
    """Returns the layers between the data and the model of a run, adapted."""
    logged = [file.path for file in client.list_artifacts(run_id, str(Path(PREPROCESS).parent))]
    if PREPROCESS not in logged:
        return {}
    file = Path(client.download_artifacts(run_id, PREPROCESS, folder))
    stacks: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return stacks


def _problem(run_id: str, reason: str) -> ConfigError:
    return ConfigError([Problem(f"run {run_id}", f"cannot be opened: {reason}.")])
