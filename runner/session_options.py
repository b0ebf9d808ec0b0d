"""Checks the Session's options, and tells which of them can have no effect; no TensorFlow."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from models.problems import Problem, expected, nearest
from runner.config import SessionConfig
from runner.config_proto import TOGGLE, enum_name

_DEVICE = re.compile(r"(/job:\w+)?(/replica:\d+)?(/task:\d+)?/(device:)?(CPU|GPU|TPU)(:\d+)?", re.I)
_IDS = re.compile(r"(\d+(,\d+)*)?")
_JIT_ON_CPU = "--tf_xla_cpu_global_jit"
# Options that only a server reads: a Session in this process takes them and does nothing.
_OF_SERVERS = (
    "device_filters",
    "rpc_options",
    "cluster_def",
    "isolate_session_state",
    "share_cluster_devices_in_session",
)
_LEAST = {
    "session.intra_op_parallelism_threads": 0,
    "session.inter_op_parallelism_threads": -1,
    "session.operation_timeout_in_ms": 0,
    "session.gpu_options.deferred_deletion_bytes": 0,
    "session.graph_options.optimizer_options.max_folded_constant_in_bytes": 0,
}


def validate_session(session: SessionConfig) -> Iterator[Problem]:
    """Yields what is wrong with the Session's options."""
    if session.device is not None and not _DEVICE.fullmatch(session.device):
        yield expected("session.device", "a device such as '/CPU:0' or '/GPU:0'", session.device)
    if session.tensorflow_log_level not in range(4):
        level = session.tensorflow_log_level
        yield expected("session.tensorflow_log_level", "a level from 0 to 3", level)
    for device_type, count in session.device_count.items():
        path = f"session.device_count.{device_type}"
        if device_type not in ("CPU", "GPU"):
            yield expected(path, "a count for CPU or GPU", device_type)
        elif count < 0:
            yield expected(path, "a number of 0 or more", count)
    yield from _validate_values("session", session)
    gpu = session.gpu_options
    fraction = gpu.per_process_gpu_memory_fraction
    most = float("inf") if gpu.experimental.use_unified_memory else 1
    if fraction is not None and not 0 <= fraction <= most:
        path = "session.gpu_options.per_process_gpu_memory_fraction"
        yield expected(path, "a share from 0 to 1", fraction)
    if gpu.visible_device_list is not None and not _IDS.fullmatch(gpu.visible_device_list):
        path = "session.gpu_options.visible_device_list"
        yield expected(path, "GPU ids such as '0,1'", gpu.visible_device_list)


def _validate_values(path: str, config: Any) -> Iterator[Problem]:
    """Yields the names that an enum does not have, and the numbers that a field cannot hold."""
    for field in fields(config):
        place = f"{path}.{field.name}"
        bits = field.metadata.get("bits", 32)
        for item_place, value in _items(place, getattr(config, field.name)):
            if is_dataclass(value):
                yield from _validate_values(item_place, value)
            elif "choices" in field.metadata:
                yield from _validate_choice(item_place, value, field.metadata["choices"])
            elif isinstance(value, int) and not isinstance(value, bool):
                yield from _validate_number(item_place, value, bits)


def _items(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields each thing that a field gives, with its place."""
    if isinstance(value, list):
        yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, Mapping):
        yield from ((f"{path}.{key}", item) for key, item in value.items())
    elif value is not None:
        yield path, value


def _validate_choice(path: str, value: str | bool, choices: tuple[str, ...]) -> Iterator[Problem]:
    if enum_name(value) in choices:
        return
    near = nearest(value, choices)
    hint = f"Did you mean {near!r}?" if near is not None else ""
    yield expected(path, f"one of {', '.join(choices)}", value, hint)


def _validate_number(path: str, value: int, bits: int) -> Iterator[Problem]:
    least, most = _LEAST.get(path, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1
    if value < least:
        yield expected(path, f"a number of {least} or more", value)
    elif value > most:
        yield expected(path, f"a number of at most {most}", value)


def find_idle_options(session: SessionConfig, gpus: int) -> Iterator[Problem]:
    """Yields the options that can have no effect, each with the reason.

    Args:
        session: Options in which ``validate_session`` found nothing.
        gpus: How many GPUs TensorFlow sees.
    """
    yield from _find_idle_threads(session)
    yield from _find_idle_gpu_options(session, gpus)
    for name in _OF_SERVERS:
        for path, _ in _given(f"session.{name}", getattr(session, name)):
            yield _idle(path, "the Session is in this process, not on a server")
    yield from _find_idle_graph_options(session, gpus)


def _find_idle_threads(session: SessionConfig) -> Iterator[Problem]:
    pools = session.session_inter_op_thread_pool
    if not pools:
        return
    reason = "session.session_inter_op_thread_pool says which threads to use"
    if session.use_per_session_threads:
        yield _idle("session.use_per_session_threads", reason)
    if session.inter_op_parallelism_threads and pools[0].num_threads:
        yield _idle("session.inter_op_parallelism_threads", reason)
    for index in range(1, len(pools)):
        path = f"session.session_inter_op_thread_pool[{index}]"
        yield _idle(path, "every step runs in the first pool")


def _find_idle_gpu_options(session: SessionConfig, gpus: int) -> Iterator[Problem]:
    if session.device_count.get("GPU") == 0:
        reason = "session.device_count.GPU is 0"
    elif gpus == 0:
        reason = "no GPU is visible"
    else:
        return
    for path, _ in _given("session.gpu_options", session.gpu_options):
        yield _idle(path, reason)


def _find_idle_graph_options(session: SessionConfig, gpus: int) -> Iterator[Problem]:
    path = "session.graph_options"
    if gpus == 0 or session.device_count.get("GPU") == 0:
        yield from _find_idle_jit(f"{path}.optimizer_options", session)
    rewriter = session.graph_options.rewrite_options
    if rewriter.disable_meta_optimizer:
        reason = f"{path}.rewrite_options.disable_meta_optimizer is true"
        for field in fields(rewriter):
            is_toggle = field.metadata.get("choices") == TOGGLE
            if is_toggle and getattr(rewriter, field.name) is not None:
                yield _idle(f"{path}.rewrite_options.{field.name}", reason)


def _find_idle_jit(path: str, session: SessionConfig) -> Iterator[Problem]:
    """Yields a level of XLA that is another on a CPU, where ``cpu_global_jit`` alone decides."""
    optimizer = session.graph_options.optimizer_options
    by_flag = _JIT_ON_CPU in os.environ.get("TF_XLA_FLAGS", "")
    level = optimizer.global_jit_level
    if level in ("ON_1", "ON_2") and not optimizer.cpu_global_jit and not by_flag:
        reason = f"there is no GPU, and {path}.cpu_global_jit is not true"
        yield _idle(f"{path}.global_jit_level", reason)
    if level in ("OFF", False) and optimizer.cpu_global_jit:
        reason = f"{path}.cpu_global_jit compiles at any level"
        yield _idle(f"{path}.global_jit_level", reason)


def _given(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yields each single value that was given below `path`; a list counts as one."""
    if is_dataclass(value):
        for field in fields(value):
            yield from _given(f"{path}.{field.name}", getattr(value, field.name))
    elif value is not None and value != []:
        yield path, value


def _idle(path: str, reason: str) -> Problem:
    return Problem(path, f"has no effect: {reason}.")
