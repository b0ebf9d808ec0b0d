"""The dataclasses of the Session's options beside the installed TensorFlow's messages."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
import tensorflow as tf
from google.protobuf.descriptor import FieldDescriptor

from runner.config import SessionConfig
from runner.config_proto import (
    ClusterConfig,
    CustomGraphOptimizerConfig,
    JobConfig,
    ThreadPoolOptionConfig,
)
from runner.engine.protos import build_config_proto

OWN = {"device", "deterministic_ops", "tensorflow_log_level"}
NUMBERS = {
    FieldDescriptor.TYPE_INT32: (int, 32),
    FieldDescriptor.TYPE_INT64: (int, 64),
    FieldDescriptor.TYPE_FLOAT: (float, 32),
    FieldDescriptor.TYPE_DOUBLE: (float, 32),
    FieldDescriptor.TYPE_BOOL: (bool, 32),
    FieldDescriptor.TYPE_STRING: (str, 32),
}


def walk(path, config, message):
    """Yields each dataclass below `config` with the message it stands for."""
    yield pytest.param(config, message, id=path)
    hints = get_type_hints(config)
    for name, field in message.fields_by_name.items():
        hint = hints.get(name)
        for part in filter(is_dataclass, (hint, *get_args(hint))):
            yield from walk(f"{path}.{name}", part, field.message_type)


MESSAGES = list(walk("session", SessionConfig, tf.compat.v1.ConfigProto.DESCRIPTOR))


@pytest.mark.parametrize(("config", "message"), MESSAGES)
def test_every_field_of_a_message_is_there_and_no_other(config, message):
    known = {field.name for field in fields(config)}
    assert known - set(message.fields_by_name) == (OWN if config is SessionConfig else set())
    assert set(message.fields_by_name) <= known


@pytest.mark.parametrize(("config", "message"), MESSAGES)
def test_every_field_has_the_type_of_the_messages(config, message):
    hints = get_type_hints(config)
    for field in fields(config):
        if field.name not in OWN:
            described = message.fields_by_name[field.name]
            hint, bits = hints[field.name], field.metadata.get("bits", 32)
            assert (hint, bits) == type_of(described, hint), field.name


@pytest.mark.parametrize(("config", "message"), MESSAGES)
def test_every_enum_has_the_names_of_the_messages(config, message):
    for field in fields(config):
        described = message.fields_by_name.get(field.name)
        if described is not None and described.enum_type is not None:
            names = tuple(value.name for value in described.enum_type.values)
            assert field.metadata["choices"] == names, field.name
        else:
            assert "choices" not in field.metadata


@pytest.mark.parametrize(("config", "message"), MESSAGES)
def test_null_is_the_default_of_every_field(config, message):
    for field in fields(config):
        if field.name not in OWN and field.default_factory is MISSING:
            assert field.default is None, field.name


def type_of(described, hint):
    """Returns the annotation and the bits that stand for a field of a message."""
    message = described.message_type
    if message is not None and message.GetOptions().map_entry:
        key, value = (NUMBERS.get(part.type, (Any, 32))[0] for part in message.fields)
        return dict[key, value], 32
    if message is not None:
        (part,) = filter(is_dataclass, (hint, *get_args(hint)))
        return (list[part] if described.is_repeated else part), 32
    if described.enum_type is not None:
        # YAML reads a bare OFF as false.
        has_off = "OFF" in described.enum_type.values_by_name
        return (str | bool | None if has_off else str | None), 32
    kind, bits = NUMBERS[described.type]
    return (list[kind] if described.is_repeated else kind | None), bits


def test_lists_maps_enums_and_nested_messages_are_converted(compose):
    session = compose().session
    session.session_inter_op_thread_pool = [ThreadPoolOptionConfig(2, "small")]
    session.cluster_def = ClusterConfig([JobConfig("worker", {0: "here:1"})])
    session.device_filters = ["/job:worker"]
    rewriter = session.graph_options.rewrite_options
    rewriter.constant_folding, rewriter.remapping = False, True  # as YAML reads OFF and ON
    rewriter.loop_optimization = "AGGRESSIVE"
    rewriter.custom_optimizers = [
        CustomGraphOptimizerConfig("mine", {"a": True, "b": 1, "c": 0.5, "d": "x"})
    ]
    session.graph_options.optimizer_options.global_jit_level = "ON_1"
    session.experimental.session_metadata.version = 2**40
    proto = build_config_proto(session)
    wanted = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    wanted.session_inter_op_thread_pool.add(num_threads=2, global_name="small")
    wanted.cluster_def.job.add(name="worker", tasks={0: "here:1"})
    wanted.device_filters.append("/job:worker")
    options = wanted.graph_options.rewrite_options
    options.constant_folding = options.OFF
    options.remapping = options.ON
    options.loop_optimization = options.AGGRESSIVE
    parameters = options.custom_optimizers.add(name="mine").parameter_map
    parameters["a"].b, parameters["b"].i, parameters["c"].f, parameters["d"].s = True, 1, 0.5, b"x"
    optimizer = wanted.graph_options.optimizer_options
    optimizer.global_jit_level = optimizer.ON_1
    wanted.experimental.session_metadata.version = 2**40
    assert proto == wanted


def test_an_enum_that_is_zero_and_an_empty_message_are_told_apart(compose):
    session = compose("session.graph_options.optimizer_options.opt_level=L0").session
    assert build_config_proto(session).graph_options.optimizer_options.opt_level == -1
    assert not build_config_proto(compose().session).HasField("graph_options")
