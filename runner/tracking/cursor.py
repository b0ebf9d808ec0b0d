"""How far a spool was delivered, beside it on disk, so that whoever goes on knows where."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from runner.tracking.spool import SUFFIX

_CURSOR = ".cursor"
_LOCK = ".lock"
_DAMAGED = ".damaged"


@dataclass(frozen=True)
class Cursor:
    """How far a spool was delivered.

    Attributes:
        run_id: The run's id in the store; None before it is known.
        offset: The byte up to which the store has acknowledged the entries.
        failure: What the store refused; None for nothing.
        is_repeated: Whether the run's creation was asked for more than once.
    """

    run_id: str | None = None
    offset: int = 0
    failure: str | None = None
    is_repeated: bool = False


def read_cursor(spool: Path) -> Cursor | None:
    """Returns how far `spool` was delivered; None where nobody has begun, or it cannot be read."""
    try:
        return Cursor(**json.loads(spool.with_suffix(_CURSOR).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        # What was delivered twice is in the store once.
        return None


def write_cursor(spool: Path, cursor: Cursor) -> None:
    """Has `cursor` on disk in place of the one before.

    Raises:
        OSError: If it cannot be written.
    """
    file = spool.with_suffix(_CURSOR)
    new = file.with_suffix(f"{_CURSOR}.new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(cursor)))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


def list_spools(folder: Path) -> list[Path]:
    """Returns the spools in `folder`, the run that started first in front."""
    return sorted(folder.glob(f"*{SUFFIX}"))


class Claim:
    """The right to deliver a spool, which one process has at a time; it ends with that process."""

    def __init__(self, spool: Path, descriptor: int) -> None:
        """Holds the lock behind `descriptor`."""
        self._spool = spool
        self._descriptor = descriptor

    @classmethod
    def take(cls, spool: Path) -> Self | None:
        """Returns the claim on `spool`; None where another has it, or there is no such spool.

        Raises:
            OSError: If the folder cannot be written to.
        """
        lock = spool.with_suffix(_LOCK)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        claim = cls(spool, descriptor)
        if not spool.exists():
            # Another has delivered and removed it meanwhile.
            claim.clear()
            return None
        return claim

    def release(self) -> None:
        """Leaves the spool to others."""
        os.close(self._descriptor)

    def clear(self) -> None:
        """Removes the spool and all that is beside it."""
        discard(self._spool)
        self.release()

    def set_aside(self) -> Path:
        """Takes the spool out of what is delivered, and returns where it is kept."""
        kept = self._spool.with_suffix(f"{SUFFIX}{_DAMAGED}")
        self._spool.rename(kept)
        self.clear()
        return kept


def discard(spool: Path) -> None:
    """Removes a spool that nobody else delivers, and all that is beside it."""
    for suffix in (SUFFIX, _CURSOR, _LOCK):
        spool.with_suffix(suffix).unlink(missing_ok=True)
