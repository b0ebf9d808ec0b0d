"""What becomes of the columns of a table.

A column is numeric, categorical, text or a sequence. Numeric ones, and categorical ones as a 1
among zeros, stand side by side in one feature, ``numbers``, unless a column names another; a
categorical one may also be an index, and text is as it is, each a feature of its own, as is a
sequence, whose rows are lists of numbers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.config import (
    COLUMN_TYPES,
    ENCODINGS,
    UNDECLARED,
    ColumnConfig,
    SeriesDataConfig,
    TableDataConfig,
)
from runner.data.description import check_columns, split_columns
from runner.data.memory import VARYING_LENGTH
from runner.data.ragged import hold_rows
from runner.data.sources.arrow import Table
from runner.example_weights import list_labels

NUMBERS = "numbers"

# A text of so many values or fewer is taken for a category.
_MOST_CATEGORIES = 100


@dataclass(frozen=True)
class Column:
    """A column and what becomes of it.

    Attributes:
        name: The column's name.
        config: What is declared of it; where nothing is, what was inferred.
        categories: The values of a categorical column in the order of their indices.
        item_dtype: The dtype of the numbers of a sequence.
    """

    name: str
    config: ColumnConfig
    categories: tuple[str, ...] = ()
    item_dtype: str = "float32"

    @property
    def is_sequence(self) -> bool:
        """Whether its values are lists of numbers."""
        return self.config.type == "sequence"

    @property
    def is_index(self) -> bool:
        """Whether it is a category by its index."""
        return self.config.type == "categorical" and self.config.encoding == "index"

    @property
    def is_one_hot(self) -> bool:
        """Whether it is a category by a 1 among zeros."""
        return self.config.type == "categorical" and not self.is_index

    @property
    def feature(self) -> str:
        """The feature that it is part of."""
        is_alone = self.is_index or self.is_sequence or self.config.type == "text"
        return self.config.feature or (self.name if is_alone else NUMBERS)

    @property
    def label(self) -> str:
        """The label that it is part of, where it is a target."""
        return self.config.label or self.name

    @property
    def dtype(self) -> str:
        """The dtype of what becomes of it."""
        if self.config.type == "text":
            return "string"
        if self.is_sequence:
            return self.item_dtype
        return "int64" if self.is_index else "float32"

    @property
    def width(self) -> int:
        """How many numbers it is in its feature; of a sequence, about how many."""
        if self.is_sequence:
            return VARYING_LENGTH
        return len(self.categories) if self.is_one_hot else 1


def choose_columns(config: TableDataConfig, table: Table) -> dict[str, Column]:
    """Returns the columns that are used, in the order of the features that they are part of."""
    names = table.names
    problems = [*_check_names(config, names), *_check_columns(config)]
    if problems:
        raise ConfigError(problems)
    columns = _read_all(config, table)
    used = {column.name: column for column in columns if column.config.type != "ignore"}
    problems += _check_targets(config, used, table)
    problems += _check_sequences(config, used, table)
    problems += _check_features(config, used)
    if problems:
        raise ConfigError(problems)
    return used


def declare_columns(config: TableDataConfig, table: Table) -> dict[str, dict[str, Any]]:
    """Returns all columns as ``data.columns`` declares them, with nothing left to be inferred."""
    return {column.name: _declare(column) for column in _read_all(config, table)}


def _read_all(config: TableDataConfig, table: Table) -> list[Column]:
    """Returns the columns that no split is made by, also those that are not used."""
    names = table.names
    if config.undeclared == "ignore":
        declared = dict.fromkeys([*config.columns, *list_labels(config)])
        names = [name for name in declared if name in names]
    return [
        _read_column(config, table, name) for name in names if name not in split_columns(config)
    ]


def _declare(column: Column) -> dict[str, Any]:
    kept = asdict(column.config).items()
    declared = {key: value for key, value in kept if value not in (None, "one_hot")}
    return {**declared, "categories": list(column.categories)} if column.categories else declared


def _check_names(config: TableDataConfig, names: Sequence[str]) -> Iterator[Problem]:
    for index, target in enumerate(config.targets):
        if target not in names:
            hint = did_you_mean(target, names)
            if config.undeclared == "ignore":
                hint = f"{hint} Where nothing is to be compared with, set data.targets=[]."
            yield expected(f"data.targets[{index}]", "a column of the table", target, hint)
    yield from check_columns(config, names, "a column of the table")
    for name, declared in config.columns.items():
        is_ignored = isinstance(declared, dict) and declared.get("type") == "ignore"
        if name not in names and not is_ignored:
            hint = did_you_mean(name, names)
            yield expected(f"data.columns.{name}", "a column of the table", name, hint)


def _check_columns(config: TableDataConfig) -> Iterator[Problem]:
    if config.undeclared not in UNDECLARED:
        yield expected("data.undeclared", " or ".join(UNDECLARED), config.undeclared)
    known = [field.name for field in fields(ColumnConfig)]
    for name, declared in config.columns.items():
        path = f"data.columns.{name}"
        if not isinstance(declared, dict):
            yield expected(path, f"a mapping of {', '.join(known)}", declared)
            continue
        for key in declared:
            if key not in known:
                hint = did_you_mean(key, known)
                yield expected(f"{path}.{key}", "a key of columns", key, hint)
        kind, encoding = declared.get("type"), declared.get("encoding", "one_hot")
        if kind is not None and kind not in COLUMN_TYPES:
            hint = did_you_mean(kind, COLUMN_TYPES)
            yield expected(f"{path}.type", "a type of columns", kind, hint)
        if kind == "ignore" and name in config.targets:
            yield expected(f"{path}.type", "another type for a target", kind)
        elif kind not in (None, "numeric") and name == config.sample_weight:
            yield expected(f"{path}.type", "numeric, since data.sample_weight names it", kind)
        if encoding not in ENCODINGS:
            yield expected(f"{path}.encoding", " or ".join(ENCODINGS), encoding)
        for key in ("feature", "label"):
            if not isinstance(declared.get(key), str | None):
                yield expected(f"{path}.{key}", "a name", declared[key])
        if declared.get("label") is not None:
            yield from _check_label(config, name, declared)
        if not isinstance(declared.get("categories"), list | None):
            yield expected(f"{path}.categories", "a list of values", declared["categories"])


def _check_label(
    config: TableDataConfig, name: str, declared: Mapping[str, Any]
) -> Iterator[Problem]:
    path = f"data.columns.{name}"
    if name not in config.targets:
        what = f"null, since {name!r} is not among data.targets"
        yield expected(f"{path}.label", what, declared["label"])
    if declared.get("type") not in (None, "numeric"):
        what = "numeric for a target that stands in a label beside others"
        yield expected(f"{path}.type", what, declared["type"])


def _check_targets(
    config: TableDataConfig, columns: Mapping[str, Column], table: Table
) -> Iterator[Problem]:
    for index, target in enumerate(config.targets):
        place = f"data.targets[{index}]"
        if target in split_columns(config):
            yield expected(place, "a column that neither data.split nor data.id names", target)
        elif target not in columns:
            what = f"a column of numbers or texts, not of {table.type_of(target)}"
            hint = "Write it as a number, or declare its column categorical."
            yield expected(place, what, target, hint)


def _check_features(config: TableDataConfig, columns: Mapping[str, Column]) -> Iterator[Problem]:
    features = group_columns(config, columns)
    if not features and not isinstance(config, SeriesDataConfig):
        yield Problem("data.columns", "expected a column that is no target; there is none.")
    for name, parts in features.items():
        for part in parts[1:]:
            if part.dtype != parts[0].dtype:
                place = f"data.columns.{part.name}.feature"
                what = f"another feature, since {parts[0].name!r} of it is {parts[0].dtype}"
                yield expected(place, what, name)
        sequence = next((part for part in parts if part.is_sequence), None)
        if len(parts) > 1 and sequence is not None:
            what = "a feature that no other column names, since it is a sequence"
            yield expected(f"data.columns.{sequence.name}.feature", what, name)


def _check_sequences(
    config: TableDataConfig, columns: Mapping[str, Column], table: Table
) -> Iterator[Problem]:
    for name, column in columns.items():
        if not column.is_sequence:
            continue
        path, kind = f"data.columns.{name}", table.type_of(name)
        if not _is_sequence(kind):
            hint = "CSV has no lists: write Parquet." if pa.types.is_string(kind) else ""
            what = "another type, since it has no lists of integers or floats"
            yield expected(f"{path}.type", what, column.config.type, hint)
        if name in config.targets:
            yield expected(f"{path}.type", "another type for a target", column.config.type)
        if column.config.fill is not None:
            what = "null, since nothing stands for a sequence"
            hint = "Set data.missing=drop to leave such rows out."
            yield expected(f"{path}.fill", what, column.config.fill, hint)


def _read_column(config: TableDataConfig, table: Table, name: str) -> Column:
    declared = ColumnConfig(**config.columns.get(name, {}))
    is_target = name in config.targets
    is_weight = name == config.sample_weight and not is_target
    kind = declared.type or (
        "numeric" if is_weight else _infer(table, name, is_target and declared.label is None)
    )
    encoding = "index" if is_target else declared.encoding
    settled = replace(declared, type=kind, encoding=encoding)
    if kind == "sequence":
        return Column(name, settled, item_dtype=_item_dtype(table.type_of(name)))
    if kind != "categorical":
        return Column(name, settled)
    if declared.categories is not None:
        return Column(name, settled, tuple(map(str, declared.categories)))
    found = table.find_unique(name)
    # Numbers in their order, not in that of their digits.
    ordered = found.take(pc.sort_indices(found)).cast(pa.string()).to_pylist()
    if declared.fill is not None and str(declared.fill) not in ordered:
        ordered.append(str(declared.fill))
    return Column(name, settled, tuple(ordered))


def _infer(table: Table, name: str, is_target: bool) -> str:
    kind = table.type_of(name)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numeric"
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "categorical" if is_target else "numeric"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        most = min(_MOST_CATEGORIES, max(2, table.num_rows // 2))
        return "categorical" if is_target or len(table.find_unique(name)) <= most else "text"
    if _is_sequence(kind):
        return "sequence"
    return "numeric" if pa.types.is_null(kind) else "ignore"


def _is_list(kind: pa.DataType) -> bool:
    is_any: bool = (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
    return is_any


def _is_sequence(kind: pa.DataType) -> bool:
    """Returns whether values are lists of integers or of floats."""
    return _is_list(kind) and (
        pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)
    )


def _item_dtype(kind: pa.DataType) -> str:
    is_integer = _is_list(kind) and pa.types.is_integer(kind.value_type)
    return "int64" if is_integer else "float32"


def group_columns(
    config: TableDataConfig, columns: Mapping[str, Column]
) -> dict[str, list[Column]]:
    """Returns the columns of each feature, in the order of the table."""
    features: dict[str, list[Column]] = {}
    for name, column in columns.items():
        if name not in list_labels(config):
            features.setdefault(column.feature, []).append(column)
    return features


def group_labels(config: TableDataConfig, columns: Mapping[str, Column]) -> dict[str, list[Column]]:
    """Returns the columns of each label, in the order of the targets."""
    labels: dict[str, list[Column]] = {}
    for name in list_labels(config):
        labels.setdefault(columns[name].label, []).append(columns[name])
    return labels


def label_shape_of(parts: Sequence[Column]) -> list[int | None]:
    """Returns the shape of a label that is made of some targets."""
    return [] if parts[0].config.label is None else [len(parts)]


def shape_of(parts: Sequence[Column]) -> list[int | None]:
    """Returns the shape of a feature that is made of some columns."""
    if parts[0].is_sequence:
        return [None]
    is_single = len(parts) == 1 and parts[0].feature == parts[0].name
    return [] if is_single else [sum(part.width for part in parts)]


def fill_missing(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the values of a column, its fill in the place of those that are missing."""
    fill = column.config.fill
    if column.config.type != "numeric":
        return values.cast(pa.string()).fill_null(str(fill))
    try:
        number = float(fill)
    except (TypeError, ValueError):
        problem = expected(f"data.columns.{column.name}.fill", "a number", fill)
        raise ConfigError([problem]) from None
    numbers = _to_numbers(column, values, np.arange(len(values)))
    return pa.chunked_array([np.where(np.isnan(numbers), number, numbers)])


