"""The trackers' side of the process that delivers: started anew where it ends, told and heard.

A thread hears what it answers, starts it again if it was killed, and has what was spooled on the
disk itself once a second.
"""

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.tracking.progress import Progress, decode_progress
from runner.tracking.spool import SpoolWriter
from runner.tracking.tracker import TrackingError

_PROJECT = Path(__file__).resolve().parents[2]
_SYNC_SECONDS = 1.0
_END_SECONDS = 2.0
_LONG_SECONDS = 60.0
_MOST_RESTART_SECONDS = 30.0

log = logging.getLogger(__name__)


class Parcel:
    """A spool on its way.

    Attributes:
        spool: The spool.
        told: What is known of its delivery.
        has_ended: Whether all is in it that is to come.
    """

    def __init__(self, spool: SpoolWriter) -> None:
        """Nothing is known of it yet."""
        self.spool = spool
        self.has_ended = False
        self.told = Progress()
        self._changed = threading.Condition()
        self._away_since: float | None = None

    def tell(self, told: Progress) -> None:
        """Takes what is known by now."""
        with self._changed:
            self.told = told
            if told.outage is None:
                self._away_since = None
            elif self._away_since is None:
                self._away_since = time.monotonic()
            self._changed.notify_all()

    def wait(self, is_reached: Callable[[Progress], bool], seconds: float) -> None:
        """Waits until `is_reached` holds of what is known, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: is_reached(self.told), seconds)

    def wait_for_end(self, seconds: float) -> None:
        """Waits until all is delivered, or the store has taken nothing for `seconds` from now."""
        began = time.monotonic()
        with self._changed:
            while not self.told.is_over:
                away = self._away_since
                left = _LONG_SECONDS
                if away is not None:
                    left = max(began, away) + seconds - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(min(left, _LONG_SECONDS))


class Courier:
    """A process that delivers runs; see ``runner.tracking.deliverer``."""

    def __init__(self) -> None:
        """Starts it."""
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._opened: Mapping[str, Any] | None = None
        self._parcels: dict[str, Parcel] = {}
        self._is_closed = False
        self._restarts = 0
        self._restart_at: float | None = None
        self._process = _start_process()
        self._thread = threading.Thread(target=self._attend, name="courier", daemon=True)
        self._thread.start()

    @property
    def is_usable(self) -> bool:
        """Whether it is this process's rather than the one's that forked it."""
        return self._owner == os.getpid() and not self._is_closed

    @property
    def pid(self) -> int:
        """The process's id, which is another one once it was started anew."""
        return self._process.pid

    def deliver(self, spool: SpoolWriter) -> Parcel:
        """Has a spool delivered, and all that is to come in it."""
        parcel = Parcel(spool)
        with self._lock:
            self._parcels[str(spool.file)] = parcel
            self.tell(run=str(spool.file))
        return parcel

    def forget(self, parcel: Parcel) -> None:
        """Hears no more of a spool."""
        with self._lock:
            self._parcels.pop(str(parcel.spool.file), None)

    def wait_for_rest(self, seconds: float) -> None:
        """Waits for what ended while its store was away, as ``Parcel.wait_for_end`` does."""
        for parcel in self._list_parcels():
            if parcel.has_ended:
                parcel.wait_for_end(seconds)
            if parcel.told.is_over:
                self.forget(parcel)

    def tell(self, **command: Any) -> None:
        """Sends a command; one that the process does not hear is sent to the next."""
        with self._lock, suppress(OSError, ValueError):
            if "open" in command:
                self._opened = command
            if self._process.stdin is not None:
                self._process.stdin.write(f"{json.dumps(command)}\n".encode())
                self._process.stdin.flush()

    def close(self) -> None:
        """Ends the process; what it has not delivered is left in its spool."""
        self._is_closed = True
        if self._owner != os.getpid():
            return
        self.tell(stop=True)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # It waits for a store; whoever delivers next goes on from what is on disk.
            self._process.kill()
            self._process.wait()
        self._thread.join(_END_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _attend(self) -> None:
        heard = b""
        synced_at = time.monotonic()
        while not self._is_closed:
            received = self._hear()
            if received is not None:
                *lines, heard = (heard + received).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
            if received == b"":
                heard = b""
                self._note_end()
            if self._restart_at is not None and time.monotonic() >= self._restart_at:
                self._restart()
            if time.monotonic() - synced_at >= _SYNC_SECONDS:
                self._sync()
                synced_at = time.monotonic()

    def _hear(self) -> bytes | None:
        """Returns what was answered, none of it where the process has ended; None for nothing."""
        pipe = self._process.stdout
        if pipe is None or self._restart_at is not None:
            time.sleep(_SYNC_SECONDS / 10)
            return None
        is_ready, _, _ = select.select([pipe], [], [], _SYNC_SECONDS)
        return os.read(pipe.fileno(), 65536) if is_ready else None

    def _take(self, answer: Mapping[str, Any]) -> None:
        if "log" in answer:
            log.log(*answer["log"])
            return
        with self._lock:
            parcel = self._parcels.get(answer["file"])
        if parcel is not None:
            parcel.tell(decode_progress(answer["progress"]))
            self._restarts = 0

    def _note_end(self) -> None:
        """Has the process started anew, sooner or later: what ends it may end the next one too."""
        if self._is_closed:
            return
        status = self._process.wait()
        seconds = min(_MOST_RESTART_SECONDS, (2.0**self._restarts - 1) / 2)
        self._restarts += 1
        self._restart_at = time.monotonic() + seconds
        if self._restarts > 1:
            outage = f"the process that writes to MLflow ended with status {status}"
            for parcel in self._list_parcels():
                parcel.tell(replace(parcel.told, outage=outage))

    def _restart(self) -> None:
        with self._lock:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            self._process = _start_process()
            self._restart_at = None
            if self._opened is not None:
                self.tell(**self._opened)
            for file in self._parcels:
                self.tell(run=file)

    def _sync(self) -> None:
        for parcel in self._list_parcels():
            try:
                parcel.spool.sync()
            except TrackingError as error:
                log.error("%s", error)

    def _list_parcels(self) -> list[Parcel]:
        with self._lock:
            return list(self._parcels.values())


def _start_process() -> subprocess.Popen[bytes]:
    # In a session of its own, since Ctrl-C at a terminal goes to all processes of one.
    return subprocess.Popen(
        [sys.executable, "-m", "runner.tracking.deliverer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_PROJECT,
        start_new_session=True,
    )


_couriers: list[Courier] = []


def get_courier() -> Courier:
    """Returns the process that delivers what this one logs."""
    if not _couriers or not _couriers[0].is_usable:
        _couriers[:] = [Courier()]
    return _couriers[0]


@atexit.register
def _close_couriers() -> None:
    while _couriers:
        _couriers.pop().close()
