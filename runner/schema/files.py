"""JSON Schema of the files under conf/: one of each group, and definitions that they share."""

import json
from collections.abc import Mapping
from pathlib import Path

from models.config import ModelConfig
from runner.config import (
    SCHEMAS,
    DataConfig,
    ExperimentConfig,
    PlanConfig,
    SessionConfig,
    TaskConfig,
    TrackingConfig,
)
from runner.schema.layers import define_layers
from runner.schema.objectives import define_objectives
from runner.schema.objects import define_objects
from runner.schema.records import (
    define_records,
    describe_keys,
    describe_record,
    record_of,
)
from runner.schema.values import PARTIAL, Schema, offer_texts, refer

DEFINITIONS = "definitions"

_RECORDS = {
    "data": DataConfig,
    "model": ModelConfig,
    "plan": PlanConfig,
    "session": SessionConfig,
    "task": TaskConfig,
    "tracking": TrackingConfig,
}
_SELF = "_self_"
_HYDRA = "Settings of Hydra's own."

# definitions, a type, its properties, one of them
_DEEPEST = 4


def build_schemas() -> dict[str, Schema]:
    """Returns the schema of each kind of file by name, and the definitions that they refer to."""
    groups = {group: _group_file(group) for group in _RECORDS}
    definitions = {
        **define_objects(),
        **define_layers(),
        **define_objectives(),
        **define_records(),
        **{f"files.{name}": schema for name, schema in groups.items()},
        "files.optimizer": _optimizer_file(),
        "files.config": _main_file(),
    }
    described = describe_keys(ExperimentConfig)
    return {
        DEFINITIONS: {"definitions": definitions},
        **{name: _top(described[name], name) for name in (*groups, "optimizer")},
        "config": _top(describe_record(ExperimentConfig), "config"),
        "experiment": _top("A set of overrides by name.", "config"),
        "hydra": {"description": _HYDRA, "type": "object"},
    }


def write_schemas(folder: Path) -> list[Path]:
    """Writes each schema to a file of its name, and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in build_schemas().items():
        file = folder / f"{name}.json"
        file.write_text(_format(schema) + "\n", encoding="utf-8")
        files.append(file)
    return files


def _top(description: str, name: str) -> Schema:
    reference = refer(f"files.{name}")["$ref"]
    return {"description": description, "allOf": [{"$ref": f"{DEFINITIONS}.json{reference}"}]}


def _group_file(group: str) -> Schema:
    """Returns the schema of a group's file, whose kind is told by its defaults list."""
    record = _RECORDS[group]
    schemas = [f"/schema_{group}_{kind}@_here_" for kind in SCHEMAS.get(group, ())]
    defaults = {"defaults": _defaults(schemas)}
    if not schemas:
        return {"type": "object", **_record_file(record, [], defaults)}
    chosen = {**record_of(record, PARTIAL, defaults), "required": ["defaults"]}
    for schema, kind in zip(schemas, SCHEMAS[group].values(), strict=True):
        is_kind = {
            "required": ["defaults"],
            "properties": {"defaults": {"contains": {"const": schema}}},
        }
        of_kind = _record_file(kind, [schema], defaults)
        chosen = {"if": is_kind, "then": of_kind, "else": chosen}
    return {"type": "object", **chosen}


def _record_file(record: type, schemas: list[str], defaults: Mapping[str, Schema]) -> Schema:
    """Returns the schema of a file that holds a dataclass: all of it, unless it adds to another."""
    return {
        "if": _is_whole(schemas),
        "then": record_of(record, "", defaults),
        "else": record_of(record, PARTIAL, defaults),
    }


def _is_whole(schemas: list[str]) -> Schema:
    return {"properties": {"defaults": {"items": {"enum": [*schemas, _SELF]}}}}


def _optimizer_file() -> Schema:
    return {
        "type": "object",
        "properties": {"defaults": _defaults([])},
        "if": _is_whole([]),
        "then": refer("optimizers"),
        "else": refer(f"optimizers{PARTIAL}"),
    }


def _main_file() -> Schema:
    hydra = {"description": _HYDRA, "type": "object"}
    return record_of(ExperimentConfig, PARTIAL, {"defaults": _defaults([]), "hydra": hydra})


def _defaults(schemas: list[str]) -> Schema:
    """Returns the schema of a defaults list, for which an editor offers `schemas`."""
    return {
        "description": "The files that this one adds to, and where among them it stands itself.",
        "type": "array",
        "items": {
            "type": ["string", "object"],
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": ["string", "array", "null"]},
            **offer_texts([*schemas, _SELF]),
        },
    }


def _format(value: object, depth: int = 0) -> str:
    """Returns JSON in which what is said of one argument is one line."""
    if not value or depth == _DEEPEST or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        items = [f"{json.dumps(key)}: {_format(item, depth + 1)}" for key, item in value.items()]
    else:
        items = [_format(item, depth + 1) for item in value]
    indent = "\n" + " " * depth
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}{indent} {f',{indent} '.join(items)}{indent}{end}"
