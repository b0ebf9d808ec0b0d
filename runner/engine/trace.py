"""Reads the RunMetadata of a traced step: a timeline, its operations, their layers and memory."""

import re
from collections.abc import Iterator, Mapping

from tensorflow.core.framework import step_stats_pb2
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client.timeline import Timeline

from runner.engine.errors import find_layer
from runner.results import OperationTime, TraceResult

_TYPE = re.compile(r"= (?P<type>\w+)\(")
_BACKWARD = ("gradient_tape", "gradients")
# Of one GPU, TensorFlow lists when operations were launched, and here when they ran.
_STREAM = "/stream:all"


def read_trace(
    name: str, metadata: config_pb2.RunMetadata, places: Mapping[str, str], top: int
) -> TraceResult:
    """Returns what TensorFlow noted of a step.

    Args:
        name: What was traced.
        metadata: What a Session filled in for it.
        places: The calls of layers, by which operations are grouped.
        top: How many layers a chart is to show.

    Source: TensorFlow 2.21, ``tf.compat.v1.RunMetadata`` and ``StepStats``.
    """
    timeline = Timeline(metadata.step_stats)
    analysis = timeline.analyze_step_stats(show_dataflow=True, show_memory=True)
    peaks = analysis.allocator_maximums
    return TraceResult(
        name=name,
        chrome_trace=analysis.chrome_trace.format_to_string(),
        operations=tuple(_read_operations(metadata.step_stats, places)),
        peak_bytes={name: int(peak.num_bytes) for name, peak in peaks.items() if peak.num_bytes},
        partition_graphs=tuple(map(str, metadata.partition_graphs)),
        top=top,
    )


def _read_operations(
    stats: step_stats_pb2.StepStats, places: Mapping[str, str]
) -> Iterator[OperationTime]:
    devices = [device.device for device in stats.dev_stats]
    start = min(
        (node.all_start_micros for device in stats.dev_stats for node in device.node_stats),
        default=0,
    )
    for device in stats.dev_stats:
        base, _, stream = device.device.partition("/stream:")
        if (stream and stream != "all") or (not stream and f"{base}{_STREAM}" in devices):
            continue
        for node in device.node_stats:
            operation, _, _ = node.node_name.partition(":")
            label = _TYPE.search(node.timeline_label)
            yield OperationTime(
                name=operation,
                type=label["type"] if label else "",
                layer=find_layer([operation], places) or "",
                is_backward=any(part in operation.split("/") for part in _BACKWARD),
                device=base.rpartition("device:")[2],
                start_microseconds=node.all_start_micros - start,
                microseconds=node.op_end_rel_micros - node.op_start_rel_micros,
                output_bytes=sum(
                    output.tensor_description.allocation_description.requested_bytes
                    for output in node.output
                ),
                peak_bytes=sum(memory.peak_bytes for memory in node.memory),
            )
