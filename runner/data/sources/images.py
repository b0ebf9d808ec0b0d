"""Finds pictures in folders, one a class: PNG, JPEG or BMP."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from models.config import TensorConfig
from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.config import ImagesDataConfig
from runner.data.description import Description

IMAGE = "image"
LABEL = "class"

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
MODES = {"grayscale": "L", "rgb": "RGB"}
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
    classes = list_classes(config)
    height, width = config.size or find_size(config, classes)
    channels = len(MODES[config.colors])
    features = {IMAGE: TensorConfig([height, width, channels], "float32")}
    if not has_classes(config):
        return Description(features, {}, None)
    names = _name_classes(config)
    return Description(features, {LABEL: TensorConfig([], "int64")}, len(names), names)


def _check(config: ImagesDataConfig) -> Iterator[Problem]:
    if config.colors not in MODES:
        yield expected("data.colors", " or ".join(MODES), config.colors)
    if config.corrupt not in ("refuse", "skip"):
        yield expected("data.corrupt", "refuse or skip", config.corrupt)
    if config.size is not None and (len(config.size) != 2 or min(config.size) < 1):
        yield expected("data.size", "a height and a width in pixels, or null", list(config.size))


def list_classes(config: ImagesDataConfig) -> list[list[Path]]:
    """Returns the files of each class, classes and files in the order of their names.

    Of a folder without classes, it is all files as one.
    """
    root = Path(config.file)
    if not has_classes(config):
        return [_list_pictures(root)]
    classes = [_list_pictures(root / name) for name in _name_classes(config)]
    empty = [
        name
        for name, files in zip(_name_classes(config), classes, strict=True)
        if not files and (root / name).is_dir()
    ]
    if empty:
        what = f"pictures ({', '.join(_SUFFIXES)}) in each folder of a class"
        raise ConfigError([expected("data.file", what, f"none in {', '.join(empty)}")])
    return classes


def _name_classes(config: ImagesDataConfig) -> list[str]:
    """Returns the classes in their order: those declared, or the folders by their names."""
    root = Path(config.file)
    folders = sorted(path.name for path in root.glob("*") if path.is_dir())
    if not folders:
        what = "a folder that holds a folder for each class"
        raise ConfigError([expected("data.file", what, config.file)])
    names = list(config.class_names) or folders
    for folder in folders:
        if folder not in names:
            hint = did_you_mean(folder, names)
            what = f"only folders of the declared classes in {root.name}"
            raise ConfigError([expected("data.class_names", what, folder, hint)])
    return names


def has_classes(config: ImagesDataConfig) -> bool:
    """Returns whether there are folders of classes: without, pictures of known classes have none.

    So a trained model tells the classes of pictures that nobody has sorted.
    """
    return not config.class_names or any(path.is_dir() for path in Path(config.file).glob("*"))


def _list_pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)


def find_size(config: ImagesDataConfig, classes: list[list[Path]]) -> tuple[int, int]:
    """Returns the height and width of the first picture that can be opened."""
    for file in (file for files in classes for file in files):
        try:
            with Image.open(file) as picture:
                return picture.height, picture.width
        except (OSError, UnidentifiedImageError) as error:
            if config.corrupt == "refuse":
                raise ConfigError([unreadable(config, file, error)]) from error
    raise ConfigError([Problem("data.file", "expected pictures; none can be read.")])


def unreadable(config: ImagesDataConfig, file: Path, error: Exception) -> Problem:
    """Returns the problem of a picture that cannot be read."""
    name = file.relative_to(config.file)
    return Problem("data.file", f"the picture {name} cannot be read: {error}. {_HINT}")
