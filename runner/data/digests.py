"""Tells files apart by what is in them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from runner.config import FileDataConfig

_CHUNK_BYTES = 2**16
_MOST_READ = 1000
_MOST_WHOLE_BYTES = 2**28


def digest_files(files: Sequence[Path], config: FileDataConfig) -> str:
    """Returns text that is another where a file is.

    It is made of the names and sizes of all files, and with ``data.full_digest`` of all that is in
    them; otherwise of the first, middle and last 64 KiB of up to 1,000, evenly spread.

    Args:
        files: The files of `config`, in order.
        config: The source; names are relative to its folder.
    """
    digest = hashlib.blake2b()
    root = Path(config.file)
    step = 1 if config.full_digest else -(-len(files) // _MOST_READ)
    for index, file in enumerate(files):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(root)} {size}\n".encode())
        if index % step == 0:
            with file.open("rb") as stream:
                starts = (0, size // 2, size - _CHUNK_BYTES)
                for start in range(0, size, _CHUNK_BYTES) if config.full_digest else starts:
                    stream.seek(max(start, 0))
                    digest.update(stream.read(_CHUNK_BYTES))
    return digest.hexdigest()


def digest_content(path: Path) -> str:
    """Returns text that is another where a file, or what a folder holds, is.

    Up to 256 MiB are read as a whole; of more, what :func:`digest_files` reads. Hidden files, and
    those in hidden folders, are left out.
    """
    if not path.is_dir():
        return _digest_whole([path], path)
    found = (file for file in path.rglob("*") if file.is_file())
    return _digest_whole(
        sorted(file for file in found if not _is_hidden(file.relative_to(path))), path
    )


def _digest_whole(files: Sequence[Path], root: Path) -> str:
    if sum(file.stat().st_size for file in files) > _MOST_WHOLE_BYTES:
        return digest_files(files, root)
    digest = hashlib.blake2b()
    for file in files:
        digest.update(f"{file.relative_to(root)} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)
