"""The process that delivers spools to their stores, beside the one that runs experiments.

So MLflow is imported and its store opened while TensorFlow is imported and the graph is built, its
writes take no time from training, and a run whose process was killed is closed all the same.

It is told what to do by lines of JSON on its standard input:

- ``{"open": [KIND, TRACKING]}``: the store is opened ahead.
- ``{"run": FILE}``: the entries of a spool are delivered as they come.
- ``{"look": true}``: there is more in a spool.
- ``{"stop": true}``: it ends at once; others deliver the rest.

It answers by lines of JSON on its standard output: ``{"file": FILE, "progress": PROGRESS}`` at each
change, and ``{"log": [LEVEL, MESSAGE]}``. When its input ends, it delivers what is left for as long
as a run that has ended waits, and ends.

While its own runs leave it time, it delivers what earlier ones left in the folder of their spools,
and closes runs of processes that are gone.
"""

import json
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.problems import ConfigError
from runner.config import SCHEMAS
from runner.secrets import learn_environment
from runner.tracking.cursor import list_spools, read_cursor
from runner.tracking.delivery import Delivery, Stores
from runner.tracking.leftovers import close_left_running
from runner.tracking.mlflow import prepare_drawing, prepare_report
from runner.tracking.outages import describe_failure
from runner.tracking.progress import Progress, encode_progress

_LOOK_SECONDS = 0.2
_NICENESS = 10
_MOST_BACKOFF_SECONDS = 5.0
# What was left long ago may be for a store that is gone, and each try may take seconds.
_MOST_ORPHAN_BACKOFF_SECONDS = 600.0
_LAST_SECONDS = 30.0

log = logging.getLogger(__name__)


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
        self._stores = Stores(_MOST_BACKOFF_SECONDS)
        self._unclaimed: list[Path] = []
        self._deliveries: list[Delivery] = []
        self._told: dict[Path, Progress] = {}
        self._orphans = _Orphans()

    @property
    def is_busy(self) -> bool:
        return bool(self._deliveries or self._unclaimed)

    def do(self, command: Mapping[str, Any]) -> None:
        if "stop" in command:
            _end()
        if "open" in command:
            kind, values = command["open"]
            self._open(kind, values)
        if "run" in command:
            self._unclaimed.append(Path(command["run"]))
        self.look()

    def look(self) -> bool:
        """Delivers what has come since the last look; returns whether there was anything."""
        for file in self._unclaimed[:]:
            self._claim(file)
        found = False
        for delivery in self._deliveries[:]:
            found |= delivery.look()
            self._tell(delivery.file, delivery.progress)
            if delivery.progress.run_id is not None:
                self._orphans.seek(delivery, delivery.progress.run_id)
            if delivery.progress.is_over:
                self._deliveries.remove(delivery)
        return found

    def look_at_orphans(self) -> bool:
        """Delivers an entry of what earlier runs left; returns whether there was one."""
        return self._orphans.look()

    def _open(self, kind: str, values: Mapping[str, Any]) -> None:
        tracking = SCHEMAS["tracking"][kind](**values)
        store = self._stores.get(tracking)
        try:
            store.open()
        except ConfigError:
            pass  # told when a run is to be created in it
        except Exception as error:  # noqa: BLE001  as that, and a store may raise what it likes
            store.note_outage(error)
        if tracking.pictures:
            prepare_drawing()
        if tracking.report:
            prepare_report()

    def _claim(self, file: Path) -> None:
        """Begins with a spool as soon as no other process is at it."""
        delivery = Delivery.claim(file, self._stores)
        if delivery is not None:
            self._deliveries.append(delivery)
        elif file.exists():
            return
        else:
            # Another, who was told by hand, was faster.
            self._tell(file, Progress(is_over=True))
        self._unclaimed.remove(file)

    def _tell(self, file: Path, progress: Progress) -> None:
        if self._told.get(file) != progress:
            self._told[file] = progress
            self._answers.send(file=str(file), progress=encode_progress(progress))


class _Orphans:
    """What runs left whose process is gone, delivered entry by entry while there is time."""

    def __init__(self) -> None:
        self._stores = Stores(_MOST_ORPHAN_BACKOFF_SECONDS)
        self._folders: set[Path] = set()
        self._files: list[Path] = []
        self._delivery: Delivery | None = None

    def seek(self, delivery: Delivery, run_id: str) -> None:
        """Looks once for what was left where `delivery` is from, and in its store."""
        folder = delivery.file.parent
        if folder in self._folders:
            return
        self._folders.add(folder)
        self._files += list_spools(folder)
        try:
            client = delivery.open_store()
            run = client.get_run(run_id)
            for _ in close_left_running(client, [run.info.experiment_id], folder):
                pass
        except Exception as error:  # noqa: BLE001  a store may raise what it likes
            log.info("runs left open are not closed: %s", describe_failure(error))

    def look(self) -> bool:
        """Delivers an entry, or begins with the next spool; returns whether there was one."""
        if self._delivery is None:
            if not self._files:
                return False
            self._begin(self._files.pop(0))
            return True
        found = self._delivery.look(single=True)
        progress = self._delivery.progress
        if progress.outage is not None:
            self._delivery.release()
        if progress.is_over or progress.outage is not None:
            self._delivery = None
            return True
        return found

    def _begin(self, file: Path) -> None:
        cursor = read_cursor(file)
        if cursor is not None and cursor.failure is not None:
            return
        try:
            delivery = Delivery.claim(file, self._stores)
        except OSError as error:
            # Such as that of somebody else; sync tells of it.
            log.info("what %s holds is not delivered: %s", file.name, error)
            return
        if delivery is not None and delivery.is_written:
            delivery.release()
        else:
            self._delivery = delivery


def main() -> None:
    """Serves until its standard input ends."""
    # The one who runs experiments hears them, and says how each run ends.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Where there are fewer cores than work, training goes first.
    os.nice(_NICENESS)
    learn_environment(os.environ)
    answers = _Answers(os.dup(1))
    os.dup2(2, 1)
    logging.getLogger("runner").addHandler(answers)
    deliveries = _Deliveries(answers)
    _serve(deliveries)
    ends = time.monotonic() + _LAST_SECONDS
    while deliveries.is_busy and time.monotonic() < ends:
        if not deliveries.look():
            time.sleep(_LOOK_SECONDS)
    _end()


def _serve(deliveries: _Deliveries) -> None:
    """Does what it is told until its input ends."""
    waiting = b""
    has_time = False
    while True:
        # What others left is delivered without a rest, where nothing else is to be done.
        rest = 0.0 if has_time else _LOOK_SECONDS if deliveries.is_busy else None
        is_ready, _, _ = select.select([0], [], [], rest)
        if is_ready:
            received = os.read(0, 65536)
            if not received:
                return
            *lines, waiting = (waiting + received).split(b"\n")
            for line in lines:
                deliveries.do(json.loads(line))
        has_time = not deliveries.look() and deliveries.look_at_orphans()


def _end() -> None:
    sys.stderr.flush()
    # Nothing is left to be done, and to take MLflow apart takes a while.
    os._exit(0)


if __name__ == "__main__":
    main()
