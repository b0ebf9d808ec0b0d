"""A run's entries on disk, in front of the store: appended by one process, read by another.

Each entry is a header with the length and the CRC-32 of what follows, then a pickle and its arrays,
which are written from where they lie in memory. A reader takes only what is whole. What it takes is
nothing but the project's own records and arrays, so that a file of somebody else's runs no code.

The writer holds a lock on its file as long as it lives, by which others tell a run that goes on
from one whose process is gone.
"""

import errno
import fcntl
import io
import os
import pickle
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runner.clock import now_ms
from runner.secrets import redact_all
from runner.tracking.entries import Entry
from runner.tracking.tracker import TrackingError

SUFFIX = ".spool"

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
_HEADER = struct.Struct("<QI")
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")

_OTHER_VERSION = (pickle.UnpicklingError, AttributeError, ImportError, TypeError, ValueError)
_MODULES = (
    "runner.config",
    "runner.feeds",
    "runner.results",
    "runner.tracking.entries",
    "runner.tracking.tracker",
)
_NAMES = {
    ("builtins", "frozenset"),
    ("builtins", "set"),
    ("builtins", "slice"),
    ("collections", "Counter"),
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("ml_dtypes", "bfloat16"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
}


class SpoolError(Exception):
    """A spool holds what no run has written; the message says where."""


class Spooled(NamedTuple):
    """An entry as it came.

    Attributes:
        time_ms: When it was written, in milliseconds since 1970.
        entry: What was said.
        end: The first byte after it in the file.
    """

    time_ms: int
    entry: Entry
    end: int


class SpoolWriter:
    """Appends entries to a new file; each is with the operating system once ``append`` returns."""

    def __init__(self, file: Path) -> None:
        """Creates `file`, locked from its first moment.

        Raises:
            TrackingError: If it cannot be created.
        """
        self.file = file
        self.entries = 0
        self._lock = threading.Lock()
        self._end = 0
        self._is_dirty = True
        unnamed = file.with_suffix(".new")
        with _explaining(file):
            if file.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            self._descriptor = os.open(unnamed, _FLAGS, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            unnamed.rename(file)

    def append(self, entry: Entry) -> None:
        """Writes an entry and the time: whole, or not at all. May be called from any thread.

        Raises:
            TrackingError: If it cannot be written, as on a full disk.
        """
        buffers: list[pickle.PickleBuffer] = []
        spooled = (now_ms(), redact_all(entry))
        body = pickle.dumps(spooled, protocol=5, buffer_callback=buffers.append)
        parts: list[Any] = [body, *(buffer.raw() for buffer in buffers)]
        lengths = b"".join(_LENGTH.pack(len(part)) for part in parts)
        parts = [_COUNT.pack(len(parts)), lengths, *parts]
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        header = _HEADER.pack(sum(len(part) for part in parts), checksum)
        with self._lock, _explaining(self.file):
            # Small ones at once, as most are; large arrays without a copy.
            self._write((header, *parts) if buffers else [b"".join((header, *parts))])
            self.entries += 1

    def sync(self) -> None:
        """Has all that was appended on the disk itself, where it outlives the machine.

        Raises:
            TrackingError: If the disk does not take it.
        """
        with self._lock:
            if not self._is_dirty or self._descriptor < 0:
                return
            self._is_dirty = False
            # Of its own, since entries are appended, and the file closed, while the disk works.
            descriptor = os.dup(self._descriptor)
        try:
            with _explaining(self.file):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Closes the file, by which it is known that no more comes."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def _write(self, parts: Iterable[Any]) -> None:
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(self._descriptor, view) :]
        except OSError:
            # A part of an entry would hide those after it.
            os.ftruncate(self._descriptor, self._end)
            raise
        self._end = os.fstat(self._descriptor).st_size
        self._is_dirty = True


class SpoolReader:
    """Reads the entries of a file that may still grow."""

    def __init__(self, file: Path) -> None:
        """Opens `file`.

        Raises:
            OSError: If it cannot be read.
        """
        self._stream = file.open("rb")

    @property
    def is_written(self) -> bool:
        """Whether the process lives that writes it, and has not closed it."""
        try:
            fcntl.flock(self._stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._stream, fcntl.LOCK_UN)
        return False

    @property
    def offset(self) -> int:
        """The byte after the last entry that was read."""
        return self._stream.tell()

    @property
    def rest_bytes(self) -> int:
        """How many bytes come after the last whole entry that was read."""
        return os.fstat(self._stream.fileno()).st_size - self._stream.tell()

    def read(self) -> Iterator[Spooled]:
        """Yields the entries that are whole by now and have not been yielded before.

        Raises:
            SpoolError: If what is there is no entry.
        """
        while (content := self._read_content()) is not None:
            yield _decode(content, self._stream.tell())

    def count(self) -> int:
        """Returns how many entries ``read`` would yield, as far as their headers tell."""
        start, entries = self._stream.tell(), 0
        while (length := self._read_header()) is not None:
            self._stream.seek(length[0], os.SEEK_CUR)
            entries += 1
        self._stream.seek(start)
        return entries

    def skip_to(self, offset: int) -> None:
        """Goes on at a byte at which an entry starts."""
        self._stream.seek(offset)

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def _read_content(self) -> bytes | None:
        start = self._stream.tell()
        header = self._read_header()
        if header is None:
            return None
        length, checksum = header
        content = self._stream.read(length)
        # A file system may leave zeros where it lost what was written.
        if not length or zlib.crc32(content) != checksum:
            self._stream.seek(start)
            raise SpoolError(f"{self._stream.name}: the entry at byte {start} is damaged")
        return content

    def _read_header(self) -> tuple[int, int] | None:
        """Returns length and checksum of the next entry; None, and stays, where it is not whole."""
        start = self._stream.tell()
        header = self._stream.read(_HEADER.size)
        if len(header) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            if os.fstat(self._stream.fileno()).st_size - start - _HEADER.size >= length:
                return length, checksum
        # By way of the end, so that nothing is kept in memory of what is taken back on a full disk.
        self._stream.seek(0, os.SEEK_END)
        self._stream.seek(start)
        return None


@contextmanager
def _explaining(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrackingError(
            f"tracking.spool: {file} cannot be written: {error.strerror or error}. All that was "
            "logged before is kept. Make room, or choose another folder."
        ) from error


def _decode(content: bytes, end: int) -> Spooled:
    (count,) = _COUNT.unpack_from(content)
    start = _COUNT.size + count * _LENGTH.size
    parts = []
    view = memoryview(content)
    for index in range(count):
        (length,) = _LENGTH.unpack_from(content, _COUNT.size + index * _LENGTH.size)
        parts.append(view[start : start + length])
        start += length
    body, *buffers = parts
    try:
        time_ms, entry = _EntryUnpickler(io.BytesIO(body), buffers=buffers).load()
        _require_fields(entry)
    except _OTHER_VERSION as error:
        raise SpoolError(f"an entry is not of this version of the project: {error}") from error
    return Spooled(time_ms, entry, end)


def _require_fields(value: Any) -> None:
    """Checks that records have the fields of their classes, since a pickle takes whatever it has.

    Raises:
        AttributeError: If one has others.
    """
    if is_dataclass(value):
        named = {one.name for one in fields(value)}
        if differing := named ^ vars(value).keys():
            kind = type(value).__name__
            raise AttributeError(f"{kind} has other fields: {', '.join(sorted(differing))}")
        value = vars(value)
    if isinstance(value, Mapping):
        for one in value.values():
            _require_fields(one)
    elif isinstance(value, tuple | list):
        for one in value:
            _require_fields(one)


class _EntryUnpickler(pickle.Unpickler):
    """Makes records and arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns a class that an entry is made of."""
        found = super().find_class(module, name) if self._is_known(module, name) else None
        if found is None or (module in _MODULES and not isinstance(found, type)):
            raise SpoolError(f"an entry holds a {module}.{name}, which no run writes")
        return found

    @staticmethod
    def _is_known(module: str, name: str) -> bool:
        return module in _MODULES or (module, name) in _NAMES
