"""Reads of a run all that it takes to repeat it, and to say whether the repetition is the same."""

import json
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from models.problems import ConfigError, expected
from runner.comparison import Values, metric_values
from runner.config import StoreTrackingConfig, TrackingConfig
from runner.differences import LoggedData
from runner.resolved import FILE
from runner.tracking.finding import find_run
from runner.tracking.folder import LOGGED, METRICS
from runner.tracking.metrics import REPEATABLE
from runner.tracking.runs import RESOLVED, WEIGHTS, is_sweep
from runner.tracking.server import explaining_refusals
from runner.tracking.store import open_client

if TYPE_CHECKING:
    from mlflow.entities import Run

PLACE = "RUN"

PREDICTIONS = "predictions"
_REQUIREMENTS = "environment/requirements.txt"
_PATCH = "code/diff.patch"
_MACHINE = "environment/machine.yaml"
_FILES = (RESOLVED, _REQUIREMENTS, _MACHINE, _PATCH)
_PLACES = ("config", "environment", "code", "weights", "fetches", PREDICTIONS)
# Files of arrays, or of columns, by where they are.
_ARRAYS = {
    "weights": (".npz",),
    "fetches": (".npz",),
    PREDICTIONS: (".npz", ".csv", ".parquet"),
}
_FINISHED = "FINISHED"
_CONTEXT = "mlflow.data.context"
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, yaml.YAMLError)


@dataclass(frozen=True)
class Origin:
    """What a run logged.

    Attributes:
        run: Its id, or its folder.
        name: Its name.
        status: How it ended, in MLflow's terms.
        resolved: Its configuration: ``config``, the ``kinds`` of its groups, and its ``folder``.
        tags: Its labels.
        data: What it logged of its data.
        values: Its metrics that are a matter of arithmetic, its weights, fetches and predictions.
        requirements: The versions of all packages, a line each; None where they were not logged.
        machine: Its CPU, memory and GPUs as YAML; None where they were not logged.
        patch: Its changes to the code that were not committed; None where they were not logged.
    """

    run: str
    name: str
    status: str
    resolved: Mapping[str, Any]
    tags: Mapping[str, str]
    data: LoggedData
    values: Mapping[str, Values] = field(default_factory=dict)
    requirements: str | None = None
    machine: str | None = None
    patch: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self.status == _FINISHED


def read_origin(tracking: TrackingConfig, run: str) -> Origin:
    """Returns what a run logged.

    Args:
        tracking: The store.
        run: The run, as ``runner.tracking.finding`` tells, or the folder of one with
            ``tracking=off``.

    Raises:
        ConfigError: If there is no such run, or it did not log how it was configured.
    """
    is_stored = isinstance(tracking, StoreTrackingConfig) and not (Path(run) / LOGGED).exists()
    if Path(run).is_dir() and not is_stored:
        return _read_folder(Path(run))
    if not isinstance(tracking, StoreTrackingConfig):
        what = "the folder of a run, since tracking=off has no store"
        raise ConfigError([expected(PLACE, what, run)])
    return _read_stored(tracking, run)


def _read_folder(folder: Path) -> Origin:
    resolved = folder / FILE
    if not resolved.exists():
        hint = f"There is no {FILE} in it."
        raise ConfigError([expected(PLACE, "a run's id or its folder", str(folder), hint)])
    if not (folder / LOGGED).exists():
        hint = f"Only a run with tracking=off keeps {LOGGED} there; of another give the id."
        raise ConfigError([expected(PLACE, "a run with tracking=off", str(folder), hint)])
    with _explaining(str(folder)):
        logged = json.loads((folder / LOGGED).read_text(encoding="utf-8"))
        data = logged["data"]
        splits = {name: (digest, rows) for name, (digest, rows) in data.pop("splits").items()}
        values = {name: _read_metric(table) for name, table in _read_npz(folder / METRICS).items()}
        weights = folder / Path(WEIGHTS).name
        if weights.exists():
            values |= _name_arrays("weights", _read_npz(weights))
        return Origin(
            run=str(folder.resolve()),
            name=logged["name"],
            status=logged["status"],
            resolved=_read_yaml(resolved),
            tags=logged["tags"],
            data=LoggedData(**data, splits=splits),
            values=values,
        )


