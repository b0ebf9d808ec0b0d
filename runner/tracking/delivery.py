"""The process that delivers spooled entries to the store, beside the one that runs experiments.

So MLflow is imported and its store opened while TensorFlow is imported and the graph is built, its
writes take no time from training, and a run whose process was killed is closed all the same.

It is told what to do by lines of JSON on its standard input, and answers by lines of JSON on its
standard output:

- ``{"open": [KIND, TRACKING]}``: the store is opened ahead. No answer.
- ``{"run": FILE}``: the entries of a spool are delivered as they come. ``{"run_id": ID}`` once the
  run is created, or ``{"problem": [PLACE, MESSAGE]}`` where it cannot be; at its end
  ``{"done": true}``, or ``{"lost": REASON}`` where the store did not take all of it. The run of a
  sweep stays open while those of its jobs come and go; who asks waits for one answer at a time.
- ``{"look": true}``: there is more in a spool. No answer.

At any time ``{"log": [LEVEL, MESSAGE]}``. When its input ends, so does it.
"""

import json
import logging
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from models.problems import ConfigError, Problem
from runner.clock import now_ms
from runner.config import SCHEMAS, StoreTrackingConfig
from runner.tracking.entries import RunEnded, RunStarted
from runner.tracking.mlflow import (
    MlflowRun,
    create_run,
    open_store,
    prepare_drawing,
    prepare_report,
)
from runner.tracking.spool import Spooled, SpoolError, SpoolReader
from runner.tracking.store import store_uri
from runner.tracking.tracker import Status

_LOOK_SECONDS = 0.2
_NICENESS = 10
_KILLED = "The process that ran it ended without a word, as by SIGKILL or for want of memory.\n"
_FAILURES = (MlflowException, SQLAlchemyError, OSError, SpoolError)


class _Answers(logging.Handler):
    """Writes lines to the process that asks."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(logging.WARNING)
        self._descriptor = descriptor

    def send(self, **answer: Any) -> None:
        # Who asks may be gone; what is spooled is delivered all the same.
        with suppress(BrokenPipeError):
            os.write(self._descriptor, f"{json.dumps(answer)}\n".encode())

    def emit(self, record: logging.LogRecord) -> None:
        self.send(log=[record.levelno, record.getMessage()])


class _Deliveries:
    """Delivers runs, several at once where a sweep's own is open beside that of a job."""

    def __init__(self, answers: _Answers) -> None:
        self._answers = answers
        self._stores = _Stores()
        self._deliveries: list[_Delivery] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._deliveries)

    def do(self, command: Mapping[str, Any]) -> None:
        if "open" in command:
            # What is wrong with the store is told when a run is to be created in it.
            kind, values = command["open"]
            tracking = SCHEMAS["tracking"][kind](**values)
            with suppress(ConfigError, OSError):
                self._stores.open(tracking)
            if tracking.pictures:
                prepare_drawing()
            if tracking.report:
                prepare_report()
        if "run" in command:
            file = Path(command["run"])
            reader = SpoolReader(file)
            self._deliveries.append(_Delivery(self._answers, self._stores, reader, file))
        self.look()

    def look(self) -> None:
        """Delivers what has come since the last look."""
        for delivery in self._deliveries:
            delivery.look()
        self._deliveries = [delivery for delivery in self._deliveries if delivery.is_busy]

    def give_up(self) -> None:
        """Closes the runs whose process is gone before they had ended."""
        for delivery in self._deliveries:
            delivery.give_up()


class _Stores:
    """The stores that are open."""

    def __init__(self) -> None:
        self._clients: dict[str, MlflowClient] = {}

    def open(self, tracking: StoreTrackingConfig) -> MlflowClient:
        uri = store_uri(tracking)
        if uri not in self._clients:
            self._clients[uri] = open_store(tracking)
        return self._clients[uri]


class _Delivery:
    """Delivers one run."""

    def __init__(
        self, answers: _Answers, stores: _Stores, reader: SpoolReader, spool: Path
    ) -> None:
        self._answers = answers
        self._stores = stores
        self._reader: SpoolReader | None = reader
        self._spool = spool
        self._run: MlflowRun | None = None
        self._failure: str | None = None

    @property
    def is_busy(self) -> bool:
        return self._reader is not None

    def look(self) -> None:
        """Delivers what has come since the last look."""
        if self._reader is None:
            return
        try:
            for spooled in self._reader.read():
                self._deliver(spooled)
                if isinstance(spooled.entry, RunEnded):
                    self._finish()
                if not self.is_busy:
                    return
            if self._run is not None and self._failure is None:
                self._run.flush_if_due()
        except SpoolError as error:
            # Nothing that comes after it can be read.
            self._failure = self._failure or str(error)
            self._fail(now_ms())
            self._finish()
        except _FAILURES as error:
            self._failure = _describe(error)

    def give_up(self) -> None:
        """Closes a run whose process is gone before the run had ended."""
        self.look()
        if self._failure is not None:
            self._fail(now_ms())
        elif self._run is not None:
            with suppress(*_FAILURES):
                self._run.write(RunEnded(Status.KILLED, _KILLED), now_ms())

    def _deliver(self, spooled: Spooled) -> None:
        """Writes an entry; after one that the store did not take, none but the last."""
        if isinstance(spooled.entry, RunStarted):
            self._start(spooled.entry, spooled.time_ms)
            return
        try:
            if self._run is not None and self._failure is None:
                self._run.write(spooled.entry, spooled.time_ms)
        except _FAILURES as error:
            self._failure = _describe(error)
        if self._failure is not None and isinstance(spooled.entry, RunEnded):
            self._fail(spooled.time_ms)

    def _start(self, started: RunStarted, time_ms: int) -> None:
        try:
            self._run = create_run(
                self._stores.open(started.tracking), started, time_ms, self._spool
            )
        except ConfigError as error:
            (problem,) = error.problems
            self._refuse(problem)
        except _FAILURES as error:
            self._refuse(Problem("tracking", f"no run can be created: {_describe(error)}"))
        else:
            self._answers.send(run_id=self._run.run_id)

    def _refuse(self, problem: Problem) -> None:
        self._answers.send(problem=[problem.path, problem.message])
        self._close()

    def _fail(self, time_ms: int) -> None:
        """Ends the run as FAILED, as far as the store takes that."""
        if self._run is not None:
            with suppress(*_FAILURES):
                self._run.fail(f"MLflow did not take all of it: {self._failure}\n", time_ms)

    def _finish(self) -> None:
        if self._failure is None:
            self._answers.send(done=True)
        else:
            self._answers.send(lost=self._failure)
        self._close()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None


def main() -> None:
    """Serves until its standard input ends."""
    # The one who runs experiments hears them, and says how each run ends.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Where there are fewer cores than work, training goes first.
    os.nice(_NICENESS)
    answers = _Answers(os.dup(1))
    os.dup2(2, 1)
    logging.getLogger("runner").addHandler(answers)
    deliveries = _Deliveries(answers)
    waiting = b""
    while True:
        is_ready, _, _ = select.select([0], [], [], _LOOK_SECONDS if deliveries.is_busy else None)
        if not is_ready:
            deliveries.look()
            continue
        received = os.read(0, 65536)
        if not received:
            break
        *lines, waiting = (waiting + received).split(b"\n")
        for line in lines:
            deliveries.do(json.loads(line))
    deliveries.give_up()
    sys.stderr.flush()
    # Nothing is left to be done, and to take MLflow apart takes a while.
    os._exit(0)


def _describe(error: BaseException) -> str:
    """Returns what the error came from, in a line: MLflow's own often says little."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


if __name__ == "__main__":
    main()
