"""A run without TensorFlow: it logs as a training run does; and what a store must hold of it.

As a process: ``python -m tests.workload FOLDER STEPS SECONDS OVERRIDE...``.
"""

import io
import json
import sys
import time
from collections import Counter
from contextlib import closing as closing_file
from pathlib import Path

import numpy as np
from mlflow import MlflowClient

from runner.composition import compose_config, register
from runner.results import (
    CheckpointResult,
    DataResult,
    SplitResult,
    SplitSummary,
    StepsResult,
)
from runner.tracking.courier import start_run
from runner.tracking.entries import PhasesTimed, ResultLogged, RunEnded, RunStarted, TagsAdded
from runner.tracking.spool import SpoolReader
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext, closing

SOURCE = Path(__file__).parent
DATA = DataResult(
    name="digits",
    source="/data/digits.npz",
    digest="0123456789abcdef",
    source_digest=None,
    features={"image": {"shape": [8, 8, 1], "dtype": "float32"}},
    labels={"digit": {"shape": [], "dtype": "int64"}},
    splits={name: SplitSummary(3, name, {}) for name in ("train", "test")},
)
_STEPS_AT_ONCE = 5
_EPOCH = 4
_CHECKPOINT = 8


def configure(folder, *overrides):
    """Returns a configuration that keeps all that is its own in `folder`."""
    config = compose_config(["model=mlp", f"tracking.spool={folder}/spool", *overrides])
    prepare_store(config.tracking)
    return config


def configure_sqlite(folder, *overrides):
    places = [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]
    return configure(folder, *places, *overrides)


def log_steps(tracker, steps, seconds=0.0):
    """Logs `steps` times some losses, and now and then the rest; returns how long each took."""
    spent = []
    for step in range(1, steps + 1):
        time.sleep(seconds)
        started = time.perf_counter()
        tracker.log_result(
            StepsResult(1, step * _STEPS_AT_ONCE, np.random.default_rng(step).random(5), {})
        )
        if step % _EPOCH == 0:
            tracker.log_result(SplitResult("train", step, step, {"loss": 1 / step}))
            tracker.log_tags({f"epoch{step}": str(step)})
        if step % _CHECKPOINT == 0:
            weights = {"kernel": np.full((30, 30), step, np.float32)}
            tracker.log_result(CheckpointResult(step, weights))
        spent.append(time.perf_counter() - started)
    return spent


def open_tracker(config, folder, **context):
    return start_run(
        config, config.tracking, RunContext(["seed=0"], Path(folder), **context), SOURCE
    )


def read_spool(file):
    with closing_file(SpoolReader(file)) as reader:
        return list(reader.read())


def expect(spooled):
    """Returns what a store holds of entries: metric points, tags, params, arrays of files, end."""
    points, tags, params, arrays, end = Counter(), {}, {}, {}, None
    for time_ms, entry, _ in spooled:
        match entry:
            case RunStarted():
                tags |= entry.tags
                params = dict(entry.params)
            case TagsAdded():
                tags |= entry.tags
            case PhasesTimed():
                for phase, value in entry.seconds.items():
                    points[f"time/{phase}_seconds", value, time_ms, 0] = 1
            case RunEnded():
                end = (entry.status.value, time_ms)
            case ResultLogged(StepsResult() as result):
                for index, loss in enumerate(result.losses.tolist()):
                    points["step/loss", loss, time_ms, result.first_step + index] = 1
            case ResultLogged(SplitResult() as result):
                for name, value in result.metrics.items():
                    points[f"{result.split}/{name}", value, time_ms, result.step] = 1
            case ResultLogged(CheckpointResult() as result):
                arrays[f"checkpoints/step_{result.step}.npz"] = result.arrays
            case ResultLogged(DataResult() as result):
                tags |= {"data.source": result.source, "data.digest": result.digest}
            case _:
                raise TypeError(entry)
    return points, tags, params, arrays, end


def check_delivered(client, spooled, run_id, tmp_path):
    """Asserts that the store holds all of a run's entries, each once, and nothing else of them."""
    points, tags, params, arrays, end = expect(spooled)
    run = client.get_run(run_id)
    found = Counter()
    for key in run.data.metrics:
        for one in client.get_metric_history(run_id, key):
            found[one.key, one.value, one.timestamp, one.step] += 1
    assert found == points
    assert {key: run.data.tags.get(key) for key in tags} == tags
    assert run.data.params == params
    listed = {one.path for one in client.list_artifacts(run_id, "checkpoints")}
    assert listed == set(arrays)
    for path, expected in arrays.items():
        file = client.download_artifacts(run_id, path, str(tmp_path))
        with np.load(io.BytesIO(Path(file).read_bytes())) as loaded:
            assert set(loaded) == set(expected)
            for name, array in expected.items():
                np.testing.assert_array_equal(loaded[name], array)
    if end is not None:
        assert (run.info.status, run.info.end_time) == end


def find_run(client: MlflowClient, key):
    """Returns the one run that was created as `key`."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`feedfetch.run` = '{key}'")
    return run


def main() -> None:
    folder, steps, seconds, *overrides = sys.argv[1:]
    register()
    config = configure(folder, *overrides)
    with closing(open_tracker(config, folder)) as tracker:
        sys.stdout.write(f"{tracker.key}\n")
        sys.stdout.flush()
        tracker.log_result(DATA)
        spent = log_steps(tracker, int(steps), float(seconds))
        tracker.log_seconds({"train": 1.5})
    sys.stdout.write(json.dumps({"most_seconds": max(spent), "run_id": tracker.run_id}))


if __name__ == "__main__":
    main()
