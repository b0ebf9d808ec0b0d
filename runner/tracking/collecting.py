"""Finds what was deleted in a store and what belongs to no run of it, and deletes it for good.

What is deleted in MLflow is only marked, until ``mlflow gc`` removes it, whose functions are used
here. Beside it stay the models of such runs, the folders in which they were started, and files of
runs that were removed without them. Files are taken for those of this store only where the
configuration among them says so.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

import yaml

from models.problems import ConfigError, Problem
from runner.clock import now_ms
from runner.config import SqliteTrackingConfig
from runner.resolved import FILE
from runner.tracking.cursor import list_spools
from runner.tracking.entries import RunStarted
from runner.tracking.folders import FOLDER, is_run_folder, locate_folder, place_folder
from runner.tracking.pages import is_version_of, list_versions
from runner.tracking.runs import RESOLVED, WEIGHTS
from runner.tracking.spool import SpoolError, SpoolReader
from runner.tracking.store import lock_store, store_uri

if TYPE_CHECKING:
    from mlflow.entities import Experiment, LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion

_FOLDERS = ("runs", "sweeps")
# Of the runs that are for a server, if nothing else is said.
_SPOOLS = "spool"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_DELETED = "deleted"
_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_AGE = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# A run that is about to start has a folder before it is in the store.
_YOUNG_MS = _UNITS_MS["h"]
_PAGE = 1000


@dataclass(frozen=True)
class Garbage:
    """One thing to delete.

    Attributes:
        kind: ``run``, ``model`` or ``experiment``, which are in the store, or ``files`` or
            ``folder``, which belong to none there.
        key: Its id; of what is not in the store its place.
        name: What it is called; of a folder why it is one to delete.
        paths: The folders on this machine that go with it.
        bytes: The size of all that is in them.
    """

    kind: str
    key: str
    name: str
    paths: tuple[Path, ...]
    bytes: int


def read_age(text: str) -> int | None:
    """Returns an age such as ``30d`` or ``1d12h`` in milliseconds; None where it is none."""
    match = _AGE.fullmatch(text)
    if match is None or not text:
        return None
    numbers = zip(match.groups(), _UNITS_MS.values(), strict=True)
    return sum(int(number) * size for number, size in numbers if number)


class Collector:
    """Knows what of a store is deleted and what around it belongs to nothing."""

    def __init__(self, tracking: SqliteTrackingConfig, outputs: Path, *, older_ms: int) -> None:
        """Opens the store, and looks at nothing yet. Imports MLflow.

        Args:
            tracking: The store.
            outputs: The folder in which ``runs`` and ``sweeps`` hold the folders of runs.
            older_ms: How long ago a thing must have been deleted, or files last have changed.
        """
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        self._tracking = tracking
        self._outputs = outputs.resolve()
        self._older_ms = older_ms
        self._waiting: set[Path] = set()
        with lock_store(tracking):
            # Of what it has, little is typed.
            self._store: Any = cast(Any, SqlAlchemyStore)(
                store_uri(tracking), Path(tracking.artifacts).as_uri()
            )

    def find(self) -> list[Garbage]:
        """Returns all that can be deleted for good, and touches nothing.

        Raises:
            ConfigError: If a run waits for its store of which cannot be told where its folder is.
        """
        # Before the store is asked: what is delivered meanwhile is in it then.
        places = (Path(self._tracking.spool), self._outputs / _SPOOLS)
        spools = {spool.resolve() for place in places for spool in list_spools(place)}
        folders = map(_read_folder, sorted(spools))
        self._waiting = {folder for folder in folders if folder is not None}
        experiments = list(self._list_experiments())
        runs = {run.info.run_id: run for run in self._list_runs(experiments)}
        deleted = set(self._store._get_deleted_runs(older_than=self._older_ms))
        going = [run for key, run in runs.items() if key in deleted]
        kept = [run for key, run in runs.items() if key not in deleted]
        models = list(self._list_models(experiments))
        found = [self._describe_run(run, kept) for run in going]
        found += self._find_models(models, deleted)
        found += self._find_experiments(experiments, kept)
        found += self._find_files(experiments, set(runs))
        taken = {path for one in found for path in one.paths}
        found += self._find_folders(kept, taken)
        return found

    def delete(self, garbage: Garbage) -> None:
        """Deletes what ``find`` found; what came to life since is left alone.

        Raises:
            OSError: If a file cannot be deleted.
            mlflow.exceptions.MlflowException: If the store does not delete it.
        """
        if garbage.kind == "run":
            run = self._store.get_run(garbage.key)
            if run.info.lifecycle_stage != _DELETED:
                return
            self._delete_artifacts(run.info.artifact_uri)
            self._store._hard_delete_run(garbage.key)
        elif garbage.kind == "model":
            model = self._store.get_logged_model(garbage.key, allow_deleted=True)
            if garbage.key not in self._store._get_deleted_logged_models():
                self._store.delete_logged_model(garbage.key)
            self._delete_artifacts(model.artifact_location)
            self._store._hard_delete_logged_model(garbage.key)
        elif garbage.kind == "experiment":
            if self._store.get_experiment(garbage.key).lifecycle_stage != _DELETED:
                return
            self._store._hard_delete_experiment(garbage.key)
        for path in garbage.paths:
            if path.exists():
                shutil.rmtree(path)
            self._remove_empty(path.parent)

    def _delete_artifacts(self, uri: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        cast(Any, get_artifact_repository(uri)).delete_artifacts()

    def _remove_empty(self, folder: Path) -> None:
        """Removes `folder` and those around it, within ours, that hold nothing any more."""
        roots = (Path(self._tracking.artifacts).resolve(), *self._list_roots())
        while any(folder.is_relative_to(root) and folder != root for root in roots):
            if not folder.is_dir() or any(folder.iterdir()):
                return
            folder.rmdir()
            folder = folder.parent

    def _list_experiments(self) -> "Iterator[Experiment]":
        from mlflow.entities import ViewType

        token = None
        while True:
            page = self._store.search_experiments(ViewType.ALL, max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _list_runs(self, experiments: "list[Experiment]") -> "Iterator[Run]":
        from mlflow.entities import ViewType

        keys = [experiment.experiment_id for experiment in experiments]
        token = None
        while True:
            page = self._store.search_runs(
                keys, "", ViewType.ALL, max_results=_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _list_models(self, experiments: "list[Experiment]") -> "Iterator[LoggedModel]":
        """Yields the models that are not deleted."""
        keys = [experiment.experiment_id for experiment in experiments]
        token = None
        while True:
            page = self._store.search_logged_models(keys, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _describe_run(self, run: "Run", kept: "list[Run]") -> Garbage:
        artifacts = _local_path(run.info.artifact_uri)
        paths = []
        if artifacts is not None:
            is_own = artifacts.parent.name == run.info.run_id
            paths.append(artifacts.parent if is_own else artifacts)
        place = run.data.tags.get(FOLDER)
        if place is not None and place not in {one.data.tags.get(FOLDER) for one in kept}:
            folder = locate_folder(place)
            if self._is_ours(folder) and not any(self._holds_others(folder, kept)):
                paths.append(folder)
        return _measure("run", run.info.run_id, run.info.run_name or "", paths)

    def _holds_others(self, folder: Path, kept: "list[Run]") -> Iterator[Path]:
        """Yields the folders within `folder` that are of other runs, as those of a sweep's jobs."""
        yield from (path for path in self._waiting if path.is_relative_to(folder))
        for run in kept:
            place = run.data.tags.get(FOLDER)
            if place is not None and locate_folder(place).is_relative_to(folder):
                yield locate_folder(place)

    def _is_ours(self, folder: Path) -> bool:
        """Returns whether `folder` is where runs are started if nothing else is said."""
        inside = any(folder.is_relative_to(root) and folder != root for root in self._list_roots())
        return inside and is_run_folder(folder)

    def _list_roots(self) -> list[Path]:
        return [self._outputs / name for name in _FOLDERS]

    def _find_models(self, living: "list[LoggedModel]", deleted: set[str]) -> Iterator[Garbage]:
        """Yields the models that were deleted, and of deleted runs those that none has registered.

        A version in the registry goes on to need its model whatever becomes of the run.
        """
        keys = self._store._get_deleted_logged_models(older_than=self._older_ms)
        versions = self._list_versions()
        gone = [self._store.get_logged_model(key, allow_deleted=True) for key in keys]
        orphans = [
            model
            for model in living
            if model.source_run_id in deleted
            and not any(is_version_of(version, model) for version in versions)
        ]
        for model in (*gone, *orphans):
            path = _local_path(model.artifact_location)
            paths = [] if path is None else [path.parent if path.name == "artifacts" else path]
            yield _measure("model", model.model_id, model.name, paths)

    def _list_versions(self) -> "list[ModelVersion]":
        from mlflow import MlflowClient

        return list_versions(MlflowClient(store_uri(self._tracking)))

    def _find_experiments(
        self, experiments: "list[Experiment]", kept: "list[Run]"
    ) -> Iterator[Garbage]:
        """Yields the deleted experiments in which nothing is left that is not old enough."""
        needed = {run.info.experiment_id for run in kept}
        before = now_ms() - self._older_ms
        for experiment in experiments:
            key, is_deleted = experiment.experiment_id, experiment.lifecycle_stage == _DELETED
            is_old = (experiment.last_update_time or 0) <= before
            if is_deleted and is_old and key not in needed:
                yield Garbage("experiment", key, experiment.name, (), 0)

    def _find_files(self, experiments: "list[Experiment]", known: set[str]) -> Iterator[Garbage]:
        """Yields the files of runs of this store that it has not any more."""
        artifacts = Path(self._tracking.artifacts)
        locations = {_local_path(experiment.artifact_location) for experiment in experiments}
        places = [*(one for one in locations if one is not None), *_list_folders(artifacts)]
        for place in dict.fromkeys(path.resolve() for path in places):
            for folder in _list_folders(place):
                if not _RUN_ID.fullmatch(folder.name) or folder.name in known:
                    continue
                if self._is_of_store(folder / "artifacts" / RESOLVED) and self._is_old(folder):
                    yield _measure("files", folder.name, "of no run", [folder])

    def _find_folders(self, kept: "list[Run]", taken: set[Path]) -> Iterator[Garbage]:
        """Yields the folders of runs that are not in the store, or came never so far."""
        if any(FOLDER not in run.data.tags for run in kept):
            # One of the folders may be that run's.
            return
        places = {run.data.tags[FOLDER] for run in kept}
        for folder in _walk_run_folders(self._list_roots()):
            is_kept = place_folder(folder) in places or folder in taken
            is_waiting = any(path.is_relative_to(folder) for path in self._waiting)
            if is_kept or is_waiting or not self._is_old(folder):
                continue
            if (folder / Path(WEIGHTS).name).exists():
                continue
            if (folder / FILE).exists():
                if self._is_of_store(folder / FILE):
                    yield _measure("folder", place_folder(folder), "of no run", [folder])
            elif not (folder / "multirun.yaml").exists():
                yield _measure("folder", place_folder(folder), "no run came of it", [folder])

    def _is_of_store(self, resolved: Path) -> bool:
        try:
            read: Any = yaml.safe_load(resolved.read_text(encoding="utf-8"))
            database = read["config"]["tracking"]["database"]
        except (OSError, KeyError, TypeError, yaml.YAMLError):
            return False
        same = (self._tracking.database, place_folder(Path(self._tracking.database)))
        return str(database) in same or Path(str(database)).expanduser() == Path(same[0])

    def _is_old(self, folder: Path) -> bool:
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        return newest * 1000 <= now_ms() - max(self._older_ms, _YOUNG_MS)


