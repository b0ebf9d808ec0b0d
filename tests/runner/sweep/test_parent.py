"""A sweep's own run, in a real store, with jobs of every ending."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from runner.composition import compose_config
from runner.results import RunOutcome, SplitResult
from runner.sweep.parent import Sweep
from runner.tracking.courier import start_run
from runner.tracking.store import prepare_store, store_uri
from runner.tracking.tracker import NullTracker, RunContext, Status, TrackingError, closing

pytestmark = pytest.mark.integration

SOURCE = Path(__file__).parent
MULTIRUN = "hydra: {overrides: {task: ['seed=0,1', model=mlp]}}\n"


@pytest.fixture
def config(tmp_path):
    config = compose_config(
        [f"tracking.database={tmp_path}/mlflow.db", f"tracking.artifacts={tmp_path}/artifacts"]
    )
    prepare_store(config.tracking)
    (tmp_path / "multirun.yaml").write_text(MULTIRUN, encoding="utf-8")
    return config


@pytest.fixture
def client(config):
    return MlflowClient(store_uri(config.tracking))


@pytest.fixture
def run_sweep(config, tmp_path):
    def run(*endings, is_tracked=True):
        """Runs a job for each ending, an accuracy or an error; returns the ids and the error."""
        ids, raised = [], None

        def job(sweep, number, ending):
            parent = sweep.open_run(config, tmp_path) if is_tracked else None
            context = RunContext([f"seed={number}"], tmp_path, parent)
            with closing(start_run(config, config.tracking, context, SOURCE)) as tracker:
                ids.append(tracker.run_id)
                if isinstance(ending, BaseException):
                    raise ending
                tracker.log_result(SplitResult("test", 1, 1, {"accuracy": ending}))
            return RunOutcome(tracker.run_id, {"test/accuracy": ending})

        try:
            with Sweep(lambda texts: ["open", *texts], lambda texts: ["run", *texts]) as sweep:
                failed = None
                for number, ending in enumerate(endings):
                    try:
                        sweep.run_job(
                            [f"seed={number}"],
                            lambda: job(sweep, number, ending),  # noqa: B023
                        )
                    except ValueError as error:
                        failed = failed or error
                if failed is not None:
                    raise failed
        except (ValueError, KeyboardInterrupt) as error:
            raised = error
        return ids, raised

    return run


def find_parent(client, ids):
    parents = {client.get_run(run_id).data.tags["mlflow.parentRunId"] for run_id in ids}
    (parent,) = parents
    return client.get_run(parent)


def test_the_runs_of_a_sweep_are_nested_under_one_with_their_mean(run_sweep, client, capsys):
    ids, raised = run_sweep(0.5, 0.75, 1.0)
    assert raised is None
    parent = find_parent(client, ids)
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "seed=0,1"
    assert parent.data.tags["overrides"] == "seed=0,1 model=mlp"
    assert parent.data.params == {}
    assert "model" not in parent.data.tags
    told = parent.data.metrics
    assert told["test/accuracy_mean"] == pytest.approx(0.75)
    assert told["test/accuracy_std"] == pytest.approx(0.25)
    # Student's t with 2 degrees of freedom, from a table: 4.303.
    assert told["test/accuracy_ci95_low"] == pytest.approx(0.75 - 4.303 * 0.25 / 3**0.5, abs=1e-4)
    assert told["test/accuracy_ci95_high"] == pytest.approx(0.75 + 4.303 * 0.25 / 3**0.5, abs=1e-4)
    assert (told["test/accuracy_jobs"], told["jobs/finished"], told["jobs/failed"]) == (3, 3, 0)
    artifacts = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert (artifacts / "config" / "multirun.yaml").exists()
    assert f"open     open seed=0,1 model=mlp --run {parent.info.run_id}" in capsys.readouterr().out


def test_a_job_that_fails_fails_the_sweep_and_loses_no_other(run_sweep, client):
    ids, raised = run_sweep(0.5, ValueError("no such layer"), 1.0)
    assert str(raised) == "no such layer"
    parent = find_parent(client, ids)
    assert parent.info.status == "FAILED"
    assert parent.data.metrics["jobs/failed"] == 1
    assert parent.data.metrics["test/accuracy_mean"] == pytest.approx(0.75)
    artifacts = Path(parent.info.artifact_uri.removeprefix("file://"))
    rows = (artifacts / "sweep" / "jobs.csv").read_text(encoding="utf-8").splitlines()
    assert rows == [
        "job,seed,status,test/accuracy,run_id,error",
        f"0,0,FINISHED,0.5,{ids[0]},",
        "1,1,FAILED,,,ValueError: no such layer",
        f"2,2,FINISHED,1.0,{ids[2]},",
    ]


def test_a_sweep_that_is_interrupted_is_killed_with_what_it_has(run_sweep, client, capsys):
    ids, raised = run_sweep(0.5, KeyboardInterrupt(), 1.0)
    assert isinstance(raised, KeyboardInterrupt)
    assert len(ids) == 2
    parent = find_parent(client, ids)
    assert parent.info.status == "KILLED"
    assert (parent.data.metrics["jobs/finished"], parent.data.metrics["jobs/killed"]) == (1, 1)
    assert "jobs     1 FINISHED, 1 KILLED" in capsys.readouterr().out


class Full(NullTracker):
    """Takes no results, as on a full disk."""

    status = None

    def log_result(self, result):
        raise TrackingError("no space")

    def close(self, status, error=None):
        self.status = status


def test_a_sweep_whose_results_are_not_taken_is_closed(capsys):
    full = Full()
    sweep = Sweep(lambda texts: [*texts], lambda texts: [*texts])
    sweep._tracker = full
    with pytest.raises(TrackingError, match="no space"), sweep:
        sweep.run_job(["seed=0"], lambda: RunOutcome("b", {}))
    assert full.status is Status.FINISHED


def test_without_tracking_a_sweep_is_only_shown(tmp_path, capsys):
    off = compose_config(["tracking=off"])
    with Sweep(lambda texts: [], lambda texts: []) as sweep:
        assert sweep.open_run(off, tmp_path) is None
        sweep.run_job(["seed=0"], lambda: RunOutcome(None, {"test/loss": 0.5}))
    assert capsys.readouterr().out.splitlines()[-1] == "jobs     1 FINISHED"


def test_a_single_run_is_no_sweep(capsys):
    with Sweep(lambda texts: [], lambda texts: []):
        pass
    assert capsys.readouterr().out == ""
