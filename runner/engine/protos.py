"""Turns configured options into the protobuf messages that TensorFlow takes."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from tensorflow.core.framework.attr_value_pb2 import AttrValue
from tensorflow.core.protobuf import config_pb2

from runner.config import SessionConfig
from runner.config_proto import enum_name


def build_config_proto(config: SessionConfig) -> config_pb2.ConfigProto:
    """Returns the ``ConfigProto`` that `config` declares; null fields keep TensorFlow's default."""
    proto = config_pb2.ConfigProto()
    fill_message(proto, config)
    return proto


def fill_message(message: Any, config: Any) -> None:
    """Sets what `config` gives in the fields of `message` that have its names.

    Args:
        message: A protobuf message.
        config: A dataclass; null, empty lists and empty mappings give nothing.
    """
    known = message.DESCRIPTOR.fields_by_name
    for name in (field.name for field in fields(config)):
        value = getattr(config, name)
        if value is None or name not in known:
            continue
        if is_dataclass(value):
            _fill_nested(getattr(message, name), value)
        elif isinstance(value, Mapping):
            _fill_map(getattr(message, name), value)
        elif isinstance(value, list):
            _fill_list(getattr(message, name), value)
        elif known[name].enum_type is not None:
            number = known[name].enum_type.values_by_name[enum_name(value)].number
            setattr(message, name, number)
        else:
            setattr(message, name, value)


def _fill_nested(message: Any, config: Any) -> None:
    given = type(message)()
    fill_message(given, config)
    if given.ByteSize():
        message.CopyFrom(given)


def _fill_map(entries: Any, values: Mapping[Any, Any]) -> None:
    for key, value in values.items():
        if hasattr(
            entries, "get_or_create"
        ):  # a map to messages, of which AttrValue is the only one
            entries[key].CopyFrom(_attr_value(value))
        else:
            entries[key] = value


def _fill_list(items: Any, values: Iterable[Any]) -> None:
    for value in values:
        if is_dataclass(value):
            fill_message(items.add(), value)
        else:
            items.append(value)


def _attr_value(value: bool | int | float | str) -> AttrValue:
    match value:
        case bool():
            return AttrValue(b=value)
        case int():
            return AttrValue(i=value)
        case float():
            return AttrValue(f=value)
    return AttrValue(s=str(value).encode())
