"""Lays out what a model costs: as a table, as JSON, and as metrics."""

import csv
import io
import json
from typing import Any

from models.shapes import format_shape
from runner.results import InspectResult, LayerCost


def summarize_costs(result: InspectResult) -> dict[str, float]:
    """Returns the sums over all layers by name; operations of unknown cost are counted beside."""
    totals = result.totals
    return {
        **{name: float(number) for name, number in _numbers(totals).items()},
        "unknown_operations": float(sum(totals.unknown.values())),
        "varying_outputs": float(totals.varying_outputs),
    }


def format_costs_csv(result: InspectResult) -> str:
    """Returns a CSV table, a row a call of a layer, in order, and the totals in the last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("name", "type", "output_shapes"),
            *_numbers(result.totals),
            *("unknown_operations", "varying_outputs"),
        ]
    )
    for layer in (*result.layers, result.totals):
        unknown = " ".join(f"{count} {name}" for name, count in sorted(layer.unknown.items()))
        shapes = ", ".join(map(format_shape, layer.output_shapes))
        numbers = _numbers(layer).values()
        writer.writerow([layer.name, layer.type, shapes, *numbers, unknown, layer.varying_outputs])
    return text.getvalue()


def format_costs_json(result: InspectResult) -> str:
    """Returns all of `result` and its totals as JSON; null stands for an axis that varies."""
    described = {
        "batch_size": result.batch_size,
        "inputs": result.inputs,
        "outputs": result.outputs,
        "layers": [_describe(layer) for layer in result.layers],
        "totals": {**_numbers(result.totals), **_uncertain(result.totals)},
        "flops_by_operation": dict(sorted(result.flops_by_operation.items())),
    }
    return json.dumps(described, indent=2) + "\n"


def _describe(layer: LayerCost) -> dict[str, Any]:
    return {
        "name": layer.name,
        "type": layer.type,
        "sources": layer.sources,
        "output_shapes": layer.output_shapes,
        **_numbers(layer),
        **_uncertain(layer),
    }


def _numbers(layer: LayerCost) -> dict[str, int]:
    return {
        "trained_parameters": layer.trained_parameters,
        "frozen_parameters": layer.frozen_parameters,
        "flops": layer.flops,
        "activation_bytes": layer.activation_bytes,
        "parameter_bytes": layer.parameter_bytes,
    }


def _uncertain(layer: LayerCost) -> dict[str, Any]:
    return {
        "unknown_operations": dict(sorted(layer.unknown.items())),
        "varying_outputs": layer.varying_outputs,
    }
