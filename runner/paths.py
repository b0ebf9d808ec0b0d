"""Writes paths as a person at the command line would."""

from pathlib import Path


def show_path(path: Path) -> Path:
    """Returns `path` relative to the current folder where it lies within."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
