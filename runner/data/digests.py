"""Tells files apart by what is in them."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from runner.config import WEIGHT_FILES, ExperimentConfig, FileDataConfig
from runner.feeds import flatten_feeds

_CHUNK_BYTES = 2**16
_MOST_READ = 1000
_MOST_WHOLE_BYTES = 2**28


def digest_files(files: Sequence[Path], config: FileDataConfig) -> str:
    """Returns text that is another where a file is.

    It is made of the names and sizes of all files and of what is in them: of all, where that is
    256 MiB or less or ``data.full_digest`` asks for it, otherwise of the first, middle and last
    64 KiB of up to 1,000 of them, evenly spread.

    Args:
        files: The files of `config`, in order.
        config: The source; names are relative to its folder.
    """
    digest = hashlib.blake2b()
    root = Path(config.file)
    sizes = [file.stat().st_size for file in files]
    is_whole = config.full_digest or sum(sizes) <= _MOST_WHOLE_BYTES
    step = 1 if is_whole else -(-len(files) // _MOST_READ)
    for index, (file, size) in enumerate(zip(files, sizes, strict=True)):
        digest.update(f"{file.relative_to(root)} {size}\n".encode())
        if index % step == 0:
            parts = (0, size // 2, size - _CHUNK_BYTES)
            starts = range(0, size, _CHUNK_BYTES) if is_whole else parts
            with file.open("rb") as stream:
                for start in starts:
                    stream.seek(max(start, 0))
                    digest.update(stream.read(_CHUNK_BYTES))
    return digest.hexdigest()


def digest_source_files(config: FileDataConfig) -> str:
    """Returns text that is another where the file of a source, or what its folder holds, is.

    Hidden files, and those in hidden folders, are left out.
    """
    path = Path(config.file)
    if not path.is_dir():
        return digest_files([path], config)
    found = (file for file in path.rglob("*") if file.is_file())
    return digest_files(
        sorted(file for file in found if not _is_hidden(file.relative_to(path))), config
    )


def digest_inputs(config: ExperimentConfig) -> dict[str, str]:
    """Returns the SHA-256 of the files that a run takes beside its data, as labels of the run.

    These are ``pretrained.digest`` and ``feeds.digest``; several files are told apart as one.
    """
    source = config.pretrained.source
    feeds = {one.file for one in flatten_feeds(config.feeds).values() if one.file is not None}
    files = {
        "pretrained": [source] if source is not None and source.endswith(WEIGHT_FILES) else [],
        "feeds": sorted(feeds),
    }
    return {f"{name}.digest": _digest_whole(paths) for name, paths in files.items() if paths}


def _digest_whole(files: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with Path(file).open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def _is_hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)
