"""Lays out a traced step: tables of its operations and layers, and a chart."""

import csv
import io
from collections import Counter

from runner.results import OTHER_LAYER, TraceResult


def format_operations(trace: TraceResult) -> str:
    """Returns a CSV table: a row an operation, the longest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            "operation",
            "type",
            "layer",
            "pass",
            "device",
            "start_microseconds",
            "microseconds",
            "output_bytes",
            "peak_bytes",
        )
    )
    for one in sorted(trace.operations, key=lambda one: -one.microseconds):
        writer.writerow(
            (
                one.name,
                one.type,
                one.layer,
                "backward" if one.is_backward else "forward",
                one.device,
                one.start_microseconds,
                one.microseconds,
                one.output_bytes,
                one.peak_bytes,
            )
        )
    return text.getvalue()


def format_types(trace: TraceResult) -> str:
    """Returns a CSV table: a row a type of operation, the longest together first."""
    times: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for one in trace.operations:
        times[one.type] += one.microseconds
        counts[one.type] += 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("type", "operations", "microseconds"))
    writer.writerows((kind, counts[kind], time) for kind, time in times.most_common())
    return text.getvalue()


def format_layers(trace: TraceResult) -> str:
    """Returns a CSV table: a row a layer, the longest first, with its share of the time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("layer", "forward_microseconds", "backward_microseconds", "share"))
    for layer in trace.layers:
        times = (layer.forward_microseconds, layer.backward_microseconds)
        writer.writerow((layer.name or OTHER_LAYER, *times, f"{layer.share:.4f}"))
    return text.getvalue()
