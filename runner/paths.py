"""Writes paths as a person at the command line would."""

import re
from pathlib import Path

# As what is redacted has it: a path, or that of ``file://`` or ``sqlite:///``.
_HOME = re.compile(r"(?:^|(?<=://)|(?<=:///))~(?=/)")


def show_path(path: Path) -> Path:
    """Returns `path` relative to the current folder where it lies within."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def expand_path(text: str) -> str:
    """Returns `text` with the home folder written out where it, or an address, begins with it."""
    return _HOME.sub(lambda _: str(Path.home()), text)


def expand_argument(text: str) -> str:
    """Returns an override with the home folder written out where its value begins with ``~/``.

    Neither a shell nor Hydra does so, and commands are shown with the home folder as ``~``.
    """
    key, equals, value = text.partition("=")
    return f"{key}{equals}{expand_path(value)}"
