"""Real SQLite stores with runs made by MLflow's own client, and nothing trained."""

import functools
import shutil
import tempfile
import time
from pathlib import Path

import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from runner.config import SqliteTrackingConfig


@functools.cache
def _template():
    """Returns an empty store; to create its tables takes two seconds."""
    file = Path(tempfile.mkdtemp(prefix="feedfetch-store-")) / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


class Store:
    """A store of a test's own, and its runs."""

    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "mlflow.db"
        self.artifacts = folder / "artifacts"
        self.spool = folder / "spool"
        shutil.copy(_template(), self.database)
        self.client = MlflowClient(f"sqlite:///{self.database}")
        self.now = int(time.time() * 1000)
        self._experiments = {}

    @property
    def tracking(self):
        return SqliteTrackingConfig(
            *("digits", None, {}, 0),
            spool=str(self.spool),
            database=str(self.database),
            artifacts=str(self.artifacts),
        )

    @property
    def overrides(self):
        return [f"tracking.database={self.database}", f"tracking.artifacts={self.artifacts}"]

    def experiment(self, name):
        if name not in self._experiments:
            place = (self.artifacts / name).as_uri()
            self._experiments[name] = self.client.create_experiment(name, artifact_location=place)
        return self._experiments[name]

    def add(
        self,
        name,
        *,
        age=60,
        seconds=30,
        status="FINISHED",
        experiment="digits",
        params=None,
        metrics=None,
        tags=None,
        texts=None,
        parent=None,
        inputs=(),
    ):
        """Returns the id of a new run that started `age` seconds ago."""
        start = self.now - int(age * 1000)
        tags = dict(tags or {}) | ({"mlflow.parentRunId": parent} if parent else {})
        run = self.client.create_run(self.experiment(experiment), start, tags, name).info.run_id
        self.client.log_batch(
            run,
            [
                Metric(key, value, start, step)
                for key, values in (metrics or {}).items()
                for step, value in enumerate(values if isinstance(values, list) else [values])
            ],
            [Param(key, str(value)) for key, value in (params or {}).items()],
        )
        for path, text in (texts or {}).items():
            self.client.log_text(run, text, path)
        for split, digest, rows in inputs:
            dataset = Dataset(
                "digits",
                digest,
                "local",
                '{"uri": "scikit-learn"}',
                profile=f'{{"num_rows": {rows}}}',
            )
            tag = InputTag("mlflow.data.context", split)
            self.client.log_inputs(run, [DatasetInput(dataset, [tag])])
        if status != "RUNNING":
            self.client.set_terminated(run, status, start + int(seconds * 1000))
        return run

    def resolve(self, **config):
        """Returns the configuration of a run of this store as it is logged."""
        tracking = {"database": str(self.database)}
        model = {"name": "cnn", "layers": {"logits": {"type": "Dense", "units": 10}}}
        whole = {"seed": 0, "model": model, "tracking": tracking, **config}
        return yaml.safe_dump({"kinds": {}, "config": whole}, sort_keys=False)
