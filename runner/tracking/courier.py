"""Has runs spooled, and delivered to their store by a process of its own."""

import getpass
import logging
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from models.problems import ConfigError
from runner.clock import now_ms
from runner.config import ExperimentConfig, StoreTrackingConfig, name_kind
from runner.results import Result
from runner.signals import hold_signals
from runner.tracking.cursor import discard
from runner.tracking.entries import (
    PhasesTimed,
    ResultLogged,
    RunEnded,
    RunStarted,
    TagsAdded,
)
from runner.tracking.folders import FOLDER, place_folder
from runner.tracking.liveness import describe_process
from runner.tracking.metadata import collect_metadata
from runner.tracking.params import flatten_params
from runner.tracking.parcels import Courier, get_courier
from runner.tracking.progress import Progress
from runner.tracking.spool import SUFFIX, SpoolWriter
from runner.tracking.tracker import RunContext, Status, TrackingError

_GROUPS = ("model", "data", "task", "optimizer", "session", "tracking", "experiment", "plan")
_JOB_TAGS = ("model", "data")
# To import MLflow and open a store takes seconds, and a minute where all cores are busy.
_START_SECONDS = 90.0

log = logging.getLogger(__name__)


class SpoolTracker:
    """One run, spooled to a file from which a courier delivers it to MLflow."""

    def __init__(
        self, courier: Courier, spool: SpoolWriter, wait_seconds: float, sync_command: str
    ) -> None:
        """Has `courier` deliver what is in `spool`, and all that is to come.

        Args:
            courier: The process that delivers.
            spool: Holds the run's start.
            wait_seconds: How long ``close`` waits for a store that takes nothing.
            sync_command: What delivers the rest later.

        Raises:
            ConfigError: If the store refuses the run.
        """
        self._courier = courier
        self._spool = spool
        self._wait_seconds = wait_seconds
        self._sync_command = sync_command
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
        self._spool.append(TagsAdded(dict(tags)))

    def log_result(self, result: Result) -> None:
        """Logs what a task yielded."""
        self._spool.append(ResultLogged(result))

    def log_seconds(self, seconds: Mapping[str, float]) -> None:
        """Logs the wall time of each phase."""
        self._spool.append(PhasesTimed(dict(seconds)))

    def close(self, status: Status, error: BaseException | None = None) -> None:
        """Waits until all is delivered, with the run's status, or the store was away for long.

        Raises:
            TrackingError: If the store refused any of it, or the end cannot be spooled.
        """
        text = None if error is None else "".join(traceback.format_exception(error))
        try:
            self._spool.append(RunEnded(status, text))
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
    return _open_run(replace(started, name=name, params={}, tags=tags), context)


def _open_run(started: RunStarted, context: RunContext) -> SpoolTracker:
    folder = Path(started.tracking.spool)
    # In the order of their names, the run of a sweep comes before those of its jobs.
    now = now_ms()
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now / 1000))
    key = f"{moment}-{now % 1000:03d}-{uuid.uuid4().hex[:12]}"
    spool = SpoolWriter(folder / f"{key}{SUFFIX}")
    with hold_signals():
        spool.append(replace(started, key=key, parent=context.parent, process=describe_process()))
        # A job does not wait: its sweep goes on, and waits for all of them.
        wait_seconds = 0 if context.parent is not None else started.tracking.wait_seconds
        return SpoolTracker(get_courier(), spool, wait_seconds, _name_sync(context.overrides))


def _name_sync(overrides: Sequence[str]) -> str:
    """Returns the command that delivers what waits where `overrides` have it."""
    store = [text for text in overrides if text.startswith("tracking")]
    return " ".join(["python -m runner sync", *store])


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
