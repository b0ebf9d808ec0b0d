"""Has runs delivered to their store by a process of its own."""

import atexit
import getpass
import json
import logging
import os
import subprocess
import sys
import traceback
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from models.problems import ConfigError, Problem
from runner.config import ExperimentConfig, StoreTrackingConfig, name_kind
from runner.results import Result
from runner.signals import hold_signals
from runner.tracking.entries import (
    PhasesTimed,
    ResultLogged,
    RunEnded,
    RunStarted,
    TagsAdded,
)
from runner.tracking.folders import FOLDER, place_folder
from runner.tracking.metadata import collect_metadata
from runner.tracking.params import flatten_params
from runner.tracking.spool import SpoolWriter
from runner.tracking.tracker import RunContext, Status, TrackingError

_GROUPS = ("model", "data", "task", "optimizer", "session", "tracking", "experiment", "plan")
_JOB_TAGS = ("model", "data")
_PARENT = "mlflow.parentRunId"
_PROJECT = Path(__file__).resolve().parents[2]
_END_SECONDS = 10.0

log = logging.getLogger(__name__)


class _Courier:
    """A process that delivers one run after another; see ``runner.tracking.delivery``."""

    def __init__(self) -> None:
        # In a session of its own, since Ctrl-C at a terminal goes to all processes of one.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "runner.tracking.delivery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_PROJECT,
            start_new_session=True,
        )
        self._owner = os.getpid()

    @property
    def is_usable(self) -> bool:
        """Whether it runs, and is this process's rather than the one's that forked it."""
        return self._owner == os.getpid() and self._process.poll() is None

    def tell(self, **command: Any) -> None:
        """Sends a command; one that has ended is noticed by ``hear``."""
        if self._process.stdin is None:
            raise ValueError("the process was started without a pipe")
        if self._process.stdin.closed:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{json.dumps(command)}\n".encode())
            self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Returns the next answer; ``{"lost": REASON}`` where the process has ended."""
        if self._process.stdout is None:
            raise ValueError("the process was started without a pipe")
        while not self._process.stdout.closed and (line := self._process.stdout.readline()):
            answer: dict[str, Any] = json.loads(line)
            if "log" not in answer:
                return answer
            log.log(*answer["log"])
        status = self._process.wait()
        return {"lost": f"the process that writes to MLflow ended with status {status}"}

    def close(self) -> None:
        """Ends the process."""
        if self._owner != os.getpid():
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait(_END_SECONDS)


# Those that wait for a run.
_idle: list[_Courier] = []


class SpoolTracker:
    """One run, spooled to a file in its folder, from which a courier delivers it to MLflow."""

    def __init__(self, courier: _Courier, spool: SpoolWriter) -> None:
        """Has `courier` deliver what is in `spool`, and all that is to come."""
        self._courier = courier
        self._is_lent = False
        self._spool = spool
        courier.tell(run=str(spool.file))
        answer = courier.hear()
        self._run_id: str | None = answer.get("run_id")
        if self._run_id is None:
            place, message = answer.get("problem", ["tracking", f"{answer.get('lost')}."])
            self._release()
            raise ConfigError([Problem(place, message)])

    @property
    def run_id(self) -> str | None:
        """The run's id in MLflow."""
        return self._run_id

    def lend_courier(self) -> None:
        """Lets the courier deliver other runs, one after another, while this one is open."""
        self._is_lent = True
        _give_back(self._courier)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""
        self._spool.append(TagsAdded(dict(tags)))

    def log_result(self, result: Result) -> None:
        """Logs what a task yielded."""
        self._spool.append(ResultLogged(result))

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Logs the wall time of each phase as a metric."""
        self._spool.append(PhasesTimed(dict(seconds)))

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Waits until all is delivered, with the run's status.

        Raises:
            TrackingError: If the store did not take all of it; the spool is kept.
        """
        text = None if error is None else "".join(traceback.format_exception(error))
        self._spool.append(RunEnded(status, text))
        self._courier.tell(look=True)
        lost = self._courier.hear().get("lost")
        self._release(keep_spool=lost is not None)
        if lost is None:
            return
        raise TrackingError(
            f"tracking: MLflow did not take all of run {self._run_id}: {lost}. "
            f"All that the run logged is in {self._spool.file}"
        )

    def _release(self, *, keep_spool: bool = False) -> None:
        self._spool.close()
        if not keep_spool:
            self._spool.file.unlink()
        if not self._is_lent:
            _give_back(self._courier)


