"""Lays out what weights were loaded, and why others were not."""

import csv
import io

from runner.results import PretrainedResult


def format_loaded(result: PretrainedResult) -> str:
    """Returns a CSV table: a row a weight of the model, then one a weight that it has no place for.

    ``state`` is ``loaded``, ``initialized`` for a weight that was left as it was drawn, or
    ``unused``; ``reason`` is why it was not loaded.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["weight", "shape", "dtype", "state", "reason"])
    for weights, otherwise in ((result.weights, "initialized"), (result.others, "unused")):
        for weight in weights:
            state = otherwise if weight.reason else "loaded"
            shape = "x".join(map(str, weight.shape))
            writer.writerow([weight.name, shape, weight.dtype, state, weight.reason])
    return text.getvalue()
