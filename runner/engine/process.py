"""Decides what a process decides once: its threads, its GPUs, and Keras's eager side in accord.

The first Session or the first eager operation of a process starts the threads within operations
and opens the GPUs, and all later ones have them as they are. To trace a ``tf.function`` is such an
operation, so all of this comes before the graph is built.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import tensorflow as tf

from models.problems import ConfigError, Problem, expected
from runner.config import SessionConfig
from runner.engine.protos import build_config_proto
from runner.engine.session import list_devices, require_device
from runner.session_options import find_idle_options

_ONCE = "it is decided once in a process, which has run another Session"
_VISIBLE = "session.gpu_options.visible_device_list"

# What the first Session of the process was opened with.
_decided: dict[str, Any] = {}


def open_process(config: SessionConfig) -> list[Problem]:
    """Opens this process's devices as configured, and returns what can have no effect.

    Call it before anything is built.

    Raises:
        ConfigError: If a configured device is not there.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if config.deterministic_ops:
        tf.config.experimental.enable_op_determinism()
    refused = list(_set_eager(config, gpus))
    # Its devices are those of all Sessions to come, with options that tf.config does not have.
    proto = build_config_proto(config)
    with closing(tf.compat.v1.Session(graph=tf.Graph(), config=proto)) as session:
        require_device(config.device, list_devices(session))
    late = [path for path in _find_late(config) if path not in refused]
    return [
        *(Problem(path, f"has no effect: {_ONCE}.") for path in [*refused, *late]),
        *find_idle_options(config, len(gpus)),
    ]


def _set_eager(config: SessionConfig, gpus: list[Any]) -> Iterator[str]:
    """Sets what Keras does eagerly in accord with the Session, and yields what came too late."""
    threads = tf.config.threading
    intra, inter = config.intra_op_parallelism_threads, config.inter_op_parallelism_threads
    _try(threads.set_intra_op_parallelism_threads, intra or 0)
    _try(threads.set_inter_op_parallelism_threads, max(inter or 0, 0))
    if config.allow_soft_placement is not None:
        tf.config.set_soft_device_placement(config.allow_soft_placement)
    cpus = config.device_count.get("CPU", 1)
    if cpus > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration() for _ in range(cpus)]
        _try(tf.config.set_logical_device_configuration, cpu, logical)
    if gpus:
        yield from _set_eager_gpus(config, gpus)


def _set_eager_gpus(config: SessionConfig, gpus: list[Any]) -> Iterator[str]:
    options = config.gpu_options
    visible = _choose_visible(config, gpus)
    if not _try(tf.config.set_visible_devices, visible, "GPU"):
        yield _VISIBLE if options.visible_device_list else "session.device_count.GPU"
        return
    divided = options.experimental.virtual_devices
    if divided:
        for gpu, parts in zip(visible, divided, strict=False):
            logical = [
                tf.config.LogicalDeviceConfiguration(memory_limit=limit)
                for limit in parts.memory_limit_mb
            ]
            if not _try(tf.config.set_logical_device_configuration, gpu, logical):
                yield "session.gpu_options.experimental.virtual_devices"
                return
    elif options.allow_growth is not None:
        for gpu in visible:
            if not _try(tf.config.experimental.set_memory_growth, gpu, options.allow_growth):
                yield "session.gpu_options.allow_growth"
                return


def _choose_visible(config: SessionConfig, gpus: list[Any]) -> list[Any]:
    """Returns the GPUs that the Session is to have, in its order."""
    visible = gpus
    listed = config.gpu_options.visible_device_list
    if listed:
        ids = [int(text) for text in listed.split(",")]
        if max(ids) >= len(gpus):
            raise ConfigError([expected(_VISIBLE, f"ids below {len(gpus)}, of the GPUs", listed)])
        visible = [gpus[index] for index in ids]
    return visible[: config.device_count.get("GPU", len(visible))]


def _try(setting: Callable[..., None], *values: Any) -> bool:
    """Returns whether ``tf.config`` took a setting; after first use it refuses changes."""
    try:
        setting(*values)
    except RuntimeError:
        return False
    return True


def _find_late(config: SessionConfig) -> Iterator[str]:
    """Yields what differs from what this process's first Session decided."""
    wanted = {
        "tensorflow_log_level": config.tensorflow_log_level,
    }
    inter = config.inter_op_parallelism_threads or 0
    if not config.use_per_session_threads and not config.session_inter_op_thread_pool:
        wanted["inter_op_parallelism_threads"] = inter
    for name, value in wanted.items():
        # Without threads of its own, a Session needs none of the process's.
        needs_none = name == "inter_op_parallelism_threads" and inter < 0
        if _decided.setdefault(name, value) != value and not needs_none:
            yield f"session.{name}"
    if _decided.get("deterministic_ops") and not config.deterministic_ops:
        yield "session.deterministic_ops"
    _decided["deterministic_ops"] = config.deterministic_ops or _decided.get("deterministic_ops")
