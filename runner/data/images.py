"""Pictures in folders, one a class: PNG, JPEG or BMP."""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import ImagesDataConfig
from runner.data.description import Description
from runner.data.examples import Examples

IMAGE = "image"
LABEL = "class"

log = logging.getLogger(__name__)

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_MODES = {"grayscale": "L", "rgb": "RGB"}
_LEVELS = 255
_HINT = "Set data.corrupt=skip to leave such files out."


def describe_images(config: ImagesDataConfig) -> Description:
    """Returns the shape of the pictures and how many classes there are.

    Where no size is configured, it is that of the first picture.

    Raises:
        ConfigError: If there are no classes with pictures in them, or none can be read.
    """
    problems = list(_check(config))
    if problems:
        raise ConfigError(problems)
    classes = _list_classes(config)
    height, width = config.size or _find_size(config, classes)
    channels = len(_MODES[config.colors])
    return Description(
        {IMAGE: TensorConfig([height, width, channels], "float32")},
        {LABEL: TensorConfig([], "int64")},
        len(classes),
    )


def read_images(config: ImagesDataConfig) -> Examples:
    """Returns the pictures, (rows, height, width, channels) float32 from 0 to 1, and their classes.

    Rows are counted over the classes in the order of their names, and in each over its files.

    Raises:
        ConfigError: If a picture cannot be read, and that is refused, or is of another size than
            the first where none is configured.
    """
    classes = _list_classes(config)
    files = [file for one in classes for file in one]
    labels = np.repeat(np.arange(len(classes)), [len(one) for one in classes])
    size = config.size or _find_size(config, classes)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = list(pool.map(_read, files, repeat(config), repeat(tuple(size))))
    problems = [one for one in read if isinstance(one, Problem)]
    fatal = [one for one in problems if one.path != "data.file" or config.corrupt == "refuse"]
    if fatal:
        raise ConfigError(fatal)
    rows = np.array([row for row, one in enumerate(read) if not isinstance(one, Problem)], int)
    if problems:
        log.warning(
            "data: %d of %d pictures cannot be read and are left out", len(problems), len(files)
        )
    if not len(rows):
        raise ConfigError([Problem("data.file", "expected pictures; none can be read.")])
    pictures = np.stack([read[row] for row in rows])
    return Examples({IMAGE: pictures}, {LABEL: labels[rows]}, rows)


def _check(config: ImagesDataConfig) -> Iterator[Problem]:
    if config.colors not in _MODES:
        yield expected("data.colors", " or ".join(_MODES), config.colors)
    if config.corrupt not in ("refuse", "skip"):
        yield expected("data.corrupt", "refuse or skip", config.corrupt)
    if config.size is not None and (len(config.size) != 2 or min(config.size) < 1):
        yield expected("data.size", "a height and a width in pixels, or null", list(config.size))


def _list_classes(config: ImagesDataConfig) -> list[list[Path]]:
    """Returns the files of each class, classes and files in the order of their names."""
    root = Path(config.file)
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    if not folders:
        what = "a folder that holds a folder for each class"
        raise ConfigError([expected("data.file", what, config.file)])
    classes = [
        sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
        for folder in folders
    ]
    empty = [folder.name for folder, files in zip(folders, classes, strict=True) if not files]
    if empty:
        what = f"pictures ({', '.join(_SUFFIXES)}) in each folder of a class"
        raise ConfigError([expected("data.file", what, f"none in {', '.join(empty)}")])
    return classes


def _find_size(config: ImagesDataConfig, classes: list[list[Path]]) -> tuple[int, int]:
    """Returns the height and width of the first picture that can be opened."""
    for file in (file for files in classes for file in files):
        try:
            with Image.open(file) as picture:
                return picture.height, picture.width
        except (OSError, UnidentifiedImageError) as error:
            if config.corrupt == "refuse":
                raise ConfigError([_unreadable(config, file, error)]) from error
    raise ConfigError([Problem("data.file", "expected pictures; none can be read.")])


def _read(file: Path, config: ImagesDataConfig, size: tuple[int, int]) -> np.ndarray | Problem:
    """Returns a picture, (height, width, channels) float32, or why it cannot be read."""
    height, width = size
    try:
        with Image.open(file) as opened:
            picture = opened.convert(_MODES[config.colors])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return _unreadable(config, file, error)
    if picture.size != (width, height):
        if config.size is None:
            name = file.relative_to(config.file)
            message = (
                f"expected pictures of one size; {name} is {picture.height} by {picture.width}, "
                f"others are {height} by {width}. Set data.size=[HEIGHT,WIDTH] to resize all."
            )
            return Problem("data.size", message)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    array: np.ndarray = np.asarray(picture, np.float32).reshape(height, width, -1) / _LEVELS
    return array


def _unreadable(config: ImagesDataConfig, file: Path, error: Exception) -> Problem:
    name = file.relative_to(config.file)
    return Problem("data.file", f"the picture {name} cannot be read: {error}. {_HINT}")
