"""Lines of text with labels: a file for each class, or one with the label in front of each line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.config import TensorConfig
from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.config import TextDataConfig
from runner.data.description import Description
from runner.data.examples import Batch

TEXT = "text"
LABEL = "class"

_SUFFIX = ".txt"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class _Line:
    """A line that is not blank, and the number of it in its file, from 1."""

    file: Path
    number: int
    text: str


def describe_text(config: TextDataConfig) -> Description:
    """Returns the classes that the files have.

    Raises:
        ConfigError: If there is no text, a line cannot be decoded, or has no label where it needs
            one.
    """
    names = _name_classes(config, (label for label, _ in _read(config)))
    return Description(
        {TEXT: TensorConfig([], "string")},
        {LABEL: TensorConfig([], "int64")},
        len(names),
        names,
    )


def read_text(config: TextDataConfig) -> Batch:
    """Returns the lines, (rows,) texts, and their classes.

    Rows are counted without blank lines, over the files in the order of their names.

    Raises:
        ConfigError: If there is no text, a line cannot be decoded, has no label where it needs one,
            or one that is not of ``data.class_names``.
    """
    read = list(_read(config))
    names = _name_classes(config, (label for label, _ in read))
    index = {name: place for place, name in enumerate(names)}
    for label, line in read:
        if label not in index:
            what = f"one of the classes in {_place(line)}"
            problem = expected("data.class_names", what, label, did_you_mean(label, names))
            raise ConfigError([problem])
    return Batch(
        {TEXT: np.array([line.text for _, line in read], object)},
        {LABEL: np.array([index[label] for label, _ in read], np.int64)},
        np.arange(len(read)),
        ids=np.array([f"{line.file.name}:{line.number}" for _, line in read], object),
    )


def _name_classes(config: TextDataConfig, labels: Iterable[str]) -> Sequence[str]:
    return list(config.class_names) or sorted(set(labels))


def _read(config: TextDataConfig) -> Iterator[tuple[str, _Line]]:
    """Yields the label of each line, and the line without it."""
    path = Path(config.file)
    if path.is_dir():
        files = sorted(path.glob(f"*{_SUFFIX}"))
        if not files:
            what = f"a folder that holds a {_SUFFIX} file for each class"
            raise ConfigError([expected("data.file", what, config.file, _hint_at(path))])
        for file in files:
            yield from ((file.stem, line) for line in _read_lines(file))
    elif path.is_file() and path.suffix == _SUFFIX:
        for line in _read_lines(path):
            yield _part(line, config.delimiter)
    else:
        what = f"a {_SUFFIX} file, or a folder that holds one for each class"
        raise ConfigError([expected("data.file", what, config.file)])


def _read_lines(file: Path) -> Iterator[_Line]:
    content = file.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    is_empty = True
    for number, line in enumerate(content.splitlines(), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            message = f"{file.name}, line {number}, is no UTF-8: {error.reason}."
            raise ConfigError([Problem("data.file", message)]) from error
        if text.strip():
            is_empty = False
            yield _Line(file, number, text)
    if is_empty:
        raise ConfigError([Problem("data.file", f"expected text; {file.name} has none.")])


def _part(line: _Line, delimiter: str) -> tuple[str, _Line]:
    label, found, text = line.text.partition(delimiter)
    if not found or not label.strip():
        what = f"a label, {delimiter!r} and a text in {_place(line)}"
        hint = "Set data.delimiter to what stands between them."
        raise ConfigError([expected("data.delimiter", what, line.text, hint)])
    return label.strip(), _Line(line.file, line.number, text)


def _place(line: _Line) -> str:
    return f"{line.file.name}, line {line.number}"


def _hint_at(path: Path) -> str:
    """Returns what to do with a folder that holds a folder for each class."""
    if not any(path.glob(f"*/*{_SUFFIX}")):
        return ""
    return f"Put the texts of each folder in it into one {_SUFFIX} file of its name, a line each."
