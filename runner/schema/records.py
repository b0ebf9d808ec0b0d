"""JSON Schema of the dataclasses that hold a configuration, described by their docstrings."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import MISSING

from models.config import InputConfig, ModelConfig, TensorConfig
from models.registry import DTYPES
from runner.config import (
    SCHEMAS,
    ColumnConfig,
    DataConfig,
    ExperimentConfig,
    TableDataConfig,
)
from runner.example_weights import BALANCED
from runner.schema.layers import NAMES
from runner.schema.values import PARTIAL, Schema, check_text, offer_texts, refer, value_of

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)
_PLAIN_TYPES: Mapping[object, tuple[list[str], str]] = {
    bool: (["boolean"], "true or false"),
    int: (["integer"], "an integer"),
    float: (["number"], "a number"),
    str: (["boolean", "number", "string"], "a text"),  # OmegaConf makes a text of a number
    NoneType: (["null"], "null"),
}
# What stands under a key, where its type does not say all of it.
_DECLARED: Mapping[tuple[type, str], str] = {
    (ModelConfig, "layers"): "stack",
    (ModelConfig, "loss"): "loss",
    (ModelConfig, "metrics"): "scores",
    (ExperimentConfig, "optimizer"): "optimizers",
}
_WEIGHTS = "balanced, or a mapping of classes to weights"
_FURTHER: Mapping[tuple[type, str], Schema] = {
    (ModelConfig, "inputs"): NAMES,
    (ModelConfig, "outputs"): refer("outputs"),
    (TensorConfig, "dtype"): {
        **offer_texts(DTYPES),
        **check_text(DTYPES, "a dtype such as float32"),
    },
    (TensorConfig, "shape"): {
        "items": {**value_of(["integer", "null"], "a whole number or null"), "minimum": 1}
    },
    (InputConfig, "batch_size"): {"minimum": 1},
    (DataConfig, "preprocess"): {
        **NAMES,
        "additionalProperties": refer(f"stack{PARTIAL}"),
    },
    (DataConfig, "class_weight"): {
        **value_of(["mapping", "string", "null"], _WEIGHTS),
        **offer_texts([BALANCED]),
        **check_text([BALANCED], _WEIGHTS),
        "additionalProperties": {**value_of(["number"], "a number"), "minimum": 0},
    },
    (TableDataConfig, "columns"): {"additionalProperties": refer(f"ColumnConfig{PARTIAL}")},
}
# Keys that a whole model gives, though its dataclass has them empty at first.
_NEEDED = ((ModelConfig, "inputs"), (ModelConfig, "layers"))


def define_records() -> dict[str, Schema]:
    """Returns the definitions of the configuration's dataclasses and of all within them."""
    classes = dict.fromkeys([*_find_records(ExperimentConfig), ColumnConfig])
    for kinds in SCHEMAS.values():
        for kind in kinds.values():
            classes.update(dict.fromkeys(_find_records(kind)))
    return {
        f"{cls.__name__}{suffix}": record_of(cls, suffix)
        for cls in classes
        for suffix in ("", PARTIAL)
    }


def record_of(cls: type, suffix: str, further: Mapping[str, Schema] | None = None) -> Schema:
    """Returns the schema of a dataclass.

    Args:
        cls: The dataclass; one with kinds has the keys of all of them.
        suffix: ``PARTIAL`` for a mapping that is added to another, in which keys may be left out.
        further: Keys that it may have besides.
    """
    kinds = [kind for one in SCHEMAS.values() for kind in one.values() if issubclass(kind, cls)]
    properties: dict[str, Schema] = {}
    for owner in (cls, *kinds):
        for key, schema in _properties_of(owner, suffix):
            properties.setdefault(key, schema)
    record: Schema = {
        "description": describe_record(cls),
        **value_of(["mapping"]),
        "properties": {**properties, **(further or {})},
        "additionalProperties": False,
    }
    required = [] if suffix else [one.name for one in fields(cls) if _is_needed(cls, one)]
    return {**record, "required": required} if required else record


def describe_record(cls: type) -> str:
    """Returns the first sentence of a dataclass's docstring."""
    return _without_markup(inspect.cleandoc(cls.__doc__ or "").partition("\n")[0])


