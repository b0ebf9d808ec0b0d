"""Reads all of a run: what it measured, its models, its files, where it stands among others."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.tracking.folders import FOLDER, locate_folder
from runner.tracking.queries import is_lower_better
from runner.tracking.records import (
    KEY_TAG,
    PARENT,
    RunRecord,
    list_experiments,
    read_record,
    search_runs,
)
from runner.tracking.spool import SUFFIX, SpoolReader

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

ERROR = "error.txt"

_EPOCH_METRIC = re.compile(r"(train|validation)/")


@dataclass(frozen=True)
class Best:
    """The best value of a metric that was measured several times.

    Attributes:
        value: The largest, or the least of a metric of which less is better.
        step: At which step it was measured.
    """

    value: float
    step: int


@dataclass(frozen=True)
class Artifact:
    """A file of a run.

    Attributes:
        path: Its place among the run's files.
        bytes: Its size; None where the store does not tell.
    """

    path: str
    bytes: int | None


@dataclass(frozen=True)
class ModelRecord:
    """A model that a run logged.

    Attributes:
        model_id: Its id.
        name: Its name.
        status: Whether it is whole.
        versions: What it is registered as, ``digits version 3``.
    """

    model_id: str
    name: str
    status: str
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPage:
    """All of a run.

    Attributes:
        run: What it says of itself.
        best: The best values of what was measured in each epoch.
        error: The last line of what ended it; empty for nothing.
        models: The models that it logged.
        artifacts: Its files.
        parent: The sweep's run that it is under; None for none.
        jobs: The runs under it, in the order in which they started.
        folder: Where it was started; None where it does not tell.
        spool: What waits for the store, or is on its way to it; None for nothing.
        is_going_on: Whether its process lives, and writes the spool.
    """

    run: RunRecord
    best: dict[str, Best]
    error: str
    models: tuple[ModelRecord, ...]
    artifacts: tuple[Artifact, ...]
    parent: RunRecord | None
    jobs: tuple[RunRecord, ...]
    folder: Path | None
    spool: Path | None
    is_going_on: bool = False


def read_page(client: "MlflowClient", run: RunRecord, spools: Path) -> RunPage:
    """Returns all that the store has of `run`.

    Args:
        client: A client of the store.
        run: The run.
        spools: The folder of the spools.
    """
    place = run.tags.get(FOLDER)
    folder = None if place is None else locate_folder(place)
    jobs = search_runs(
        client, query=f"tags.`{PARENT}` = '{run.run_id}'", order=["attributes.start_time ASC"]
    )
    artifacts = tuple(list_artifacts(client, run.run_id))
    has_error = any(artifact.path == ERROR for artifact in artifacts)
    spool = _find_spool(run, spools)
    return RunPage(
        run=run,
        best=dict(_list_best(client, run)),
        error=_read_last_line(client, run.run_id, ERROR) if has_error else "",
        models=tuple(list_models(client, run)),
        artifacts=artifacts,
        parent=_read_parent(client, run),
        jobs=tuple(jobs),
        folder=folder,
        spool=spool,
        is_going_on=spool is not None and _is_written(spool),
    )


def _find_spool(run: RunRecord, spools: Path) -> Path | None:
    if KEY_TAG not in run.tags:
        return None
    spool = spools / f"{run.tags[KEY_TAG]}{SUFFIX}"
    return spool if spool.exists() else None


def _is_written(spool: Path) -> bool:
    try:
        with closing(SpoolReader(spool)) as reader:
            return reader.is_written
    except OSError:
        # Delivered meanwhile.
        return False


def list_artifacts(
    client: "MlflowClient", run_id: str, folder: str | None = None
) -> Iterator[Artifact]:
    """Yields the files of a run, all that are in `folder`."""
    for file in client.list_artifacts(run_id, folder):
        if file.is_dir:
            yield from list_artifacts(client, run_id, file.path)
        else:
            yield Artifact(file.path, file.file_size)


def list_models(client: "MlflowClient", run: RunRecord) -> Iterator[ModelRecord]:
    """Yields the models that `run` logged, with what they are registered as."""
    models = client.search_logged_models(
        [run.experiment_id], filter_string=f"source_run_id = '{run.run_id}'"
    )
    versions = list_versions(client) if models else []
    for model in models:
        mine = [one for one in versions if is_version_of(one, model)]
        registered = tuple(f"{one.name} version {one.version}" for one in mine)
        yield ModelRecord(model.model_id, model.name, str(model.status), registered)


def list_versions(client: "MlflowClient") -> "list[ModelVersion]":
    """Returns all versions in the registry."""
    versions: list[ModelVersion] = []
    token = None
    while True:
        page = client.search_model_versions(page_token=token)
        versions += page
        token = page.token
        if not token:
            return versions


def is_version_of(version: "ModelVersion", model: "LoggedModel") -> bool:
    """Returns whether `version` is one of `model`, which its source or its run may tell."""
    if version.model_id is not None:
        return bool(version.model_id == model.model_id)
    is_of_run = version.run_id is not None and version.run_id == model.source_run_id
    return model.model_id in (version.source or "") or is_of_run


def read_text(client: "MlflowClient", run_id: str, path: str) -> str | None:
    """Returns the text of a run's file; None where there is none."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as folder:
        try:
            file = Path(client.download_artifacts(run_id, path, folder))
            return file.read_text(encoding="utf-8", errors="replace")
        except (MlflowException, OSError):
            return None


def _read_last_line(client: "MlflowClient", run_id: str, path: str) -> str:
    lines: Sequence[str] = (read_text(client, run_id, path) or "").strip().splitlines()
    return lines[-1] if lines else ""


def _list_best(client: "MlflowClient", run: RunRecord) -> Iterator[tuple[str, Best]]:
    for name in sorted(run.metrics):
        if not _EPOCH_METRIC.match(name):
            continue
        history = client.get_metric_history(run.run_id, name)
        if len(history) > 1:
            choose = min if is_lower_better(name) else max
            best = choose(history, key=lambda metric: metric.value)
            yield name, Best(best.value, best.step)


def _read_parent(client: "MlflowClient", run: RunRecord) -> RunRecord | None:
    from mlflow.exceptions import MlflowException

    if run.parent_id is None:
        return None
    try:
        return read_record(client.get_run(run.parent_id), list_experiments(client))
    except MlflowException:
        return None
