"""Delivers what runs have left in their spools, and closes those whose process is gone."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from runner.config import SqliteTrackingConfig, StoreTrackingConfig
from runner.tracking.cursor import list_spools
from runner.tracking.delivery import Delivery, Stores
from runner.tracking.leftovers import close_left_running
from runner.tracking.outages import describe_failure
from runner.tracking.progress import Progress
from runner.tracking.spool import SpoolReader
from runner.tracking.tracker import Status

_MOST_BACKOFF_SECONDS = 5.0
_REST_SECONDS = 0.25


class Outcome(Enum):
    """What became of what a run had left."""

    DELIVERED = "delivered"
    CLOSED = "closed"
    RUNNING = "running"
    DAMAGED = "damaged"
    REFUSED = "refused"
    WAITING = "waiting"


@dataclass(frozen=True)
class Synced:
    """What became of a run.

    Attributes:
        outcome: It in a word.
        file: The spool; None where there was none.
        run_id: The run's id; None where the store does not know of it.
        name: The run's name; empty where it is not known.
        status: How the run ended; None where that is not delivered.
        entries: How many entries were delivered, or wait.
        reason: Why not all of it was delivered; empty where it was.
    """

    outcome: Outcome
    file: Path | None = None
    run_id: str | None = None
    name: str = ""
    status: Status | None = None
    entries: int = 0
    reason: str = ""

    @property
    def is_left(self) -> bool:
        """Whether there is something that somebody has to do something about."""
        return self.outcome in (Outcome.DAMAGED, Outcome.REFUSED, Outcome.WAITING)


def sync_runs(tracking: StoreTrackingConfig, wait_seconds: float) -> Iterator[Synced]:
    """Yields what became of each run that had left something, as soon as it is known.

    Args:
        tracking: The folder of the spools, and a store in which runs may have been left open.
        wait_seconds: How long to wait for stores that take nothing.
    """
    folder = Path(tracking.spool)
    stores = Stores(_MOST_BACKOFF_SECONDS)
    left = list_spools(folder)
    last_progress = time.monotonic()
    while left:
        waiting: list[tuple[Path, Synced]] = []
        for file in left:
            synced, has_moved = _sync_spool(file, stores)
            if has_moved:
                last_progress = time.monotonic()
            if synced is not None and synced.outcome is Outcome.WAITING:
                waiting.append((file, synced))
            elif synced is not None:
                yield synced
        if time.monotonic() - last_progress >= wait_seconds:
            yield from (synced for _, synced in waiting)
            break
        left = [file for file, _ in waiting]
        if left:
            time.sleep(_REST_SECONDS)
    yield from _close_left_running(tracking, stores)


def _sync_spool(file: Path, stores: Stores) -> tuple[Synced | None, bool]:
    """Returns what became of a spool, None where it was gone, and whether anything was taken."""
    try:
        delivery = Delivery.claim(file, stores)
    except OSError as error:
        reason = f"tracking.spool: {error.filename} cannot be opened: {error.strerror}"
        return Synced(Outcome.REFUSED, file, entries=_count(file), reason=reason), False
    if delivery is None:
        return (Synced(Outcome.RUNNING, file), False) if file.exists() else (None, False)
    try:
        if delivery.is_written:
            return Synced(Outcome.RUNNING, file), False
        before = delivery.acknowledged_bytes
        while not delivery.progress.is_over and delivery.progress.outage is None:
            delivery.look()
        has_moved = delivery.progress.is_over or delivery.acknowledged_bytes > before
        return _describe(delivery, delivery.progress), has_moved
    finally:
        delivery.release()


def _count(file: Path) -> int:
    """Returns how many entries a spool has; 0 where it cannot be read either."""
    try:
        with closing(SpoolReader(file)) as reader:
            return reader.count()
    except OSError:
        return 0


def _describe(delivery: Delivery, progress: Progress) -> Synced:
    if progress.kept is not None:
        outcome = Outcome.DAMAGED
    elif progress.problem is not None:
        outcome = Outcome.REFUSED
    elif progress.is_over:
        outcome = Outcome.DELIVERED
    else:
        outcome = Outcome.WAITING
    is_kept = outcome in (Outcome.REFUSED, Outcome.WAITING)
    return Synced(
        outcome,
        progress.kept or delivery.file,
        progress.run_id,
        progress.name,
        progress.status,
        delivery.count_waiting() if is_kept else progress.delivered,
        str(progress.problem or progress.outage or ""),
    )


def _close_left_running(tracking: StoreTrackingConfig, stores: Stores) -> Iterator[Synced]:
    if isinstance(tracking, SqliteTrackingConfig) and not Path(tracking.database).exists():
        return
    try:
        client = stores.get(tracking).open()
        experiments = [one.experiment_id for one in client.search_experiments()]
        for run_id in close_left_running(client, experiments, Path(tracking.spool)):
            yield Synced(Outcome.CLOSED, run_id=run_id, status=Status.KILLED)
    except Exception as error:  # noqa: BLE001  a store may raise what it likes
        yield Synced(Outcome.WAITING, reason=describe_failure(error))
