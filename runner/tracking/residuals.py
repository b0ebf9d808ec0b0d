"""Lays out how far the numbers that a model gives are off."""

from runner.results import RegressResult
from runner.tracking.rows import format_rows
from runner.tracking.table import format_cell


def format_residuals(result: RegressResult) -> str:
    """Returns a CSV table: a row an example that is far off, the furthest first."""
    rows = zip(result.shown_rows, result.shown_actual, result.shown_predicted, strict=True)
    return format_rows(
        ("row", result.label, "predicted", "error"),
        (
            [row, format_cell(actual), format_cell(predicted), format_cell(predicted - actual)]
            for row, actual, predicted in rows
        ),
    )
