"""Tables as Arrow reads them: whole, or a stretch of rows at a time."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from models.problems import ConfigError, Problem, expected

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")

# Of the pages of a Parquet file that are read in one go.
_BUFFER_BYTES = 2**16
# Row groups that are open at once: a window may end in one and begin in another.
_MOST_CURSORS = 3


class Table(Protocol):
    """A table of named columns.

    Attributes:
        names: The columns, in order.
        num_rows: How many rows there are.
    """

    names: list[str]
    num_rows: int

    def type_of(self, name: str) -> pa.DataType:
        """Returns the type of a column's values."""

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yields all rows of some columns, a stretch at a time, in order."""

    def find_unique(self, name: str) -> pa.Array:
        """Returns the different values of a column, those that are missing left out."""


class MemoryTable:
    """A table that is held in memory."""

    def __init__(self, table: pa.Table) -> None:
        """Holds `table`."""
        self.names: list[str] = table.column_names
        self.num_rows: int = table.num_rows
        self._table = table

    def type_of(self, name: str) -> pa.DataType:
        """Returns the type of a column's values."""
        return self._table.schema.field(name).type

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yields some columns, all rows at once."""
        yield self._table.select(list(names))

    def find_unique(self, name: str) -> pa.Array:
        """Returns the different values of a column, those that are missing left out."""
        return pc.unique(self._table[name].drop_null())


@dataclass(frozen=True)
class _Chunk:
    """A stretch of rows within a row group."""

    file: int
    group: int
    index: int
    rows: int
    is_last: bool


class ParquetTable:
    """A Parquet file, or a folder of them, read a stretch of rows at a time."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Reads what the files say of themselves."""
        self._files = [_open_parquet(file) for file in files]
        self.schema = self._files[0].schema_arrow
        for file, other in zip(files[1:], self._files[1:], strict=True):
            if not other.schema_arrow.equals(self.schema):
                message = f"expected the columns of {files[0].name} in {file.name} too."
                raise ConfigError([Problem("data.file", message)])
        self.names: list[str] = self.schema.names
        self.num_rows = sum(file.metadata.num_rows for file in self._files)
        self.chunks: list[_Chunk] = []
        self._lock = threading.Lock()
        # By row group and columns: the chunk that comes next, and what gives it.
        self._cursors: OrderedDict[object, tuple[int, Iterator[pa.Table]]] = OrderedDict()

    def type_of(self, name: str) -> pa.DataType:
        """Returns the type of a column's values."""
        kind = self.schema.field(name).type
        return kind.value_type if pa.types.is_dictionary(kind) else kind

    def scan(self, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yields all rows of some columns, a row group at a time, in order."""
        for file in self._files:
            for group in range(file.metadata.num_row_groups):
                yield _decode(file.read_row_group(group, list(names)))

    def find_unique(self, name: str) -> pa.Array:
        """Returns the different values of a column, those that are missing left out."""
        found = pa.array([], self.type_of(name))
        for part in self.scan([name]):
            values = pc.unique(part[name].drop_null())
            found = pc.unique(pa.chunked_array([found, values]))
        return found

    def cut(self, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Cuts the table into chunks of up to `rows` rows, none of two row groups.

        Returns:
            (chunks,) the row after the last one of each, and (chunks,) its row group, counted over
            all files.
        """
        self.chunks = []
        runs: list[int] = []
        for index, file in enumerate(self._files):
            for group in range(file.metadata.num_row_groups):
                left = file.metadata.row_group(group).num_rows
                runs += [runs[-1] + 1 if runs else 0] * -(-left // rows)
                count = -(-left // rows)
                self.chunks += [
                    _Chunk(index, group, place, min(rows, left - place * rows), place == count - 1)
                    for place in range(count)
                ]
        return np.cumsum([chunk.rows for chunk in self.chunks]), np.array(runs)

    def read_chunk(self, index: int, names: Sequence[str]) -> pa.Table:
        """Returns some columns of a chunk; those of a row group are read in order."""
        chunk = self.chunks[index]
        key = (chunk.file, chunk.group, tuple(names))
        with self._lock:
            following, stretches = self._cursors.pop(key, (chunk.index + 1, iter(())))
            if following > chunk.index:
                following, stretches = 0, self._open_group(chunk, names)
            for _ in range(chunk.index - following):
                next(stretches)
            table = next(stretches)
            if not chunk.is_last:
                self._cursors[key] = (chunk.index + 1, stretches)
            if len(self._cursors) > _MOST_CURSORS:
                self._cursors.popitem(last=False)
        return table

    def _open_group(self, chunk: _Chunk, names: Sequence[str]) -> Iterator[pa.Table]:
        """Yields the chunks of a row group, in order."""
        sizes = [
            one.rows for one in self.chunks if (one.file, one.group) == (chunk.file, chunk.group)
        ]
        batches = self._files[chunk.file].iter_batches(
            batch_size=max(sizes), row_groups=[chunk.group], columns=list(names)
        )
        rest: list[pa.RecordBatch] = []
        for size in sizes:
            # Arrow may give less than is asked for.
            while sum(map(len, rest)) < size:
                rest.append(next(batches))
            table = pa.Table.from_batches(rest)
            rest = table.slice(size).to_batches()
            yield _decode(table.slice(0, size))


def open_table(path: Path) -> Table:
    """Returns the table in a file, or in a folder of Parquet files.

    Raises:
        ConfigError: If there is none, it cannot be read, has no row or two columns of one name.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file() or not files[0].name.endswith(SUFFIXES):
        what = f"a file, {', '.join(SUFFIXES)}, or a folder of .parquet"
        raise ConfigError([expected("data.file", what, str(path))])
    with explain_arrow(path):
        if files[0].suffix == ".parquet":
            table: Table = ParquetTable(files)
        else:
            state = path.stat()
            table = MemoryTable(_read_once(path, state.st_mtime_ns, state.st_size))
    if not table.num_rows:
        raise ConfigError([Problem("data.file", f"expected examples; {path.name} has no row.")])
    twice = [name for name in set(table.names) if table.names.count(name) > 1]
    if twice:
        message = f"expected columns of different names; {path.name} has {twice[0]!r} twice."
        raise ConfigError([Problem("data.file", message)])
    return table


def forget_tables() -> None:
    """Frees the table that was read last."""
    _read_once.cache_clear()


@contextmanager
def explain_arrow(path: Path) -> Iterator[None]:
    """Turns what Arrow raises in the block into a ConfigError that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        message = f"{path.name} cannot be read: {error}"
        raise ConfigError([Problem("data.file", message)]) from error


def _open_parquet(file: Path) -> parquet.ParquetFile:
    return parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)


def _decode(table: pa.Table) -> pa.Table:
    """Returns `table` with the values of columns that Arrow keeps by their indices."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            values = table[index].cast(field.type.value_type)
            table = table.set_column(index, field.name, values)
    return table


@lru_cache(maxsize=1)
def _read_once(path: Path, mtime_ns: int, size: int) -> pa.Table:
    """Returns a table, which is asked for once to be described and once to be read."""
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    return csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )
