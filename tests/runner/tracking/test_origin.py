"""What of a run is read to repeat it, from real stores and folders."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from models.problems import ConfigError
from runner.comparison import Verdict, compare_runs
from runner.config import OffTrackingConfig, SqliteTrackingConfig
from runner.resolved import FILE
from runner.results import (
    DataResult,
    FetchResult,
    LearningRateResult,
    PlanResult,
    SplitResult,
    SplitSummary,
    StepsResult,
    WeightsResult,
)
from runner.secrets import learn_arguments
from runner.tracking.folder import LOGGED, FolderTracker
from runner.tracking.origin import read_origin
from runner.tracking.repeating import Seen
from runner.tracking.tracker import Status

RESULTS = (
    PlanResult("loop, 1 thread", {}, {}, ()),
    StepsResult(1, 1, np.asarray([0.5, 0.25], np.float32), {}),
    SplitResult("train", 1, 2, {"loss": 0.375}),
    LearningRateResult(2, 1e-3, is_reduced=False),
    SplitResult("test", 1, 2, {"loss": 1 / 3}),
    WeightsResult({"dense.kernel": np.ones((2, 2), np.float32)}),
)
DATA = DataResult(
    name="digits",
    source="/a.npz",
    digest="d1",
    source_digest="s1",
    features={},
    labels={},
    splits={"test": SplitSummary(20, "e1", {})},
)


@pytest.fixture
def store(tmp_path):
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    client.create_experiment("mine", artifact_location=(tmp_path / "artifacts").as_uri())
    tracking = SqliteTrackingConfig(
        database=f"{tmp_path}/mlflow.db", artifacts=f"{tmp_path}/artifacts", experiment="mine"
    )
    return client, tracking


def start_run(client, *, tags=None, resolved=True):
    experiment = client.get_experiment_by_name("mine").experiment_id
    run_id = client.create_run(experiment, tags=tags or {}, run_name="named").info.run_id
    if resolved:
        client.log_text(run_id, "config: {}\nkinds: {}\nfolder: /\n", f"config/{FILE}")
    return run_id


def test_a_run_is_read_from_a_store(store):
    client, tracking = store
    run_id = start_run(client, tags={"data.digest": "d1", "data.source": "/a"})
    client.log_metric(run_id, "test/loss", 1 / 3, step=0)
    client.log_metric(run_id, "step/loss", 0.5, step=1)
    client.log_metric(run_id, "time/train_seconds", 2.0, step=0)
    client.log_text(run_id, "numpy==1.0\n", "environment/requirements.txt")
    client.log_text(run_id, "+ x\n", "code/diff.patch")
    client.set_terminated(run_id, "KILLED")
    origin = read_origin(tracking, run_id)
    assert (origin.run, origin.name, origin.status) == (run_id, "named", "KILLED")
    assert not origin.is_whole
    assert origin.data.digest == "d1"
    assert list(origin.values) == ["step/loss", "test/loss"]
    assert origin.values["test/loss"].values.tolist() == [1 / 3]
    assert (origin.requirements, origin.patch) == ("numpy==1.0\n", "+ x\n")


def test_a_run_that_is_not_there_is_refused(store):
    _, tracking = store
    with pytest.raises(ConfigError, match=r"RUN: expected .* received 'none-such' \(str\)"):
        read_origin(tracking, "none-such")


def test_a_run_that_did_not_log_its_configuration_is_refused(store):
    client, tracking = store
    run_id = start_run(client, resolved=False)
    client.set_terminated(run_id, "FAILED")
    message = r"expected a run that logged config/resolved\.yaml; .* It is FAILED; without its"
    with pytest.raises(ConfigError, match=message):
        read_origin(tracking, run_id)


def test_the_run_of_a_sweep_is_refused(store):
    client, tracking = store
    run_id = start_run(client, tags={"folder": "/s"}, resolved=False)
    with pytest.raises(ConfigError, match=r"the run of a sweep; repeat one of its jobs"):
        read_origin(tracking, run_id)


def test_no_secret_is_in_a_folder_that_no_store_has(tmp_path):
    learn_arguments(["+tracking.tags.api_token=planted-4711"])
    tags = {"overrides": "+tracking.tags.api_token=planted-4711", "folder": f"{Path.home()}/x"}
    FolderTracker(tmp_path, "planted-4711", tags).close(Status.FINISHED)
    logged = json.loads((tmp_path / LOGGED).read_text("utf-8"))
    assert logged["name"] == "<secret>"
    assert logged["tags"] == {"overrides": "+tracking.tags.api_token=<secret>", "folder": "~/x"}


def test_what_a_folder_keeps_is_what_was_seen(tmp_path):
    (tmp_path / FILE).write_text(yaml.safe_dump({"config": {}, "kinds": {}}), encoding="utf-8")
    tracker = FolderTracker(tmp_path, "named", {"host": "one"})
    seen = Seen()
    tracker.log_result(DATA)
    for result in RESULTS:
        tracker.log_result(result)
        seen.add(result)
    tracker.close(Status.FINISHED)
    origin = read_origin(OffTrackingConfig(), str(tmp_path))
    assert (origin.name, origin.status) == ("named", "FINISHED")
    assert origin.tags == {"host": "one", "plan": "loop, 1 thread"}
    assert origin.data.splits == {"test": ("e1", 20)}
    assert set(origin.values) == {
        "step/loss",
        "train/loss",
        "learning_rate",
        "test/loss",
        "weights/dense.kernel",
    }
    assert origin.values["step/loss"].steps.tolist() == [1, 2]
    compared = compare_runs(origin.values, seen.values, tolerance=0, is_whole=True)
    assert (compared.verdict, compared.only_after) == (Verdict.BITWISE, ())


def test_a_folder_of_a_run_in_a_store_is_refused(tmp_path):
    (tmp_path / FILE).write_text("config: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Only a run with tracking=off keeps logged\.json"):
        read_origin(OffTrackingConfig(), str(tmp_path))


def test_a_folder_that_is_of_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"There is no resolved\.yaml in it"):
        read_origin(OffTrackingConfig(), str(tmp_path))


def test_what_was_fetched_is_seen_by_the_names_of_its_file():
    seen = Seen()
    fetched = {"outputs": np.ones((2, 3)), "loss": np.float32(0.5)}
    result = FetchResult(
        split="test",
        fetched=fetched,
        batched=("outputs",),
        structure={"outputs": "logits", "loss": "loss"},
        rows=np.arange(2),
        labels={"digit": np.zeros(2)},
        classes=3,
        step=None,
    )
    seen.add(result)
    place = f"fetches/{result.name}"
    assert set(seen.values) == {
        "fetch/loss",
        *(f"{place}/{name}" for name in ("row", "label.digit", "outputs", "loss")),
    }
