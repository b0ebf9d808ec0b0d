"""Tables: CSV and Parquet, read by Arrow; Parquet also while steps are taken."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from models.config import TensorConfig
from models.problems import ConfigError, Problem, expected
from runner.config import TableDataConfig
from runner.data.description import Description, split_columns
from runner.data.digests import digest_files
from runner.data.examples import Blocks, Examples, LazyColumn
from runner.data.memory import is_streamed
from runner.data.missing import choose_rows, warn_of_dropped
from runner.data.sources.arrow import ParquetTable, Table, explain_arrow, forget_tables, open_table
from runner.data.sources.columns import (
    Column,
    choose_columns,
    convert,
    declare_columns,
    fill_missing,
    find_missing,
    group_columns,
    group_labels,
    join,
    join_label,
    label_shape_of,
    shape_of,
)
from runner.example_weights import list_labels

log = logging.getLogger(__name__)

_HINT = "Set data.columns.COLUMN.fill to a value, or data.missing=drop to leave such rows out."
# The share of texts that are no numbers, up to which those are taken for slips.
_FEW_OTHERS = 0.1
# Of what is read of a streamed table in one go, and of what is shuffled at once.
_CHUNK_BYTES = 2**22
_WINDOW_BYTES = 2**25


def describe_table(config: TableDataConfig) -> Description:
    """Returns what becomes of the columns.

    Raises:
        ConfigError: If the file cannot be read, or a column is not as it is declared.
    """
    path = Path(config.file)
    table = open_table(path)
    with explain_arrow(path):
        columns = choose_columns(config, table)
        declared = declare_columns(config, table)
    features = {
        name: TensorConfig(shape_of(parts), parts[0].dtype)
        for name, parts in group_columns(config, columns).items()
    }
    labels = {
        name: TensorConfig(label_shape_of(parts), parts[0].dtype)
        for name, parts in group_labels(config, columns).items()
    }
    names = columns[config.targets[0]].categories if config.targets else ()
    return Description(features, labels, len(names) or None, names, declared)


def read_table(config: TableDataConfig) -> Examples:
    """Returns the rows of the table.

    Raises:
        ConfigError: If the file cannot be read, a value is not as declared, or one is missing and
            that is refused.
    """
    path = Path(config.file)
    table = open_table(path)
    forget_tables()
    with explain_arrow(path):
        columns = choose_columns(config, table)
        for name in (name for name in columns if name not in config.targets):
            _warn_of_numbers(name, table)
        features = group_columns(config, columns)
        size = 4 * table.num_rows * sum(part.width for parts in features.values() for part in parts)
        if not is_streamed(config, size):
            return _read_all(config, columns, table)
        if not isinstance(table, ParquetTable):
            hint = "Write the table as Parquet, or set data.stream=false."
            raise ConfigError([expected("data.file", "Parquet to stream", config.file, hint)])
        sequence = next((one for one in columns.values() if one.is_sequence), None)
        if sequence is not None:
            hint = "Set data.stream=false to hold the table, or the type to ignore."
            what = "another type where the table is streamed"
            place = f"data.columns.{sequence.name}.type"
            raise ConfigError([expected(place, what, "sequence", hint)])
        return _open_stream(config, columns, table)


def _warn_of_numbers(name: str, table: Table) -> None:
    """Warns of a column of texts most of which are numbers: a slip in one cell makes it such."""
    kind = table.type_of(name)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return
    texts = table.find_unique(name).to_pylist()
    others = [text for text in texts if not _is_number(text)]
    if others and len(others) <= _FEW_OTHERS * len(texts):
        log.warning(
            "data: column %r is no column of numbers, since it holds %r; mend it, or set "
            "data.columns.%s.type",
            name,
            others[0],
            name,
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_all(config: TableDataConfig, columns: Mapping[str, Column], table: Table) -> Examples:
    """Returns all rows, in memory."""
    guides = split_columns(config)
    whole = pa.concat_tables(table.scan([*columns, *guides]))
    values, missing = _fill(columns, whole)
    missing |= _find_missing(guides, whole)
    rows = choose_rows(missing, config.missing, _HINT, np.arange(len(whole)))
    if not len(rows):
        raise ConfigError([Problem("data.missing", "expected examples; every row was dropped.")])
    arrays = {
        name: convert(column, values[name].take(pa.array(rows)), rows)
        for name, column in columns.items()
    }
    named = {name: whole[name].to_numpy()[rows] for name in guides}
    return Examples(
        features={
            name: join(parts, [arrays[part.name] for part in parts])
            for name, parts in group_columns(config, columns).items()
        },
        labels=_join_labels(config, columns, arrays),
        rows=rows,
        columns=named,
        ids=None if config.id is None else named[config.id],
    )


def _open_stream(
    config: TableDataConfig, columns: Mapping[str, Column], table: ParquetTable
) -> Examples:
    """Returns all rows, whose features are read when they are asked for."""
    targets = {name: columns[name] for name in list_labels(config)}
    guides = split_columns(config)
    # There may be very many.
    rows = np.arange(table.num_rows, dtype=np.min_scalar_type(-table.num_rows))
    if config.missing == "drop":
        used = [*columns, *guides]
        rows = np.concatenate(list(_find_complete(config, columns, table, used)))
        warn_of_dropped(table.num_rows - len(rows), table.num_rows)
    reader = _TableReader(config, columns, table)
    labels: dict[str, list[np.ndarray]] = {name: [] for name in group_labels(config, targets)}
    named: dict[str, list[np.ndarray]] = {name: [] for name in guides}
    start = 0
    for part in table.scan([*targets, *guides]) if targets or guides else ():
        numbers = np.arange(start, start := start + len(part))
        values, missing = _fill(targets, part)
        missing |= _find_missing(guides, part)
        if config.missing == "refuse":
            choose_rows(missing, "refuse", _HINT, numbers)
        kept = np.isin(numbers, rows, assume_unique=True)
        arrays = {
            name: convert(column, values[name].filter(pa.array(kept)), numbers[kept])
            for name, column in targets.items()
        }
        for name, array in _join_labels(config, targets, arrays).items():
            labels[name].append(array)
        for name in guides:
            named[name].append(part[name].to_numpy()[kept])
    joined = {name: np.concatenate(arrays) for name, arrays in named.items()}
    return Examples(
        features={
            name: LazyColumn(reader, name, rows, tuple(shape_of(parts)), _dtype(parts))
            for name, parts in group_columns(config, columns).items()
        },
        labels={name: np.concatenate(arrays) for name, arrays in labels.items()},
        rows=rows,
        columns=joined,
        ids=None if config.id is None else joined[config.id],
    )


class _TableReader:
    """Reads the features of some rows of a Parquet table."""

    lengths: np.ndarray | None = None
    by_tensors = None

    def __init__(
        self, config: TableDataConfig, columns: Mapping[str, Column], table: ParquetTable
    ) -> None:
        self._config = config
        self._columns = columns
        self._features = group_columns(config, columns)
        self._table = table
        width = 4 * sum(part.width for parts in self._features.values() for part in parts)
        ends, runs = table.cut(max(1, _CHUNK_BYTES // width))
        mean = table.num_rows / len(ends) * width
        self.blocks = Blocks(ends, runs, max(1, int(_WINDOW_BYTES / mean)))

    def read(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Returns features of `rows`, (rows, width) each, or (rows,) of a column of its own.

        Raises:
            ConfigError: If a value is missing, and that is refused, or is not as declared.
        """
        used = [part.name for name in names for part in self._features[name]]
        ends = self.blocks.ends
        chunk = np.searchsorted(ends, rows, side="right")
        read: dict[str, np.ndarray] = {}
        for index in np.unique(chunk):
            places = np.flatnonzero(chunk == index)
            start = ends[index - 1] if index else 0
            with explain_arrow(Path(self._config.file)):
                table = self._table.read_chunk(int(index), used)
            part = table.take(pa.array(rows[places] - start))
            # Chunk by chunk, since what is between takes several times what comes of it.
            for name, values in self._encode(part, rows[places], names).items():
                if name not in read:
                    read[name] = np.empty((len(rows), *values.shape[1:]), values.dtype)
                read[name][places] = values
        return read

    def digest(self) -> str:
        """Returns text of the sizes of the files and what is in some parts of them."""
        path = Path(self._config.file)
        files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        return digest_files(files, self._config)

    def _encode(
        self, table: pa.Table, rows: np.ndarray, names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        columns = {part.name: part for name in names for part in self._features[name]}
        values, missing = _fill(columns, table)
        choose_rows(missing, self._config.missing, _HINT, rows)
        arrays = {name: convert(column, values[name], rows) for name, column in columns.items()}
        return {
            name: join(self._features[name], [arrays[part.name] for part in self._features[name]])
            for name in names
        }


def _join_labels(
    config: TableDataConfig, columns: Mapping[str, Column], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    return {
        name: join_label(parts, [arrays[part.name] for part in parts])
        for name, parts in group_labels(config, columns).items()
    }


def _fill(
    columns: Mapping[str, Column], table: pa.Table
) -> tuple[dict[str, pa.ChunkedArray], dict[str, np.ndarray]]:
    """Returns the values of columns, what is missing filled, and where some still are missing."""
    values = {
        name: table[name] if column.config.fill is None else fill_missing(column, table[name])
        for name, column in columns.items()
    }
    return values, _find_missing(list(columns), values)


def _find_missing(
    names: Sequence[str], table: pa.Table | Mapping[str, pa.ChunkedArray]
) -> dict[str, np.ndarray]:
    """Returns (rows,) whether a value is missing, by a column's name for messages."""
    return {f"column {name!r}": find_missing(table[name]) for name in names}


def _find_complete(
    config: TableDataConfig, columns: Mapping[str, Column], table: Table, used: Sequence[str]
) -> Iterator[np.ndarray]:
    """Yields the rows in which no value is missing, those of a stretch of the table at a time."""
    start = 0
    for part in table.scan(used):
        _, missing = _fill(columns, part)
        missing |= _find_missing(split_columns(config), part)
        yield start + np.flatnonzero(~np.logical_or.reduce(list(missing.values())))
        start += len(part)


def _dtype(parts: Sequence[Column]) -> np.dtype:
    return np.dtype(object if parts[0].dtype == "string" else parts[0].dtype)
