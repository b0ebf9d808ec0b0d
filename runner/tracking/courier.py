"""Has runs spooled, and delivered to their store by a process of its own."""

import getpass
import logging
import shlex
import threading
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from models.problems import ConfigError
from runner.clock import now_ms
from runner.config import ExperimentConfig, StoreTrackingConfig, name_kind
from runner.results import Result
from runner.signals import hold_signals
from runner.tracking.cursor import discard
from runner.tracking.description import NOTE, Description
from runner.tracking.entries import (
    Entry,
    PhasesTimed,
    ResultLogged,
    RunEnded,
    RunStarted,
    TagsAdded,
)
from runner.tracking.environment import format_machine, format_requirements
from runner.tracking.folders import FOLDER, place_folder
from runner.tracking.limits import fit_tags
from runner.tracking.liveness import describe_process
from runner.tracking.metadata import collect_metadata, format_patch
from runner.tracking.params import flatten_params
from runner.tracking.parcels import Courier, get_courier
from runner.tracking.progress import Progress
from runner.tracking.selection import select_store
from runner.tracking.spool import SUFFIX, SpoolWriter
from runner.tracking.system import SystemMonitor
from runner.tracking.tracker import RunContext, Status, TrackingError

_GROUPS = ("model", "data", "task", "optimizer", "session", "tracking", "experiment", "plan")
_JOB_TAGS = ("model", "data", "task", "seed")
# To import MLflow and open a store takes seconds, and a minute where all cores are busy.
_START_SECONDS = 90.0
_MOST_LETTERS = 200

log = logging.getLogger(__name__)


