"""Delivers one spool to its store: in order, over outages, and from where another left off."""

import logging
import os
import random
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

# Read by MLflow at each request: what is done again is decided here, and not for minutes there.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"

from mlflow import MlflowClient

from models.problems import ConfigError, Problem
from runner.config import StoreTrackingConfig
from runner.tracking.cursor import Claim, Cursor, read_cursor, write_cursor
from runner.tracking.entries import RunEnded, RunStarted
from runner.tracking.mlflow import MlflowRun, create_run, find_runs, open_store, remove_twins
from runner.tracking.outages import (
    describe_failure,
    is_access_refused,
    is_timeout,
    is_transient,
)
from runner.tracking.progress import Progress
from runner.tracking.spool import Spooled, SpoolError, SpoolReader
from runner.tracking.store import store_uri
from runner.tracking.tracker import Status

_KILLED = "The process that ran it ended without a word, as by SIGKILL or for want of memory.\n"
_CURSOR_SECONDS = 1.0
_LEAST_BACKOFF_SECONDS = 0.5
_LEAST_TIMEOUT_SECONDS = 5
_MOST_TIMEOUT_SECONDS = 320

# MLflow would write a traceback of what is told here in a line, and done again.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

log = logging.getLogger(__name__)


class Store:
    """A store, and whether it is away for a while."""

    def __init__(self, tracking: StoreTrackingConfig, most_backoff_seconds: float) -> None:
        """Opens nothing yet; once it is away, it is left alone for ever longer, up to a bound."""
        self.uri = store_uri(tracking)
        self._tracking = tracking
        self._client: MlflowClient | None = None
        self._most_backoff_seconds = most_backoff_seconds
        self._failures = 0
        self._timeout_seconds = _LEAST_TIMEOUT_SECONDS
        self._resume_at = 0.0
        self.outage: str | None = None

    @property
    def is_due(self) -> bool:
        """Whether to ask it again."""
        return time.monotonic() >= self._resume_at

    def open(self) -> MlflowClient:
        """Returns a client.

        Raises:
            ConfigError: If the store cannot be opened.
            Exception: If it is away for a while; see ``is_transient``.
        """
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(self._timeout_seconds)
        if self._client is None:
            self._client = open_store(self._tracking)
        return self._client

    def note_outage(self, error: BaseException) -> None:
        """Leaves it alone for a while; where it took too long, it has longer the next time."""
        self.outage = describe_failure(error)
        backoff = _LEAST_BACKOFF_SECONDS * 2.0 ** min(self._failures, 16)
        # Of many runs that wait for one server, some come sooner and some later.
        seconds = min(self._most_backoff_seconds, backoff) * random.uniform(0.5, 1)
        self._resume_at = time.monotonic() + seconds
        self._failures += 1
        if is_timeout(error):
            self._timeout_seconds = min(_MOST_TIMEOUT_SECONDS, self._timeout_seconds * 2)

    def note_answer(self) -> None:
        """Takes note that it is there."""
        self.outage = None
        self._failures = 0
        self._timeout_seconds = _LEAST_TIMEOUT_SECONDS


class Stores:
    """The stores that a process delivers to."""

    def __init__(self, most_backoff_seconds: float) -> None:
        """Has none yet; each is left alone for at most so long once it is away."""
        self._stores: dict[str, Store] = {}
        self._most_backoff_seconds = most_backoff_seconds

    def get(self, tracking: StoreTrackingConfig) -> Store:
        """Returns the store of `tracking`, which may not be open yet."""
        uri = store_uri(tracking)
        if uri not in self._stores:
            self._stores[uri] = Store(tracking, self._most_backoff_seconds)
        return self._stores[uri]


