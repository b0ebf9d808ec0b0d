"""Decodes pictures in TensorFlow, as ``keras.utils.image_dataset_from_directory`` does."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from models.problems import ConfigError, Problem
from runner.config import ImagesDataConfig
from runner.data.digests import digest_files
from runner.data.examples import Blocks, Examples, LazyColumn
from runner.data.memory import is_streamed
from runner.data.sources.images import (
    IMAGE,
    LABEL,
    MODES,
    find_size,
    has_classes,
    list_classes,
    unreadable,
)

log = logging.getLogger(__name__)

_LEVELS = 255.0


class PictureReader:
    """Reads the pictures of a folder by the places of their files in a list."""

    blocks: Blocks | None = None
    lengths: np.ndarray | None = None

    def __init__(
        self, config: ImagesDataConfig, files: Sequence[Path], size: tuple[int, int]
    ) -> None:
        """Reads nothing yet.

        Args:
            config: How pictures are read.
            files: All pictures.
            size: Height and width in pixels that they have, or are resized to.
        """
        self._config = config
        self._files = files
        self.item_shape = (*size, len(MODES[config.colors]))
        self._names = tf.constant([str(file) for file in files])

    @property
    def by_tensors(self) -> Callable[[Any], Mapping[str, Any]]:
        """A function of the place of a file to its picture."""
        return lambda row: {IMAGE: self._decode(self._names[row])}

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns pictures, (rows, height, width, channels) float32 from 0 to 1.

        Raises:
            ConfigError: With each that cannot be read, or is of another size and is not resized.
        """
        pictures = np.empty((len(rows), *self.item_shape), np.float32)
        decoded = tf.data.Dataset.from_tensor_slices(rows).map(
            lambda row: self._decode(self._names[row]), num_parallel_calls=tf.data.AUTOTUNE
        )
        try:
            for index, picture in enumerate(decoded.as_numpy_iterator()):
                pictures[index] = picture
        except tf.errors.OpError as error:
            problems = [problem for problem in map(self.find_problem, rows) if problem]
            raise ConfigError(problems or [Problem("data.file", str(error))]) from error
        return {IMAGE: pictures}

    def find_readable(self, rows: np.ndarray) -> np.ndarray:
        """Returns those of `rows` whose pictures can be read; reads all, keeps none."""

        def read(row: tf.Tensor) -> tf.Tensor:
            with tf.control_dependencies([self._decode(self._names[row])]):
                return tf.identity(row)

        dataset = tf.data.Dataset.from_tensor_slices(rows)
        read_rows = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
        return np.fromiter(read_rows.as_numpy_iterator(), rows.dtype)

    def find_problem(self, row: int) -> Problem | None:
        """Returns why a picture cannot be read; None if it can."""
        file = self._files[row]
        try:
            self._decode(self._names[row])
        except tf.errors.OpError as error:
            try:
                with Image.open(file) as picture:
                    picture.load()
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as refusal:
                return unreadable(self._config, file, refusal)
            height, width, _ = self.item_shape
            if self._config.size is None and picture.size != (width, height):
                name = file.relative_to(self._config.file)
                message = (
                    f"expected pictures of one size; {name} is {picture.height} by "
                    f"{picture.width}, others are {height} by {width}. "
                    "Set data.size=[HEIGHT,WIDTH] to resize all."
                )
                return Problem("data.size", message)
            return unreadable(self._config, file, error)
        return None

    def digest(self) -> str:
        """Returns text of the names and sizes of all files, and what is in some."""
        return digest_files(self._files, self._config)

    def _decode(self, file: tf.Tensor) -> tf.Tensor:
        height, width, channels = self.item_shape

        def open_bitmap() -> tf.Tensor:
            # TensorFlow knows neither palettes nor other channels of it.
            return tf.numpy_function(self._open_bitmap, [file], tf.uint8)

        def decode() -> tf.Tensor:
            return tf.io.decode_image(content, channels, expand_animations=False)

        content = tf.io.read_file(file)
        is_bitmap = tf.strings.substr(content, 0, 2) == b"BM"
        picture = tf.ensure_shape(tf.cond(is_bitmap, open_bitmap, decode), [None, None, channels])
        if self._config.size is not None:
            picture = tf.image.resize(picture, [height, width], antialias=self._config.antialias)
        picture = tf.ensure_shape(picture, [height, width, channels])
        return tf.cast(picture, tf.float32) / _LEVELS

    def _open_bitmap(self, file: bytes) -> np.ndarray:
        with Image.open(np.asarray(file).item().decode()) as opened:
            picture = np.asarray(opened.convert(MODES[self._config.colors]))
        return picture.reshape(*picture.shape[:2], -1)


def read_images(config: ImagesDataConfig) -> Examples:
    """Returns the pictures, (rows, height, width, channels) float32 from 0 to 1, and their classes.

    Rows are counted over the classes in the order of their names, and in each over its files.
    Pictures that would not fit into memory are read when they are asked for.

    Raises:
        ConfigError: If a picture cannot be read, and that is refused, or is of another size than
            the first where none is configured.
    """
    classes = list_classes(config)
    files = [file for one in classes for file in one]
    labels = np.repeat(np.arange(len(classes)), [len(one) for one in classes])
    size = config.size or find_size(config, classes)
    reader = PictureReader(config, files, (size[0], size[1]))
    rows = np.arange(len(files))
    if config.corrupt == "skip":
        rows = _leave_out_corrupt(reader, rows)
    ids = np.array([str(file.relative_to(config.file)) for file in files], object)[rows]
    column = LazyColumn(reader, IMAGE, rows, reader.item_shape, np.dtype(np.float32))
    labelled = {LABEL: labels[rows]} if has_classes(config) else {}
    examples = Examples({IMAGE: column}, labelled, rows, ids=ids)
    if is_streamed(config, 4 * len(rows) * math.prod(reader.item_shape)):
        return examples
    return examples.take(slice(None))


def _leave_out_corrupt(reader: PictureReader, rows: np.ndarray) -> np.ndarray:
    """Returns the rows of the pictures that can be read; looks at each."""
    kept = reader.find_readable(rows)
    problems = [reader.find_problem(row) for row in np.setdiff1d(rows, kept)]
    other = [problem for problem in problems if problem and problem.path != "data.file"]
    if other:
        raise ConfigError(other)
    if problems:
        log.warning(
            "data: %d of %d pictures cannot be read and are left out", len(problems), len(rows)
        )
    if not len(kept):
        raise ConfigError([Problem("data.file", "expected pictures; none can be read.")])
    return kept
