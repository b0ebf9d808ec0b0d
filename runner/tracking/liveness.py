"""Names a process so that others on its machine can tell that it has ended."""

import os
from pathlib import Path

_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys" / "kernel" / "random" / "boot_id"
_NAMESPACE = _PROCESSES / "self" / "ns" / "pid"


def describe_process() -> str | None:
    """Returns what is this process's alone: its id, when it started, and where its id holds.

    None where the system does not tell, as other ones than Linux.
    """
    place, started = describe_place(), _read_start(os.getpid())
    return None if place is None or started is None else f"{os.getpid()} {started} {place}"


def describe_place() -> str | None:
    """Returns what processes share among which an id is of one: since when, and which container."""
    try:
        return f"{_NAMESPACE.readlink().name} {_BOOT.read_text(encoding='ascii').strip()}"
    except OSError:
        return None


def has_ended(process: str) -> bool:
    """Returns whether a process, as ``describe_process`` told of it there, is known to be gone.

    Of a process on another machine, in another container, or before a restart it is not known.
    """
    number, _, rest = process.partition(" ")
    started, _, place = rest.partition(" ")
    if not number.isdecimal() or place != describe_place():
        return False
    return _read_start(int(number)) != started


def _read_start(number: int) -> str | None:
    """Returns when a process started, in ticks since the machine did; None where it is gone."""
    try:
        stat = (_PROCESSES / str(number) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name comes first, in parentheses, and may hold anything.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]
