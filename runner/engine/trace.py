"""Turns the RunMetadata of a traced step into a timeline."""

from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client.timeline import Timeline


def format_chrome_trace(metadata: config_pb2.RunMetadata) -> str:
    """Returns the timeline as JSON in Chrome's trace format, which Perfetto opens.

    Source: TensorFlow 2.21, ``tf.compat.v1.RunMetadata``.
    """
    timeline = Timeline(metadata.step_stats)
    trace: str = timeline.generate_chrome_trace_format(show_memory=False)
    return trace


def count_operations(metadata: config_pb2.RunMetadata) -> int:
    """Returns how many operations were timed, over all devices."""
    return sum(len(device.node_stats) for device in metadata.step_stats.dev_stats)