class SpoolTracker:
    """One run, spooled to a file from which a courier delivers it to MLflow."""

    def __init__(
        self,
        courier: Courier,
        spool: SpoolWriter,
        started: RunStarted,
        *,
        wait_seconds: float,
        sync_command: str,
    ) -> None:
        """Has `courier` deliver what is in `spool`, and all that is to come.

        Args:
            courier: The process that delivers.
            spool: Holds the run's start.
            started: The run's start.
            wait_seconds: How long ``close`` waits for a store that takes nothing.
            sync_command: What delivers the rest later.

        Raises:
            ConfigError: If the store refuses the run.
        """
        self._courier = courier
        self._spool = spool
        self._wait_seconds = wait_seconds
        self._sync_command = sync_command
        self._description = Description(started)
        self._monitor: SystemMonitor | None = None
        # The monitor's thread appends too.
        self._lock = threading.Lock()
        self._parcel = courier.deliver(spool)
        self._parcel.wait(lambda told: told.is_answered, _START_SECONDS)
        told = self._parcel.told
        if told.problem is not None:
            spool.close()
            courier.forget(self._parcel)
            discard(spool.file)
            raise ConfigError([told.problem])
        if told.run_id is None:
            reason = told.outage or "it has not answered yet"
            log.warning(
                "tracking: the store is away (%s); the run is kept until it is back", reason
            )

    @property
    def run_id(self) -> str | None:
        """The run's id in MLflow; None while the store has not been reached."""
        return self._parcel.told.run_id

    @property
    def key(self) -> str:
        """What jobs name the run of their sweep by."""
        return self._spool.file.stem

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Adds labels to the run."""
        self._append(TagsAdded(fit_tags(tags)))

    def log_result(self, result: Result) -> None:
        """Logs what a task yielded."""
        self._append(ResultLogged(result))

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Logs the wall time of each phase."""
        self._append(PhasesTimed(dict(seconds)))

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Waits until all is delivered, with the run's status, or the store was away for long.

        Raises:
            TrackingError: If the store refused any of it, or the end cannot be spooled.
        """
        text = None if error is None else "".join(traceback.format_exception(error))
        try:
            # What room is left on a full disk is for the status.
            if not isinstance(error, TrackingError):
                with suppress(TrackingError):
                    self._tell_last(status, error)
            self._append(RunEnded(status, text))
            self._spool.sync()
        finally:
            # From now on it is known that no more comes, whoever delivers the rest.
            self._spool.close()
        self._parcel.has_ended = True
        self._courier.tell(look=True)
        self._courier.wait_for_rest(self._wait_seconds)
        told = self._parcel.told
        if not told.is_over:
            self._tell_what_waits(told)
            return
        self._courier.forget(self._parcel)
        if told.problem is not None:
            raise TrackingError(self._describe_loss(told))

    def _tell_last(self, status: Status, error: BaseException | None) -> None:
        if self._monitor is not None:
            self._monitor.stop()
        self._description.end(status, error)
        self._append(TagsAdded({NOTE: self._description.format()}))

    def _describe_loss(self, told: Progress) -> str:
        text = f"tracking: MLflow did not take all of run {self.run_id}: {told.problem}"
        if told.kept is not None:
            return text
        return (
            f"{text} All that the run logged is in {self._spool.file}; once that is mended, "
            f"{self._sync_command} delivers it."
        )

    def _tell_what_waits(self, told: Progress) -> None:
        log.warning(
            "tracking: the store is away (%s); %d entries wait in %s: deliver them by %s",
            told.outage or "it has not answered yet",
            self._spool.entries - told.delivered,
            self._spool.file,
            self._sync_command,
        )

    def watch_system(self, interval_seconds: float) -> None:
        """Logs what the run uses of its machine, until it is closed."""
        self._monitor = SystemMonitor(interval_seconds, self._append)

    def _append(self, entry: Entry) -> None:
        with self._lock:
            self._description.add(entry)
            self._spool.append(entry)


def start_courier(tracking: StoreTrackingConfig) -> None:
    """Has the configured store opened ahead, while this process does something else."""
    get_courier().tell(open=[name_kind("tracking", tracking), asdict(tracking)])


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
    tracker = _open_run(describe_start(config, tracking, context, source), context)
    if tracking.system_metrics_seconds is not None:
        tracker.watch_system(tracking.system_metrics_seconds)
    return tracker


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
    return _open_run(replace(started, name=name, params={}, tags=tags, changes={}), context)


def _open_run(started: RunStarted, context: RunContext) -> SpoolTracker:
    folder = Path(started.tracking.spool)
    # In the order of their names, the run of a sweep comes before those of its jobs.
    now = now_ms()
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now / 1000))
    key = f"{moment}-{now % 1000:03d}-{uuid.uuid4().hex[:12]}"
    spool = SpoolWriter(folder / f"{key}{SUFFIX}")
    note = fit_tags({NOTE: Description(started).format()})
    started = replace(
        started,
        tags={**started.tags, **note},
        key=key,
        parent=context.parent,
        process=describe_process(),
    )
    with hold_signals():
        spool.append(started)
        # A job does not wait: its sweep goes on, and waits for all of them.
        wait_seconds = 0 if context.parent is not None else started.tracking.wait_seconds
        return SpoolTracker(
            get_courier(),
            spool,
            started,
            wait_seconds=wait_seconds,
            sync_command=_name_sync(context.overrides),
        )


def _name_sync(overrides: Sequence[str]) -> str:
    """Returns the command that delivers what waits where `overrides` have it."""
    return shlex.join(["python", "-m", "runner", "sync", *select_store(overrides)])


def describe_start(
    config: ExperimentConfig, tracking: StoreTrackingConfig, context: RunContext, source: Path
) -> RunStarted:
    """Returns what a run says of itself first; the arguments are those of ``start_run``."""
    patch = format_patch(source)
    return RunStarted(
        # Its name and tags may hold secrets, and are among the run's.
        tracking=replace(tracking, tags={}, run_name=None),
        name=name_run(config, context.overrides),
        tags=fit_tags(tag_run(config, context, source)),
        params=flatten_params(config, context.hidden),
        output_dir=context.output_dir,
        overrides=(*context.verb, *context.overrides),
        changes=dict(context.changes),
        files={
            "environment/requirements.txt": format_requirements(),
            "environment/machine.yaml": format_machine(),
            **({} if patch is None else {"code/diff.patch": patch}),
        },
    )


def tag_run(config: ExperimentConfig, context: RunContext, source: Path) -> dict[str, str]:
    """Returns the labels that a run begins with; the arguments are those of ``start_run``."""
    return {
        "mlflow.source.name": "python -m runner",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": getpass.getuser(),
        **({"overrides": " ".join(context.overrides)} if context.overrides else {}),
        **({"command": context.command} if context.command else {}),
        **({} if config.from_run is None else {"from_run": config.from_run}),
        "task": config.task.name,
        "model": config.model.name,
        "data": config.data.name,
        "seed": str(config.seed),
        **({} if context.number is None else {"sweep.number": str(context.number)}),
        FOLDER: place_folder(context.output_dir),
        **collect_metadata(source),
        **config.tracking.tags,
        **context.tags,
    }


def name_run(config: ExperimentConfig, overrides: Sequence[str]) -> str:
    """Returns the configured name, or the model's and the values set, whole groups left out.

    Of what was set twice the last value, which counts.
    """
    if config.tracking.run_name is not None:
        return config.tracking.run_name
    last: dict[str, str] = {}
    for text in overrides:
        key = text.partition("=")[0].lstrip("+~")
        last.pop(key, None)
        if key not in _GROUPS and not key.startswith(("tracking.", "hydra")):
            last[key] = text.lstrip("+")
    name = " ".join([config.model.name, *last.values()])
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"
