"""Lays out how long a model takes to answer: as a table and as metrics."""

import csv
import io
from collections.abc import Mapping

from runner.results import BatchLatency, BenchmarkResult

PERCENTS = (50, 90, 99)


def format_latencies(result: BenchmarkResult) -> str:
    """Returns a CSV table, a row a size of batch, times in microseconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*(f"p{percent}" for percent in PERCENTS), "mean", "examples_per_second"]
    writer.writerow(["batch_size", "calls", *names, "plan"])
    for each in result.latencies:
        values = [f"{value:.6g}" for value in summarize_latency(each).values()]
        writer.writerow([each.batch_size, len(each.microseconds), *values, each.plan])
    return text.getvalue()


def summarize_latency(latency: BatchLatency) -> Mapping[str, float]:
    """Returns the percentiles and the mean in microseconds, and examples a second, by name."""
    return {
        **{f"p{percent}_us": latency.percentile(percent) for percent in PERCENTS},
        "mean_us": float(latency.microseconds.mean()),
        "examples_per_second": latency.examples_per_second,
    }
