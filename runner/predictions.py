"""Writes predictions to a file as they come: CSV, Parquet or NPZ.

The file gets its name when it is complete; until then it is beside it, as ``FILE.partial``.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from models.problems import ConfigError, Problem
from runner.results import PredictionsResult, PredictionsWritten, Result

# Of a part of a Parquet file that is read at once.
_GROUP_BYTES = 2**24


class _Writer(Protocol):
    """A file that predictions are added to, batch by batch."""

    def write(self, batch: PredictionsResult) -> None:
        """Adds a batch."""

    def close(self) -> None:
        """Writes what is still to be written."""

    def discard(self) -> None:
        """Frees what is still open."""


def write_predictions(results: Iterable[Result], file: Path) -> Iterator[Result]:
    """Yields `results`, but writes the predictions among them to `file` and says so at the end.

    Args:
        results: What a task yields.
        file: ``.csv``, ``.parquet`` or ``.npz``; there only once all is written.

    Raises:
        ConfigError: If it cannot be written.
    """
    partial = file.with_name(f"{file.name}.partial")
    writer = _WRITERS[file.suffix](partial)
    rows = 0
    columns: tuple[str, ...] = ()
    try:
        for result in results:
            if not isinstance(result, PredictionsResult):
                yield result
                continue
            rows, columns = result.rows, tuple(result.columns)
            with _explaining(file):
                writer.write(result)
        with _explaining(file):
            writer.close()
            partial.replace(file)
        yield PredictionsWritten(file, rows, columns)
    finally:
        with suppress(OSError):
            writer.discard()
            partial.unlink(missing_ok=True)


def read_predictions(file: Path) -> dict[str, np.ndarray]:
    """Returns what ``write_predictions`` wrote to `file`: (rows, ...) by the name of a column."""
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    table = csv.read_csv(file) if file.suffix == ".csv" else parquet.read_table(file)
    return {name: _to_array(table[name]) for name in table.column_names}


def _to_array(column: pa.ChunkedArray) -> np.ndarray:
    values = column.combine_chunks()
    shape = [len(values)]
    while pa.types.is_fixed_size_list(values.type):
        shape.append(values.type.list_size)
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(shape)


@contextmanager
def _explaining(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{file} cannot be written: {error.strerror or error}."
        raise ConfigError([Problem("task.file", message)]) from error


class _CsvWriter:
    """Has a column for each number."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: csv.CSVWriter | None = None

    def write(self, batch: PredictionsResult) -> None:
        table = pa.table(dict(_flatten(batch)))
        if self._writer is None:
            options = csv.WriteOptions(quoting_style="needed")
            self._writer = csv.CSVWriter(self._file, table.schema, write_options=options)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    discard = close


class _ParquetWriter:
    """Has a column for each name; one of several axes holds lists."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: parquet.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._bytes = 0

    def write(self, batch: PredictionsResult) -> None:
        table = pa.table(dict(_nest(batch)))
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._file, table.schema)
        self._pending.append(table)
        self._bytes += table.nbytes
        if self._bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        if self._writer is not None:
            self._flush()
        self.discard()

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if self._writer is not None and self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
        self._pending, self._bytes = [], 0


class _NpzWriter:
    """Has an array for each name, each in a file of its own until all are put into one.

    Texts are kept until the end: only then is known how long the longest is.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = file.with_name(f"{file.name}.arrays")
        self._stack = ExitStack()
        self._arrays: dict[str, BinaryIO] = {}
        self._texts: dict[str, list[np.ndarray]] = {}
        self._parts: Mapping[str, tuple[str, ...]] = {}
        self._rows = 0

    def write(self, batch: PredictionsResult) -> None:
        self._rows, self._parts = batch.rows, batch.parts
        for name, array in batch.columns.items():
            if array.dtype.kind in "OU":
                self._texts.setdefault(name, []).append(array.astype(str))
                continue
            if name not in self._arrays:
                self._arrays[name] = self._open(name, array)
            self._arrays[name].write(array.tobytes())

    def _open(self, name: str, array: np.ndarray) -> BinaryIO:
        """Returns the file of an array of as many rows as there are to be."""
        self._folder.mkdir(exist_ok=True)
        file = self._stack.enter_context((self._folder / f"{name}.npy").open("wb"))
        header: dict[str, Any] = np.lib.format.header_data_from_array_1_0(array[:0])
        header |= {"shape": (self._rows, *array.shape[1:]), "fortran_order": False}
        np.lib.format.write_array_header_2_0(file, header)
        return file

    def close(self) -> None:
        self._stack.close()
        texts = {name: np.concatenate(arrays) for name, arrays in self._texts.items()}
        texts |= {f"{name}.names": np.asarray(names) for name, names in self._parts.items()}
        with zipfile.ZipFile(self._file, "w") as archive:
            for name in self._arrays:
                archive.write(self._folder / f"{name}.npy", f"{name}.npy")
            for name, array in texts.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)

    def discard(self) -> None:
        self._stack.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_WRITERS: Mapping[str, Callable[[Path], _Writer]] = {
    ".csv": _CsvWriter,
    ".parquet": _ParquetWriter,
    ".npz": _NpzWriter,
}


def _flatten(batch: PredictionsResult) -> Iterator[tuple[str, pa.Array]]:
    """Yields a column for each place of a value, as ``output.0``."""
    for name, array in batch.columns.items():
        for index in np.ndindex(array.shape[1:]):
            names = batch.parts.get(name)
            places = index if names is None else (names[index[0]],)
            yield ".".join([name, *map(str, places)]), _to_arrow(array[:, *index])


def _nest(batch: PredictionsResult) -> Iterator[tuple[str, pa.Array]]:
    """Yields a column for each name; those of classes are columns of their own."""
    for name, array in batch.columns.items():
        if name in batch.parts:
            for index, part in enumerate(batch.parts[name]):
                yield f"{name}.{part}", _to_arrow(array[:, index])
            continue
        values = _to_arrow(array.ravel())
        for size in reversed(array.shape[1:]):
            values = pa.FixedSizeListArray.from_arrays(values, size)
        yield name, values


def _to_arrow(array: np.ndarray) -> pa.Array:
    return pa.array(np.ascontiguousarray(array))