def _read_stored(tracking: StoreTrackingConfig, run: str) -> Origin:
    client = open_client(tracking)
    with explaining_refusals(tracking):
        run = find_run(client, run, PLACE).run_id
        found = client.get_run(run)
    with tempfile.TemporaryDirectory() as folder, _explaining(run):
        listed = client.list_artifacts
        files = [one.path for path in _PLACES for one in listed(run, path) if not one.is_dir]
        if RESOLVED not in files:
            raise ConfigError([expected(PLACE, f"a run that logged {RESOLVED}", run, _hint(found))])
        here = {
            file: Path(client.download_artifacts(run, file, folder))
            for file in files
            if file in _FILES or Path(file).suffix in _ARRAYS.get(Path(file).parent.name, ())
        }
        values = {
            key: metric_values(
                [(one.step, one.value) for one in client.get_metric_history(run, key)]
            )
            for key in sorted(found.data.metrics)
            if key.startswith(REPEATABLE)
        }
        return Origin(
            run=run,
            name=found.info.run_name,
            status=found.info.status,
            resolved=_read_yaml(here[RESOLVED]),
            tags=found.data.tags,
            data=_read_data(found),
            values=values | dict(_read_arrays(here)),
            requirements=_read_text(here.get(_REQUIREMENTS)),
            machine=_read_text(here.get(_MACHINE)),
            patch=_read_text(here.get(_PATCH)),
        )


def _hint(found: "Run") -> str:
    """Returns why a run may have logged no configuration."""
    if is_sweep(found.data.tags):
        return "It is the run of a sweep; repeat one of its jobs."
    return f"It is {found.info.status}; without its configuration it cannot be repeated."


def _read_data(found: "Run") -> LoggedData:
    tags = found.data.tags
    splits = {}
    for each in found.inputs.dataset_inputs if found.inputs else ():
        name = next((tag.value for tag in each.tags if tag.key == _CONTEXT), each.dataset.name)
        rows = json.loads(each.dataset.profile or "{}").get("num_rows")
        splits[name] = (each.dataset.digest, rows)
    return LoggedData(
        source=tags.get("data.source", ""),
        digest=tags.get("data.digest", ""),
        source_digest=tags.get("data.source_digest", ""),
        splits=splits,
    )


def _read_arrays(files: Mapping[str, Path]) -> Iterator[tuple[str, Values]]:
    """Yields what files of arrays hold, by the names that ``list_arrays`` gives."""
    for name, file in files.items():
        place = Path(name).parent.name
        if name == WEIGHTS:
            yield from _name_arrays(place, _read_npz(file)).items()
        elif place == "fetches":
            yield from _name_arrays(f"{place}/{file.stem}", _read_npz(file)).items()
        elif place == PREDICTIONS:
            # This imports Arrow.
            from runner.predictions import read_predictions

            yield from _name_arrays(place, read_predictions(file)).items()


def _name_arrays(place: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Values]:
    return {f"{place}/{name}": Values(array) for name, array in arrays.items()}


def _read_metric(table: np.ndarray) -> Values:
    return metric_values([(int(step), float(value)) for step, value in table])


def _read_npz(file: Path) -> dict[str, np.ndarray]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def _read_yaml(file: Path) -> Mapping[str, Any]:
    resolved: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return resolved


def _read_text(file: Path | None) -> str | None:
    return None if file is None else file.read_text(encoding="utf-8")


@contextmanager
def _explaining(run: str) -> Iterator[None]:
    """Tells that a run's files cannot be read as what is wrong with naming it."""
    try:
        yield
    except _UNREADABLE as error:
        raise ConfigError([expected(PLACE, "a run that can be read", run, f"{error}.")]) from error
