"""Models in files, which ``file:`` names: what kind each is and what it takes. No TensorFlow."""

import zipfile
from enum import Enum
from pathlib import Path

from models.problems import Problem, expected
from models.registry import Argument, Signature


class FileKind(Enum):
    """The kinds of files that hold a model."""

    KERAS = "a .keras file"
    SAVED_MODEL = "a SavedModel folder"
    GRAPH_DEF = "a frozen graph in a .pb file"


# What each kind takes beside ``file``.
FILE_ARGUMENTS: dict[FileKind, dict[str, Argument]] = {
    FileKind.KERAS: {},
    FileKind.SAVED_MODEL: {"signature": Argument(("string",))},
    FileKind.GRAPH_DEF: {
        "inputs": Argument(("list", "mapping")),
        "outputs": Argument(("list", "mapping", "string"), required=True),
    },
}


def read_file_signature(path: str, file: object) -> tuple[str, Signature] | Problem:
    """Returns what a layer made from `file` takes, or why it cannot be made.

    Args:
        path: The place of `file` in the configuration.
        file: The path of a file or folder.
    """
    kind = find_kind(file) if isinstance(file, str) else None
    if kind is None:
        what = f"{FileKind.KERAS.value}, {FileKind.SAVED_MODEL.value} or {FileKind.GRAPH_DEF.value}"
        hint = ""
        if isinstance(file, str) and not Path(file).exists():
            hint = f"There is nothing at {Path(file).absolute()}."
        return expected(path, what, file, hint)
    arguments = {"file": Argument(("string",)), **FILE_ARGUMENTS[kind]}
    return f"{kind.value}", Signature("", arguments, ("inputs", "*"))


def find_kind(file: str) -> FileKind | None:
    """Returns the kind of model that `file` holds, None if none."""
    path = Path(file)
    if path.is_file() and zipfile.is_zipfile(path):
        return FileKind.KERAS
    if (path / "saved_model.pb").is_file():
        return FileKind.SAVED_MODEL
    if path.is_file() and path.suffix == ".pb":
        return FileKind.GRAPH_DEF
    return None
