"""Reads TFRecord files by TensorFlow, in memory or record by record."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io.tf_record import tf_record_random_reader

from models.config import TensorConfig
from models.problems import ConfigError, Problem
from runner.config import RecordConfig, TFRecordDataConfig
from runner.data.digests import digest_files
from runner.data.examples import Blocks, Column, Examples, LazyColumn, read_columns
from runner.data.memory import is_streamed
from runner.data.sources.records import list_records

log = logging.getLogger(__name__)

_HINT = "Set data.corrupt=skip to leave out what cannot be read."
_LEVELS = 255.0
_PLAIN = RecordConfig()


@dataclass(frozen=True)
class _Record:
    """Where a record is: its file, and the bytes before it or, in a gzip file, itself."""

    file: int
    index: int
    place: int | bytes


class RecordReader:
    """Reads records by their numbers, counted over all files."""

    blocks: Blocks | None = None
    lengths: np.ndarray | None = None
    by_tensors = None

    def __init__(self, config: TFRecordDataConfig) -> None:
        """Finds where each record begins, which checks its length.

        Raises:
            ConfigError: If a file is no TFRecord file, or has no record.
        """
        self._config = config
        self._files = list_records(config)
        self._lock = threading.Lock()
        self._random = [
            None if file.suffix == ".gz" else tf_record_random_reader(str(file))
            for file in self._files
        ]
        self._records = [
            record for index in range(len(self._files)) for record in self._find_records(index)
        ]
        self._tensors = {**config.features, **config.labels}
        if not self._records:
            raise ConfigError([Problem("data.file", "expected examples; there is no record.")])

    def __len__(self) -> int:
        """Returns the number of records."""
        return len(self._records)

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns values of records, (rows, ...) by name; what varies is padded with zeros.

        Raises:
            ConfigError: With a record that cannot be read, or has not what is declared.
        """
        serialized = [self._read_record(self._records[row]) for row in rows]
        try:
            return self._parse(serialized, names)
        except tf.errors.OpError as error:
            for row, record in zip(rows, serialized, strict=True):
                self._check(self._records[row], record, names)
            raise ConfigError([Problem("data.file", _reason(error))]) from error

    def find_readable(self, names: Sequence[str]) -> np.ndarray:
        """Returns the rows of the records that have what is declared."""
        return np.array([row for row in range(len(self)) if self._is_readable(row, names)], int)

    def digest(self) -> str:
        """Returns text of the names and sizes of all files, and what is in parts of them."""
        path = Path(self._config.file)
        return digest_files(self._files, path)

    def _is_readable(self, row: int, names: Sequence[str]) -> bool:
        try:
            self.read(np.array([row]), names)
        except ConfigError as error:
            log.warning("%s", error)
            return False
        return True

    def _find_records(self, file: int) -> Iterator[_Record]:
        """Yields the records of a file, up to the first that is corrupt if that is skipped."""
        index = 0
        try:
            for index, place in enumerate(self._find_places(file)):
                yield _Record(file, index, place)
                index += 1
        except (tf.errors.OpError, OSError) as error:
            message = (
                f"record {index} of {self._files[file].name}, counted from 0, cannot be read: "
                f"{_reason(error)}."
            )
            if self._config.corrupt == "refuse":
                raise ConfigError([Problem("data.file", f"{message} {_HINT}")]) from error
            log.warning("data: %s It and the rest of the file are left out.", message)

    def _find_places(self, file: int) -> Iterator[int | bytes]:
        random = self._random[file]
        if random is None:
            records = tf.data.TFRecordDataset(str(self._files[file]), "GZIP")
            yield from records.as_numpy_iterator()
            return
        place, size = 0, self._files[file].stat().st_size
        while place < size:
            _, following = random.read(place)
            yield place
            place = following

    def _read_record(self, record: _Record) -> bytes:
        if isinstance(record.place, bytes):
            return record.place
        random = self._random[record.file]
        if random is None:
            raise ValueError("the records of a gzip file are held by their content")
        # It keeps its place in the file, and batches are read by several threads.
        with self._lock:
            content: bytes = random.read(record.place)[0]
        return content

    def _check(self, record: _Record, serialized: bytes, names: Sequence[str]) -> None:
        for name in names:
            try:
                self._parse([serialized], [name])
            except tf.errors.OpError as error:
                message = (
                    f"{name!r} of record {record.index} of {self._files[record.file].name}, "
                    f"counted from 0, is not as declared: {_reason(error)}. {_HINT}"
                )
                raise ConfigError([Problem("data.file", message)]) from error

    def _parse(self, serialized: Sequence[bytes], names: Sequence[str]) -> dict[str, np.ndarray]:
        declared = {name: self._config.records.get(name, _PLAIN) for name in names}
        spec = {
            record.key or name: _spec_of(self._tensors[name], record)
            for name, record in declared.items()
        }
        parsed = tf.io.parse_example(tf.constant(serialized), spec)
        return {
            name: _decode(parsed[record.key or name], self._tensors[name], record)
            for name, record in declared.items()
        }