class Delivery:
    """Delivers the entries of a spool as they come, until the run has ended.

    Where its process is gone without an end, the run is closed as KILLED.
    """

    def __init__(self, file: Path, claim: Claim, stores: Stores) -> None:
        """Goes on from where the spool's cursor is, with the right to deliver it."""
        self.file = file
        self.progress = Progress()
        self._claim = claim
        self._stores = stores
        self._store: Store | None = None
        self._reader = SpoolReader(file)
        self._cursor = read_cursor(file)
        self._acknowledged = Cursor() if self._cursor is None else self._cursor
        self._refused_before = self._acknowledged.failure
        self._noted_at = 0.0
        self._started: RunStarted | None = None
        self._run: MlflowRun | None = None
        self._pending: Spooled | None = None
        self._read = 0
        self._last_ms = 0

    @classmethod
    def claim(cls, file: Path, stores: Stores) -> "Delivery | None":
        """Returns the delivery of `file`; None where another process has it, or it is gone.

        Raises:
            OSError: If the folder cannot be written to, or the spool not read.
        """
        claim = Claim.take(file)
        if claim is None:
            return None
        try:
            return cls(file, claim, stores)
        except OSError:
            claim.release()
            raise

    def look(self, *, single: bool = False) -> bool:
        """Delivers what has come since the last look, or one entry of it.

        Returns:
            Whether there was anything.
        """
        if self.progress.is_over:
            return False
        if self._store is not None and not self._store.is_due:
            # Another run may have found that it is away.
            self.progress = replace(self.progress, outage=self._store.outage)
            return False
        before = self._read
        try:
            self._advance(single=single)
        except SpoolError as error:
            self._end_damaged(str(error), Status.FAILED)
        except ConfigError as error:
            self._refuse(error.problems[0], error)
        except Exception as error:  # noqa: BLE001  whatever a store raises must not end the others
            self._note_failure(error)
        return self._read > before

    @property
    def is_written(self) -> bool:
        """Whether the run's process lives, and has not ended the run."""
        return self._reader.is_written

    @property
    def acknowledged_bytes(self) -> int:
        """How much of the spool the store has."""
        return self._acknowledged.offset

    def open_store(self) -> MlflowClient:
        """Returns a client of the store of a run that has started.

        Raises:
            ValueError: If it has not.
            Exception: If the store is away for a while; see ``is_transient``.
        """
        if self._store is None:
            raise ValueError("a run that has not started has no store")
        return self._store.open()

    def release(self) -> None:
        """Leaves the rest to others."""
        if not self.progress.is_over:
            if self._acknowledged != (self._cursor or Cursor()):
                with suppress(OSError):
                    self._save()
            self._end()
            self._claim.release()

    def count_waiting(self) -> int:
        """Returns how many entries the store has not acknowledged."""
        reader = SpoolReader(self.file)
        reader.skip_to(self._acknowledged.offset)
        waiting = reader.count()
        reader.close()
        return waiting

    def _advance(self, *, single: bool) -> None:
        # Before it is read: who ends meanwhile has written all by then.
        is_written = self._reader.is_written
        if self._store is not None and self._store.outage is not None:
            self._store.open()
            if self._run is not None:
                self._run.probe()
        if self._pending is not None:
            self._deliver(self._pending)
            if self.progress.is_over:
                return
        for spooled in self._reader.read():
            self._read += 1
            self._pending = spooled
            self._deliver(spooled)
            if self.progress.is_over or single:
                return
        if not is_written:
            self._end_killed()
        elif self._run is not None and self.progress.problem is None:
            self._run.flush_if_due()
            self._acknowledge(self._read, None)

    def _deliver(self, spooled: Spooled) -> None:
        """Writes an entry; after one that the store refused, none but the last."""
        self._last_ms = spooled.time_ms
        entry = spooled.entry
        run = self._run or self._start(spooled)
        if self.progress.problem is not None:
            if isinstance(entry, RunEnded):
                self._fail(run)
        elif spooled.end <= self._acknowledged.offset and not isinstance(entry, RunEnded):
            run.recall(entry)
            self.progress = replace(self.progress, delivered=self._read)
        else:
            self.open_store()
            run.write(entry, spooled.time_ms)
            if isinstance(entry, RunStarted):
                self.progress = replace(self.progress, run_id=run.run_id)
            self._acknowledge(self._read, spooled.end)
            if isinstance(entry, RunEnded):
                self._finish(run, entry)
        self._pending = None

    def _start(self, spooled: Spooled) -> MlflowRun:
        """Returns the run, created if it is not known to be."""
        started = spooled.entry
        if not isinstance(started, RunStarted):
            raise SpoolError(f"{self.file}: expected a run's start; found what comes after")
        self._started = started
        self.progress = replace(self.progress, name=started.name)
        self._store = self._stores.get(started.tracking)
        if not self._store.is_due:
            raise ConnectionError(self._store.outage)
        client = self._store.open()
        run_id = self._acknowledged.run_id
        if run_id is not None:
            self.progress = replace(self.progress, run_id=run_id)
            self._run = MlflowRun(client, run_id, started, self.file)
            return self._run
        may_exist = self._cursor is not None
        if not may_exist:
            # So that who comes next knows that it may.
            self._save()
        self._run = create_run(
            client,
            started,
            spooled.time_ms,
            spool=self.file,
            may_exist=may_exist,
            parent_id=self._find_parent(client, started),
        )
        self._acknowledged = replace(
            self._acknowledged, run_id=self._run.run_id, is_repeated=may_exist
        )
        self._save()
        return self._run

    def _find_parent(self, client: MlflowClient, started: RunStarted) -> str | None:
        """Returns the run of the sweep, which was created before those of its jobs."""
        if started.parent is None:
            return None
        cursor = read_cursor(self.file.with_name(started.parent).with_suffix(self.file.suffix))
        if cursor is not None and cursor.run_id is not None:
            return cursor.run_id
        return next(iter(find_runs(client, started.parent)), None)

    def _acknowledge(self, delivered: int, offset: int | None) -> None:
        """Notes what the store has, where nothing that was read waits in memory."""
        if self._run is None or not self._run.is_flushed:
            return
        offset = self._reader.offset if offset is None else offset
        self.progress = replace(self.progress, delivered=delivered, outage=None)
        if self._store is not None:
            self._store.note_answer()
        if offset != self._acknowledged.offset:
            self._acknowledged = replace(self._acknowledged, offset=offset)
            if time.monotonic() - self._noted_at > _CURSOR_SECONDS:
                self._save()

    def _save(self) -> None:
        self._cursor = self._acknowledged
        write_cursor(self.file, self._acknowledged)
        self._noted_at = time.monotonic()

    def _note_failure(self, error: Exception) -> None:
        if is_transient(error):
            if self._store is not None and self._store.is_due:
                self._store.note_outage(error)
            outage = describe_failure(error) if self._store is None else self._store.outage
            self.progress = replace(self.progress, outage=outage)
        else:
            problem = Problem("tracking", f"MLflow refused it: {describe_failure(error)}.")
            self._refuse(problem, error)

    def _refuse(self, problem: Problem, error: Exception) -> None:
        """Takes note of what is refused for good; the run ends as FAILED, once it ends."""
        self.progress = replace(self.progress, problem=problem, outage=None)
        if not is_access_refused(error):
            # Of who delivers nothing is to be said of the run.
            self._note_refusal(problem.message)
        last = self._pending
        self._pending = None
        if self._run is None:
            self._end()
            self._claim.release()
        elif last is not None and isinstance(last.entry, RunStarted | RunEnded):
            self._fail(self._run)

    def _fail(self, run: MlflowRun) -> None:
        """Ends the run as FAILED, as far as the store takes that; the spool is kept."""
        problem = self.progress.problem
        message = "" if problem is None else problem.message
        with suppress(Exception):
            run.fail(f"MLflow did not take all of it: {message}\n", self._last_ms)
            # Now it is said in the store, whoever was refused.
            self._note_refusal(message)
        self.progress = replace(self.progress, status=Status.FAILED)
        self._end()
        self._claim.release()

    def _note_refusal(self, message: str) -> None:
        """Has it known to who delivers the rest that the store did not take all."""
        self._acknowledged = replace(self._acknowledged, failure=message)
        with suppress(OSError):
            self._save()

    def _finish(self, run: MlflowRun, end: RunEnded) -> None:
        """Removes the spool of a run that is delivered whole."""
        if self._refused_before is not None and end.error is None:
            run.note_recovery(self._refused_before)
        if self._started is not None and self._acknowledged.is_repeated:
            remove_twins(self.open_store(), self._started, run.run_id)
        self.progress = replace(self.progress, status=end.status)
        self._end()
        self._claim.clear()

    def _end_killed(self) -> None:
        """Closes a run whose process is gone before the run had ended."""
        if self._reader.rest_bytes:
            cut = f"{self.file.name}: the last entry, at byte {self._reader.offset}, was cut off"
            self._end_damaged(cut, Status.KILLED)
        elif self._run is None:
            # It had said nothing.
            self._end()
            self._claim.clear()
        elif self.progress.problem is not None:
            self._fail(self._run)
        else:
            end = RunEnded(Status.KILLED, _KILLED)
            self.open_store()
            self._run.write(end, self._last_ms)
            self._finish(self._run, end)

    def _end_damaged(self, damage: str, status: Status) -> None:
        """Closes a run with what is whole of its spool, which is set aside."""
        if self._run is not None:
            try:
                self.open_store()
                error = _KILLED if status is Status.KILLED else ""
                self._run.write(RunEnded(status, f"{error}{damage}\n"), self._last_ms)
            except Exception as failure:  # noqa: BLE001  as in look
                if is_transient(failure):
                    self._note_failure(failure)
                    return
                log.warning("%s: %s", self.file.name, describe_failure(failure))
        self._end()
        kept = self._claim.set_aside()
        problem = Problem("tracking.spool", f"{damage}; it is set aside as {kept}.")
        self.progress = replace(self.progress, status=status, problem=problem, kept=kept)

    def _end(self) -> None:
        self._reader.close()
        self.progress = replace(self.progress, is_over=True)