def start_courier(tracking: StoreTrackingConfig) -> None:
    """Has the configured store opened ahead, while this process does something else."""
    courier = _take_courier()
    courier.tell(open=[name_kind("tracking", tracking), asdict(tracking)])
    _give_back(courier)


def start_run(
    config: ExperimentConfig, tracking: StoreTrackingConfig, context: RunContext, source: Path
) -> SpoolTracker:
    """Returns the tracker of a new run in the configured store, its params and tags logged.

    Args:
        config: The whole experiment.
        tracking: Its tracking.
        context: How the run came to be.
        source: A folder of the code, whose git commit is logged.

    Raises:
        ConfigError: If the store cannot be opened, or the experiment was deleted in it.
    """
    return _open_run(describe_start(config, tracking, context, source), context)


def start_sweep(
    config: ExperimentConfig,
    tracking: StoreTrackingConfig,
    context: RunContext,
    source: Path,
    *,
    name: str,
) -> SpoolTracker:
    """Returns the tracker of a new run that those of a sweep's jobs are nested under.

    Args:
        config: A job of the sweep.
        tracking: Its tracking, whose store and experiment the run is in.
        context: How the sweep came to be.
        source: A folder of the code, whose git commit is logged.
        name: The run's name.

    Raises:
        ConfigError: If the store cannot be opened, or the experiment was deleted in it.
    """
    started = describe_start(config, tracking, context, source)
    # What a job is configured with is not what all of them are.
    tags = {key: value for key, value in started.tags.items() if key not in _JOB_TAGS}
    tags["sweep.folder"] = str(context.output_dir)
    tracker = _open_run(replace(started, name=name, params={}, tags=tags), context)
    tracker.lend_courier()
    return tracker


def _open_run(started: RunStarted, context: RunContext) -> SpoolTracker:
    spool = SpoolWriter(context.output_dir / f"run-{uuid.uuid4().hex[:8]}.spool")
    with hold_signals():
        spool.append(started)
        return SpoolTracker(_take_courier(), spool)


def describe_start(
    config: ExperimentConfig, tracking: StoreTrackingConfig, context: RunContext, source: Path
) -> RunStarted:
    """Returns what a run says of itself first; the arguments are those of ``start_run``."""
    return RunStarted(
        tracking=tracking,
        name=name_run(config, context.overrides),
        tags=tag_run(config, context, source),
        params=flatten_params(config),
        output_dir=context.output_dir,
        overrides=(*context.verb, *context.overrides),
        changes=dict(context.changes),
    )


def tag_run(config: ExperimentConfig, context: RunContext, source: Path) -> dict[str, str]:
    """Returns the labels that a run begins with; the arguments are those of ``start_run``."""
    return {
        "mlflow.source.name": "python -m runner",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": getpass.getuser(),
        **({"overrides": " ".join(context.overrides)} if context.overrides else {}),
        **({} if context.parent_run_id is None else {_PARENT: context.parent_run_id}),
        **({} if config.from_run is None else {"from_run": config.from_run}),
        "task": config.task.name,
        "model": config.model.name,
        "data": config.data.name,
        FOLDER: place_folder(context.output_dir),
        **collect_metadata(source),
        **config.tracking.tags,
        **context.tags,
    }


def name_run(config: ExperimentConfig, overrides: Sequence[str]) -> str:
    """Returns the configured name, or the model's and the values set, whole groups left out."""
    if config.tracking.run_name is not None:
        return config.tracking.run_name
    values = [
        override.lstrip("+") for override in overrides if override.partition("=")[0] not in _GROUPS
    ]
    shown = [value for value in values if not value.startswith(("tracking.", "hydra"))]
    return " ".join([config.model.name, *shown])


def _take_courier() -> _Courier:
    while _idle:
        courier = _idle.pop()
        if courier.is_usable:
            return courier
        courier.close()
    return _Courier()


def _give_back(courier: _Courier) -> None:
    if courier.is_usable:
        _idle.append(courier)
    else:
        courier.close()


@atexit.register
def _close_couriers() -> None:
    while _idle:
        _idle.pop().close()