def find_missing(values: pa.ChunkedArray) -> np.ndarray:
    """Returns (rows,) whether a value is missing, or one of its list."""
    missing: np.ndarray = values.is_null(nan_is_null=True).to_numpy().copy()
    if _is_list(values.type):
        lists = _to_lists(values)
        within = pc.list_flatten(lists).is_null(nan_is_null=True)
        missing[pc.list_parent_indices(lists).filter(within)] = True
    return missing


def convert(column: Column, values: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    """Returns (rows,) float64 numbers, int64 indices, texts, or an array of each list."""
    if column.is_sequence:
        lists = _to_lists(values)
        ends = np.cumsum(pc.list_value_length(lists).to_numpy())
        numbers = pc.list_flatten(lists).to_numpy().astype(column.dtype)
        return hold_rows(np.split(numbers, ends[:-1]))
    if column.config.type == "numeric":
        return _to_numbers(column, values, rows)
    texts = values.cast(pa.string())
    if column.config.type == "text":
        return np.asarray(texts.to_pylist(), dtype=object)
    indices = pc.index_in(texts, value_set=pa.array(column.categories, pa.string()))
    if indices.null_count:
        place = int(np.flatnonzero(indices.is_null().to_numpy())[0])
        what = f"one of the categories in row {rows[place]}, counted from 0"
        hint = did_you_mean(texts[place].as_py(), column.categories)
        path = f"data.columns.{column.name}.categories"
        raise ConfigError([expected(path, what, texts[place].as_py(), hint)])
    array: np.ndarray = indices.to_numpy().astype(np.int64)
    return array


def _to_lists(values: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def _to_numbers(column: Column, values: pa.ChunkedArray, rows: np.ndarray) -> np.ndarray:
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowException as error:
        for row, value in zip(rows, values.to_pylist(), strict=True):
            try:
                float(0 if value is None else value)
            except (TypeError, ValueError):
                what = f"a number in row {row}, counted from 0"
                problem = expected(f"data.columns.{column.name}", what, value)
                raise ConfigError([problem]) from error
        message = f"it cannot be made numbers: {error}"
        raise ConfigError([Problem(f"data.columns.{column.name}", message)]) from error
    array: np.ndarray = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
    return array


def join(parts: Sequence[Column], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (rows, width), or (rows,) where the feature is the column itself."""
    if parts[0].is_sequence:
        return arrays[0]
    encoded = [
        np.eye(part.width, dtype=np.float32)[array] if part.is_one_hot else array[:, np.newaxis]
        for part, array in zip(parts, arrays, strict=True)
    ]
    dtype = object if parts[0].dtype == "string" else parts[0].dtype
    joined: np.ndarray = np.concatenate(encoded, axis=1).astype(dtype)
    return joined if shape_of(parts) else joined[:, 0]


def join_label(parts: Sequence[Column], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Returns (rows, targets) float32, or (rows,) where the label is the target itself."""
    if label_shape_of(parts):
        return np.stack(arrays, axis=1).astype(np.float32)
    (column,), (array,) = parts, arrays
    return array if column.dtype == "string" else array.astype(column.dtype)
