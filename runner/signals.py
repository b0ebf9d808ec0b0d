"""Keeps a signal from cutting a write in two."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def hold_signals() -> Iterator[None]:
    """Lets SIGINT and SIGTERM act only once the block has ended; the second one acts at once.

    An exception that a handler raises amid a transaction leaves SQLite's cursor open, and the run's
    last writes then fail because the database is locked. Python runs handlers in the main thread;
    in another, the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            signal.signal(number, previous[number])
            signal.raise_signal(number)

    previous = {int(number): signal.getsignal(number) for number in _ENDING}
    try:
        for number in previous:
            signal.signal(number, remember)
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
