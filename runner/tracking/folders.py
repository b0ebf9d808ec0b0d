"""Says where a run's folder is so that no home shows, and finds it again."""

import hashlib
from pathlib import Path

from runner.resolved import FILE

# The tag that holds it.
FOLDER = "folder"

_PROJECT = Path(__file__).resolve().parents[2]
_HOME = "~"
_LETTERS = 16


def place_folder(folder: Path) -> str:
    """Returns the place of `folder`: from the project where it is in it, else from home or root."""
    folder = folder.resolve()
    if folder.is_relative_to(_PROJECT):
        return str(folder.relative_to(_PROJECT))
    home = Path.home()
    if folder.is_relative_to(home):
        return f"{_HOME}/{folder.relative_to(home)}"
    return str(folder)


def locate_folder(place: str) -> Path:
    """Returns the path of what ``place_folder`` gave, on this machine."""
    if place.startswith(f"{_HOME}/"):
        return Path.home() / place.removeprefix(f"{_HOME}/")
    return _PROJECT / place


def digest_folder(folder: Path) -> str:
    """Returns what tells `folder` from all others of its machine, without its path."""
    return hashlib.sha256(bytes(folder.resolve())).hexdigest()[:_LETTERS]


def is_run_folder(folder: Path) -> bool:
    """Returns whether `folder` is one that a run, or a sweep, was started in."""
    try:
        if not folder.is_dir():
            return False
    except OSError:
        # Too long for a path, it is something else.
        return False
    return any((folder / name).exists() for name in (FILE, ".hydra", "multirun.yaml"))
