"""Reads TFRecord files by TensorFlow, in memory or record by record."""

import logging
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.lib.io.tf_record import tf_record_random_reader

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import PadConfig, RecordConfig, TFRecordDataConfig
from runner.data.digests import digest_files
from runner.data.examples import Blocks, Examples, LazyColumn, decode_texts
from runner.data.memory import VARYING_LENGTH, is_streamed
from runner.data.ragged import hold_rows, pad_rows
from runner.data.sources.records import list_records

log = logging.getLogger(__name__)

_HINT = "Set data.corrupt=skip to leave out what cannot be read."
_LEVELS = 255.0
_PLAIN = RecordConfig()
_UNPADDED = PadConfig()
# How many are read at once of what is held of all.
_STRETCH_RECORDS = 1024


# (rows, ...), or an array of each row, where their lengths differ.
Values: TypeAlias = np.ndarray | list[np.ndarray]


class RecordReader:
    """Reads records by their numbers, counted over all files."""

    blocks: Blocks | None = None
    lengths: np.ndarray | None = None
    by_tensors = None

    def __init__(self, config: TFRecordDataConfig) -> None:
        """Finds where each record begins, which checks its length.

        Raises:
            ConfigError: If a file is no TFRecord file, or has no record, or one in gzip, which is
                held as a whole, is to be streamed.
        """
        self._config = config
        self._files = list_records(config)
        self._lock = threading.Lock()
        self._random = [
            None if file.suffix == ".gz" else tf_record_random_reader(str(file))
            for file in self._files
        ]
        self._record_bytes = sum(map(_bytes_of, config.features.values()))
        # The records of gzip files.
        self._held: list[bytes] = []
        found = [
            np.fromiter(self._find_records(index), np.int64) for index in range(len(self._files))
        ]
        # (records,) the bytes before each in its file, or where it stands in what is held.
        self._places = np.concatenate(found)
        counts = [len(places) for places in found]
        # (files,) the first record of each.
        self._starts = np.cumsum(counts) - counts
        self._tensors = {**config.features, **config.labels}
        if not len(self):
            raise ConfigError([Problem("data.file", "expected examples; there is no record.")])
        if None in self._random:
            self._refuse_stream(self._files[self._random.index(None)], len(self))

    def __len__(self) -> int:
        """Returns the number of records."""
        return len(self._places)

    @property
    def size(self) -> int:
        """The bytes of the features of all records, as they are declared."""
        return len(self) * self._record_bytes

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns values of records, (rows, ...) by name; what varies is padded.

        Raises:
            ConfigError: With a record that cannot be read, or has not what is declared.
        """
        values = self._read_values(rows, names)
        return {name: self._pad(name, value) for name, value in values.items()}

    def read_all(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns values of as many records as there may be, (rows, ...) by name.

        Of what varies, it is (rows,) objects, an array of each record; but texts and labels are
        padded.

        Raises:
            ConfigError: With a record that cannot be read, or has not what is declared.
        """
        if not names:
            return {}
        starts = range(0, len(rows), _STRETCH_RECORDS)
        read = [
            self._read_values(rows[start : start + _STRETCH_RECORDS], names) for start in starts
        ]
        return {name: self._join(name, [values[name] for values in read]) for name in names}

    def note_lengths(self, rows: np.ndarray, names: Sequence[str]) -> None:
        """Notes the length of each of `rows`, the longest of what varies among `names`."""
        varying = [name for name in names if self._varies(name)]
        if varying:
            read = self.read_all(rows, varying)
            self.lengths = np.zeros(len(self), int)
            for values in read.values():
                self.lengths[rows] = np.maximum(self.lengths[rows], [len(one) for one in values])

    def _read_values(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, Values]:
        serialized = [self._read_record(row) for row in rows]
        try:
            return self._parse(serialized, names)
        except tf.errors.OpError as error:
            for row, record in zip(rows, serialized, strict=True):
                self._check(row, record, names)
            raise ConfigError([Problem("data.file", _reason(error))]) from error

    def find_readable(self, names: Sequence[str]) -> np.ndarray:
        """Returns the rows of the records that have what is declared."""
        readable = (row for row in range(len(self)) if self._is_readable(row, names))
        return np.fromiter(readable, int)

    def digest(self) -> str:
        """Returns text of the names and sizes of all files, and what is in parts of them."""
        return digest_files(self._files, self._config)

    def _is_readable(self, row: int, names: Sequence[str]) -> bool:
        try:
            self.read(np.array([row]), names)
        except ConfigError as error:
            log.warning("%s", error)
            return False
        return True

    def _find_records(self, file: int) -> Iterator[int]:
        """Yields the places of a file's records, up to a corrupt one if that is skipped."""
        index = 0
        try:
            for place in self._find_places(file):
                yield place
                index += 1
        except (tf.errors.OpError, OSError) as error:
            message = (
                f"record {index} of {self._files[file].name}, counted from 0, cannot be read: "
                f"{_reason(error)}."
            )
            if self._config.corrupt == "refuse":
                raise ConfigError([Problem("data.file", f"{message} {_HINT}")]) from error
            log.warning("data: %s It and the rest of the file are left out.", message)

    def _find_places(self, file: int) -> Iterator[int]:
        path, random = self._files[file], self._random[file]
        if random is None:
            self._refuse_stream(path, 0)
            for record in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator():
                self._held.append(record)
                self._refuse_stream(path, len(self._held))
                yield len(self._held) - 1
            return
        place, size = 0, path.stat().st_size
        while place < size:
            _, following = random.read(place)
            yield place
            place = following

    def _refuse_stream(self, file: Path, records: int) -> None:
        """Refuses a gzip file where so many records are streamed.

        Raises:
            ConfigError: If they are.
        """
        if is_streamed(self._config, records * self._record_bytes):
            hint = "It would be held as a whole: write it uncompressed, or set data.stream=false."
            what = "TFRecord without gzip to stream"
            raise ConfigError([expected("data.file", what, file.name, hint)])

    def _find_file(self, row: int) -> int:
        return int(np.searchsorted(self._starts, row, side="right")) - 1

    def _read_record(self, row: int) -> bytes:
        place = int(self._places[row])
        random = self._random[self._find_file(row)]
        if random is None:
            return self._held[place]
        # It keeps its place in the file, and batches are read by several threads.
        with self._lock:
            content: bytes = random.read(place)[0]
        return content

    def _check(self, row: int, serialized: bytes, names: Sequence[str]) -> None:
        file = self._find_file(row)
        for name in names:
            try:
                self._parse([serialized], [name])
            except tf.errors.OpError as error:
                message = (
                    f"{name!r} of record {row - self._starts[file]} of {self._files[file].name}, "
                    f"counted from 0, is not as declared: {_reason(error)}. {_HINT}"
                )
                raise ConfigError([Problem("data.file", message)]) from error

    def _parse(self, serialized: Sequence[bytes], names: Sequence[str]) -> dict[str, Values]:
        declared = {name: self._config.records.get(name, _PLAIN) for name in names}
        spec = {
            record.key or name: self._spec_of(name, record) for name, record in declared.items()
        }
        parsed = tf.io.parse_example(tf.constant(serialized), spec)
        return {
            name: _decode(parsed[record.key or name], self._tensors[name], record)
            for name, record in declared.items()
        }

    def _varies(self, name: str) -> bool:
        """Returns whether the first axis is of another length in each record."""
        shape = self._tensors[name].shape
        is_padded = self._config.pad.get(name, _UNPADDED).length is not None
        return bool(shape) and (shape[0] is None or is_padded)

    def _spec_of(self, name: str, record: RecordConfig) -> Any:
        tensor = self._tensors[name]
        if record.decode is not None:
            return tf.io.FixedLenFeature([], tf.string, record.default)
        if not self._varies(name):
            return tf.io.FixedLenFeature(tensor.shape, tensor.dtype, record.default)
        inner = [tf.io.RaggedFeature.UniformRowLength(axis) for axis in tensor.shape[1:]]
        return tf.io.RaggedFeature(tensor.dtype, record.key or name, inner)

    def _pad(self, name: str, values: Values) -> np.ndarray:
        if isinstance(values, np.ndarray):
            return values
        tensor, pad = self._tensors[name], self._config.pad.get(name, _UNPADDED)
        value = "" if tensor.dtype == "string" else pad.value
        return pad_rows(values, _numpy_dtype(tensor), pad.length, value)

    def _join(self, name: str, parts: Sequence[Values]) -> np.ndarray:
        if all(isinstance(part, np.ndarray) for part in parts):
            return np.concatenate(parts)
        rows = [row for part in parts for row in part]
        if self._tensors[name].dtype == "string" or name in self._config.labels:
            return self._pad(name, rows)
        return hold_rows(rows)


