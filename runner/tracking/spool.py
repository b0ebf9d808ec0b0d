"""A run's entries on disk, in front of the store: appended by one process, read by another.

Each entry is a header with the length and the CRC-32 of what follows, then a pickle and its arrays,
which are written from where they lie in memory. A reader takes only what is whole. What it takes is
nothing but the project's own records and arrays, so that a file of somebody else's runs no code.
"""

import io
import os
import pickle
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runner.clock import now_ms
from runner.secrets import redact_all
from runner.tracking.entries import Entry

_HEADER = struct.Struct("<QI")
_COUNT = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")

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
    """

    time_ms: int
    entry: Entry


class SpoolWriter:
    """Appends entries to a new file; each is with the operating system once ``append`` returns."""

    def __init__(self, file: Path) -> None:
        """Creates `file`.

        Raises:
            OSError: If it is there, or cannot be created.
        """
        self.file = file
        self._stream = file.open("xb", buffering=0)

    def append(self, entry: Entry) -> None:
        """Writes an entry, without the secrets in it, and the time.

        Raises:
            OSError: If it cannot be written.
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
        # Small ones at once, as most are; large arrays without a copy.
        if buffers:
            for part in (header, *parts):
                self._write(part)
        else:
            self._write(b"".join((header, *parts)))

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def _write(self, part: Any) -> None:
        view = memoryview(part)
        while view:
            view = view[os.write(self._stream.fileno(), view) :]


class SpoolReader:
    """Reads the entries of a file that may still grow."""

    def __init__(self, file: Path) -> None:
        """Opens `file`.

        Raises:
            OSError: If it cannot be read.
        """
        self._stream = file.open("rb")

    def read(self) -> Iterator[Spooled]:
        """Yields the entries that are whole by now and have not been yielded before.

        Raises:
            SpoolError: If what is there is no entry.
        """
        while True:
            start = self._stream.tell()
            header = self._stream.read(_HEADER.size)
            if len(header) < _HEADER.size:
                break
            length, checksum = _HEADER.unpack(header)
            if os.fstat(self._stream.fileno()).st_size - start - _HEADER.size < length:
                break
            content = self._stream.read(length)
            # A file system may leave zeros where it lost what was written.
            if not length or zlib.crc32(content) != checksum:
                raise SpoolError(f"{self._stream.name}: the entry at byte {start} is damaged")
            yield _decode(content)
        self._stream.seek(start)

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()


def _decode(content: bytes) -> Spooled:
    (count,) = _COUNT.unpack_from(content)
    start = _COUNT.size + count * _LENGTH.size
    parts = []
    view = memoryview(content)
    for index in range(count):
        (length,) = _LENGTH.unpack_from(content, _COUNT.size + index * _LENGTH.size)
        parts.append(view[start : start + length])
        start += length
    body, *buffers = parts
    return Spooled(*_EntryUnpickler(io.BytesIO(body), buffers=buffers).load())


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
