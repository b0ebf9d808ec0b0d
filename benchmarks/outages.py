"""What a server that is away costs the training of a run that logs every step to it."""

import json
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from benchmarks.measuring import describe_ratio
from benchmarks.workers import Worker, open_workers, report_progress
from tests.servers import FaultyProxy, MlflowServer, open_proxy, start_mlflow_server

MODELS = ("mlp",)

_STEPS_AN_EPOCH = 40
_TRIAL_EPOCHS = 200
_POLL_SECONDS = 0.02
_OFF = "tracking=off"
_HEALTHY = "healthy"


@dataclass(frozen=True)
class _Place:
    """Where runs are tracked.

    Attributes:
        server: The server.
        proxy: What stands in front of it.
        folder: Where runs write.
        seconds: How long an outage lasts.
    """

    server: MlflowServer
    proxy: FaultyProxy
    folder: Path
    seconds: float


def _stop(place: _Place) -> None:
    place.server.signal(signal.SIGSTOP)
    time.sleep(place.seconds)
    place.server.signal(signal.SIGCONT)


def _answer_500(place: _Place) -> None:
    place.proxy.set("error")
    time.sleep(place.seconds)
    place.proxy.set(None)


def _kill(place: _Place) -> None:
    place.server.kill()
    time.sleep(place.seconds)
    place.server.start()


_FAULTS: Mapping[str, Callable[[_Place], None]] = {
    _HEALTHY: lambda _: None,
    "stopped": _stop,
    "answers 500": _answer_500,
    "killed": _kill,
}


def measure(models: Sequence[str], rounds: int, outage_seconds: float) -> Iterator[str]:
    """Yields the lines of the table: a step with each fault beside one without tracking.

    Args:
        models: The models that are trained.
        rounds: How often each fault takes its turn.
        outage_seconds: How long the server is away, from when the run has begun. Training takes a
            little longer than that.
    """
    yield (
        f"outages: microseconds of a training step, logged to a server that is away for "
        f"{outage_seconds:.0f} s, median of {rounds} rounds; ratios to tracking=off and to the "
        "healthy server, median [least to most]; losses of steps that the server lacks afterwards"
    )
    yield f"{'model':12}{'server':14}{'step':>8}  {'to off':22}{'to healthy':22}lacks"
    with tempfile.TemporaryDirectory() as name, open_workers("runs") as workers:
        folder = Path(name)
        database = f"sqlite:///{folder}/mlflow.db"
        with (
            start_mlflow_server(database, folder / "artifacts") as server,
            open_proxy(server) as proxy,
        ):
            place = _Place(server, proxy, folder, outage_seconds)
            for model in models:
                yield from _measure_model(workers["runs"], model, place, rounds)


def _measure_model(worker: Worker, model: str, place: _Place, rounds: int) -> Iterator[str]:
    common = [f"model={model}", "trace.steps=[]", "plan=step"]
    epochs = _choose_epochs(worker, common, place)
    steps = epochs * _STEPS_AN_EPOCH
    times: dict[str, list[float]] = {name: [] for name in (_OFF, *_FAULTS)}
    lacks = dict.fromkeys(times, 0)
    order = list(times)
    for index in range(rounds):
        for name in order:
            report_progress(f"outages {model} {name}, round {index + 1} of {rounds}")
            overrides = [*common, f"task.epochs={epochs}"]
            if name == _OFF:
                seconds, _ = worker.call("time_run", [*overrides, _OFF], place.folder)
            else:
                seconds, lost = _train(worker, overrides, place, _FAULTS[name], steps)
                lacks[name] += lost
            times[name].append(seconds / steps)
        order.reverse()
    for name, each in times.items():
        ratios = [
            describe_ratio([one / other for one, other in zip(each, times[base], strict=True)])
            for base in (_OFF, _HEALTHY)
        ]
        median = statistics.median(each) * 1e6
        yield f"{model:12}{name:14}{median:8.0f}  {ratios[0]:22}{ratios[1]:22}{lacks[name]}"


def _choose_epochs(worker: Worker, overrides: Sequence[str], place: _Place) -> int:
    """Returns how many take a little longer than the outage."""
    trial = [*overrides, f"task.epochs={_TRIAL_EPOCHS}", _OFF]
    worker.call("time_run", trial, place.folder)
    seconds, _ = worker.call("time_run", trial, place.folder)
    return max(1, round(_TRIAL_EPOCHS * (place.seconds * 1.1 + 2) / seconds))


def _train(
    worker: Worker,
    overrides: Sequence[str],
    place: _Place,
    fault: Callable[[_Place], None],
    steps: int,
) -> tuple[float, int]:
    """Returns the seconds of a training during `fault`, and how many losses the server lacks."""
    spool = place.folder / "spool"
    store = ["tracking=server", f"tracking.uri={place.proxy.uri}", f"tracking.spool={spool}"]
    store += ["tracking.wait_seconds=120", "tracking.pictures=0"]

    def strike() -> None:
        while not any(_has_begun(cursor) for cursor in spool.glob("*.cursor")):
            time.sleep(_POLL_SECONDS)
        fault(place)

    striker = threading.Thread(target=strike)
    striker.start()
    seconds, _ = worker.call("time_run", [*overrides, *store], place.folder)
    striker.join()
    client = MlflowClient(place.server.uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, "status = 'FINISHED'", max_results=1)
    return seconds, steps - len(client.get_metric_history(run.info.run_id, "step/loss"))


def _has_begun(cursor: Path) -> bool:
    """Whether the server knows of the run whose spool `cursor` is of."""
    try:
        return json.loads(cursor.read_text(encoding="utf-8"))["run_id"] is not None
    except FileNotFoundError:
        return False