def describe_keys(cls: type) -> dict[str, str]:
    """Returns what the docstrings of a dataclass and of its parents say of each key."""
    return {
        name: _without_markup(" ".join(text.split()))
        for ancestor in reversed(inspect.getmro(cls))
        for name, text in _ATTRIBUTE.findall(inspect.cleandoc(ancestor.__doc__ or ""))
    }


def _without_markup(text: str) -> str:
    return text.replace("``", "`")


def _find_records(hint: Any) -> Iterator[type]:
    """Yields the dataclasses that a type is made of."""
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
        for field_hint in get_type_hints(hint).values():
            yield from _find_records(field_hint)
    for part in get_args(hint):
        yield from _find_records(part)


def _is_needed(cls: type, field: Field[Any]) -> bool:
    """Returns whether a whole mapping gives the key, since nothing else does."""
    if field.default == MISSING or (cls, field.name) in _NEEDED:
        return True
    hint = get_type_hints(cls)[field.name]
    if not (is_dataclass(hint) and isinstance(hint, type)):
        return False
    return any(_is_needed(hint, one) for one in fields(hint))


def _properties_of(cls: type, suffix: str) -> Iterator[tuple[str, Schema]]:
    hints, documented = get_type_hints(cls), describe_keys(cls)
    for field in fields(cls):
        if field.metadata.get("omegaconf_ignore"):
            continue  # no YAML gives it
        described: Schema = {"description": documented.get(field.name, "")}
        if field.default not in (MISSING, NO_DEFAULT):
            described["default"] = field.default
        if "choices" in field.metadata:
            schema = _value_of_choices(field.metadata["choices"], hints[field.name])
        else:
            schema = _value_of_key(cls, field.name, hints[field.name], suffix)
        yield field.name, {**described, **({"allOf": [schema]} if "$ref" in schema else schema)}


def _value_of_key(cls: type, name: str, hint: Any, suffix: str) -> Schema:
    owners = [owner for owner in inspect.getmro(cls) if (owner, name) in _DECLARED]
    if owners:
        return refer(f"{_DECLARED[owners[0], name]}{suffix}")
    further = next(
        (_FURTHER[owner, name] for owner in inspect.getmro(cls) if (owner, name) in _FURTHER), {}
    )
    needed = {"minProperties": 1} if (cls, name) in _NEEDED and not suffix else {}
    return {**_value_of_type(hint, suffix), **further, **needed}


def _value_of_choices(names: Sequence[str], hint: Any) -> Schema:
    """Returns the schema of an enum's value by name, of which YAML reads ON and OFF as booleans."""
    what = f"one of {', '.join(names)}"
    types = ["boolean"] if bool in get_args(hint) else []
    return {
        **value_of([*types, "string", "null"], what),
        **offer_texts(names),
        **check_text(names, what),
    }


def _value_of_type(hint: Any, suffix: str) -> Schema:
    if hint is Any:
        return {}
    if is_dataclass(hint) and isinstance(hint, type):
        return refer(f"{hint.__name__}{suffix}")
    parts = get_args(hint) if get_origin(hint) in (UnionType, Union) else (hint,)
    described = [_describe_type(part, suffix) for part in parts]
    return {
        **value_of(
            [name for types, _, _ in described for name in types],
            " or ".join(what for _, what, _ in described),
        ),
        **{key: value for _, _, within in described for key, value in within.items()},
    }


def _describe_type(hint: Any, suffix: str) -> tuple[list[str], str, Schema]:
    """Returns the YAML types of a type, its noun, and what is said of what is within."""
    if hint in _PLAIN_TYPES:
        return *_PLAIN_TYPES[hint], {}
    if is_dataclass(hint):
        within = _value_of_type(hint, suffix)
        return ["mapping"], "a mapping", {"if": {"type": "object"}, "then": within}
    within = _value_of_type(get_args(hint)[-1], suffix)
    if get_origin(hint) is list:
        return ["list"], "a list", {"items": within}
    return ["mapping"], "a mapping", {"additionalProperties": within}
