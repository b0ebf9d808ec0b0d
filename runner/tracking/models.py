"""Logs the trained model of a run as MLflow's own: its folder, its entity, its registered version.

Each part is looked for before it is made, so that what is delivered again makes no second one.
"""

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from runner.config import TrackingConfig
from runner.results import Arrays, ModelResult, ModelTensor

with warnings.catch_warnings():
    # MLflow 3.17 warns of its own annotations.
    warnings.simplefilter("ignore", UserWarning)
    from mlflow.pyfunc import save_model

NAME = "model"

_FLAVOR = "tensorflow"
_LOADER = "mlflow.tensorflow"
_DATA = "data"
_TEST = "test"
_CONTEXT = "mlflow.data.context"


def log_model(
    client: MlflowClient, run_id: str, result: ModelResult, tracking: TrackingConfig
) -> None:
    """Logs a model of a run, with the run's params and its metrics of the test.

    Args:
        client: A client of the run's store.
        run_id: The run.
        result: The model; its folder is not read where the store has it already.
        tracking: Whether it is registered, and under which alias.
    """
    run = client.get_run(run_id)
    logged = _find_model(client, run) or client.create_logged_model(
        run.info.experiment_id,
        name=NAME,
        source_run_id=run_id,
        tags={"difference": f"{result.difference:.1e}"},
        params=run.data.params,
        model_type="keras",
    )
    outputs = run.outputs.model_outputs if run.outputs else []
    if all(output.model_id != logged.model_id for output in outputs):
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    _link_metrics(client, run, logged)
    if logged.status != LoggedModelStatus.READY:
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / NAME
            write_model(folder, result, logged, run_id)
            client.log_model_artifacts(logged.model_id, str(folder))
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    if tracking.register is not None:
        _register(client, logged, run_id, tracking.register, tracking.alias)


def write_model(folder: Path, result: ModelResult, logged: LoggedModel, run_id: str) -> None:
    """Writes a model as ``mlflow.tensorflow.save_model`` does, which imports TensorFlow.

    Source: MLflow 3.17, ``mlflow.tensorflow.save_model``.

    Args:
        folder: Where to; it is created.
        result: The model.
        logged: Its entity in the store.
        run_id: The run that made it.
    """
    described = Model(
        artifact_path=logged.artifact_location,
        run_id=run_id,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )
    described.add_flavor(
        _FLAVOR,
        data=_DATA,
        model_type="keras",
        keras_version=_version_of("tensorflow", result),
        save_format="tf",
        code="code" if result.code else None,
    )
    save_model(
        str(folder),
        loader_module=_LOADER,
        code_paths=[str(path) for path in result.code] or None,
        mlflow_model=described,
        signature=ModelSignature(
            inputs=Schema([_specify(tensor) for tensor in result.inputs]),
            outputs=Schema([_specify(tensor) for tensor in result.outputs]),
        ),
        input_example=dict(_list_example(result.example)),
        pip_requirements=list(result.requirements),
    )
    shutil.copytree(result.folder, folder / _DATA)
    (folder / _DATA / "keras_module.txt").write_text("tensorflow.keras", encoding="utf-8")
    (folder / _DATA / "save_format.txt").write_text("tf", encoding="utf-8")
    described.flavors["python_function"]["data"] = _DATA
    files = [file for file in folder.rglob("*") if file.is_file()]
    described.model_size_bytes = sum(file.stat().st_size for file in files)
    described.save(str(folder / "MLmodel"))


def _find_model(client: MlflowClient, run: Run) -> LoggedModel | None:
    found = client.search_logged_models(
        [run.info.experiment_id],
        f"source_run_id = '{run.info.run_id}' AND name = '{NAME}'",
        max_results=1,
    )
    return found[0] if found else None


def _link_metrics(client: MlflowClient, run: Run, logged: LoggedModel) -> None:
    """Gives the model the run's metrics of the test, with the data set that they are of."""
    known = {metric.key for metric in logged.metrics or ()}
    data = {
        tag.value: one.dataset
        for one in (run.inputs.dataset_inputs if run.inputs else ())
        for tag in one.tags
        if tag.key == _CONTEXT
    }
    tested = data.get(_TEST)
    metrics = [
        Metric(
            metric.key,
            metric.value,
            metric.timestamp,
            metric.step,
            model_id=logged.model_id,
            dataset_name=tested.name if tested else None,
            dataset_digest=tested.digest if tested else None,
            run_id=run.info.run_id,
        )
        for name in run.data.metrics
        if name.startswith(f"{_TEST}/") and name not in known
        for metric in client.get_metric_history(run.info.run_id, name)
    ]
    if metrics:
        client.log_batch(run.info.run_id, metrics=metrics)


def _register(
    client: MlflowClient, logged: LoggedModel, run_id: str, name: str, alias: str | None
) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
            raise
    versions = client.search_model_versions(f"name = '{name}' AND run_id = '{run_id}'")
    # Its place rather than models:/ID, which MLflow 3.17 looks up in the default store.
    version = next(iter(versions), None) or client.create_model_version(
        name, logged.artifact_location, run_id, model_id=logged.model_id
    )
    # By which the model's page names its version.
    known = [{"name": name, "version": version.version}]
    client.set_logged_model_tags(logged.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps(known)})
    if alias is not None and not _has_newer(client, name, alias, int(version.version)):
        client.set_registered_model_alias(name, alias, version.version)


def _has_newer(client: MlflowClient, name: str, alias: str, version: int) -> bool:
    """Returns whether a newer version has the alias, as where a run is delivered late or again."""
    held = client.get_registered_model(name).aliases.get(alias)
    return held is not None and int(held) > version


def _specify(tensor: ModelTensor) -> TensorSpec:
    shape = [-1, *(-1 if axis is None else axis for axis in tensor.shape)]
    return TensorSpec(_numpy_type(tensor.dtype), shape, tensor.name)


def _numpy_type(dtype: str) -> np.dtype[Any]:
    """Returns the dtype that an array has, as MLflow knows it.

    A model casts what it takes, and NumPy has no bfloat16 of its own.
    """
    if dtype == "string":
        return np.dtype(object)
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


def _list_example(arrays: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in arrays.items():
        yield name, array.astype(np.float32) if array.dtype.kind == "V" else array


def _version_of(distribution: str, result: ModelResult) -> str:
    pins = dict(pin.split("==") for pin in result.requirements)
    return pins[distribution]