def _read_folder(spool: Path) -> Path | None:
    """Returns the folder of the run that a spool is of; None where it was delivered meanwhile.

    Raises:
        ConfigError: If it does not tell.
    """
    try:
        with closing(SpoolReader(spool)) as reader:
            first = next(reader.read(), None)
    except FileNotFoundError:
        return None
    except (OSError, SpoolError) as error:
        first, reason = None, str(error)
    else:
        reason = "no run starts in it"
    if first is None or not isinstance(first.entry, RunStarted):
        message = f"{spool} waits for its store, and does not tell of which run it is: {reason}."
        hint = "Deliver it by sync, or remove it."
        raise ConfigError([Problem("tracking.spool", f"{message} {hint}")])
    return first.entry.output_dir.resolve()


def _measure(kind: str, key: str, name: str, paths: list[Path]) -> Garbage:
    there = tuple(path for path in paths if path.exists())
    size = sum(file.stat().st_size for path in there for file in path.rglob("*") if file.is_file())
    return Garbage(kind, key, name, there, size)


def _local_path(uri: str) -> Path | None:
    """Returns the folder of a ``file:`` address or of a path; None of one on another machine."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path))


def _list_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _walk_run_folders(roots: list[Path]) -> Iterator[Path]:
    """Yields the folders that runs were started in: a day and a time, and in a sweep a number."""
    for root in roots:
        for path in sorted(root.glob("*/*")) + sorted(root.glob("*/*/*")):
            if not path.name.startswith(".") and is_run_folder(path):
                yield path