def read_records(config: TFRecordDataConfig) -> Examples:
    """Returns the records of all files, in the order of the names of these.

    Raises:
        ConfigError: If a record cannot be read, or has not what is declared, and that is refused.
    """
    reader = RecordReader(config)
    every = [*config.features, *config.labels]
    rows = reader.find_readable(every) if config.corrupt == "skip" else np.arange(len(reader))
    columns = {
        name: LazyColumn(reader, name, rows, tuple(tensor.shape), _numpy_dtype(tensor))
        for name, tensor in {**config.features, **config.labels}.items()
    }
    size = len(rows) * sum(_bytes_of(config.features[name]) for name in config.features)
    targets = {name: columns[name] for name in config.labels}
    labels: Mapping[str, Column] = read_columns(targets, slice(None))
    features: Mapping[str, Column] = {name: columns[name] for name in config.features}
    examples = Examples(features, labels, rows)
    return examples if is_streamed(config, size) else examples.take(slice(None))


def _spec_of(tensor: TensorConfig, record: RecordConfig) -> Any:
    if record.decode is not None:
        return tf.io.FixedLenFeature([], tf.string, record.default)
    if tensor.shape and tensor.shape[0] is None:
        return tf.io.FixedLenSequenceFeature(
            tensor.shape[1:], tensor.dtype, allow_missing=True, default_value=record.default
        )
    return tf.io.FixedLenFeature(tensor.shape, tensor.dtype, record.default)


def _decode(values: tf.Tensor, tensor: TensorConfig, record: RecordConfig) -> np.ndarray:
    if record.decode == "raw":
        flat = tf.io.decode_raw(values, tensor.dtype)
        decoded: np.ndarray = tf.reshape(flat, [-1, *tensor.shape]).numpy()
        return decoded
    if record.decode == "image":
        pictures = [_decode_picture(value, tensor) for value in values]
        return np.stack(pictures)
    array: np.ndarray = values.numpy()
    if tensor.dtype == "string":
        return np.char.decode(array.astype(bytes), "utf-8").astype(object)
    return array


def _decode_picture(value: tf.Tensor, tensor: TensorConfig) -> np.ndarray:
    picture = tf.io.decode_image(value, tensor.shape[-1], expand_animations=False)
    picture = tf.ensure_shape(picture, tensor.shape).numpy()
    is_scaled = "float" in tensor.dtype
    scaled: np.ndarray = picture.astype(tensor.dtype) / np.float32(_LEVELS if is_scaled else 1)
    return scaled.astype(tensor.dtype)


def _numpy_dtype(tensor: TensorConfig) -> np.dtype:
    return np.dtype(object if tensor.dtype == "string" else tensor.dtype)


def _bytes_of(tensor: TensorConfig) -> int:
    return int(np.prod([axis or 1 for axis in tensor.shape])) * _numpy_dtype(tensor).itemsize


def _reason(error: Exception) -> str:
    """Returns what TensorFlow says, without where in TensorFlow."""
    text = str(getattr(error, "message", error)).split("}} ")[-1]
    return text.split(" [Op:")[0].splitlines()[0].rstrip(".")
