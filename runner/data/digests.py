"""Tells files apart by what is in them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from runner.config import FileDataConfig

_CHUNK_BYTES = 2**16
_MOST_READ = 1000


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