def read_records(config: TFRecordDataConfig) -> Examples:
    """Returns the records of all files, in the order of the names of these.

    Raises:
        ConfigError: If a record cannot be read, or has not what is declared, and that is refused.
    """
    reader = RecordReader(config)
    every = [*config.features, *config.labels]
    rows = reader.find_readable(every) if config.corrupt == "skip" else np.arange(len(reader))
    if not len(rows):
        message = "expected examples; no record is as declared."
        raise ConfigError([Problem("data.file", message)])
    columns = {
        name: LazyColumn(reader, name, rows, tuple(tensor.shape), _numpy_dtype(tensor))
        for name, tensor in config.features.items()
    }
    labels = reader.read_all(rows, list(config.labels))
    if not is_streamed(config, reader.size):
        return Examples(reader.read_all(rows, list(config.features)), labels, rows)
    if config.buckets:
        reader.note_lengths(rows, list(config.features))
    return Examples(columns, labels, rows)


def _decode(
    values: tf.Tensor | tf.RaggedTensor, tensor: TensorConfig, record: RecordConfig
) -> Values:
    if record.decode == "raw":
        flat = tf.io.decode_raw(values, tensor.dtype)
        decoded: np.ndarray = tf.reshape(flat, [-1, *tensor.shape]).numpy()
        return decoded
    if record.decode == "image":
        pictures = [_decode_picture(value, tensor) for value in values]
        return np.stack(pictures)
    if not isinstance(values, tf.RaggedTensor):
        return _to_array(values, tensor)
    ends = np.cumsum(values.row_lengths())
    flat = _to_array(values.flat_values, tensor).reshape(-1, *tensor.shape[1:])
    return np.split(flat, ends[:-1])


def _to_array(values: tf.Tensor, tensor: TensorConfig) -> np.ndarray:
    array: np.ndarray = values.numpy()
    if tensor.dtype == "string":
        return decode_texts(array)
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
    lengths = [VARYING_LENGTH if axis is None else axis for axis in tensor.shape]
    return math.prod(lengths) * _numpy_dtype(tensor).itemsize


def _reason(error: Exception) -> str:
    """Returns what TensorFlow says, without where in TensorFlow."""
    text = str(getattr(error, "message", error)).split("}} ")[-1]
    return text.split(" [Op:")[0].splitlines()[0].rstrip(".")
