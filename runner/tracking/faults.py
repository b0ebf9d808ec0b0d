"""Lays out a step in which a value was not finite: a file to replay it, and a table."""

import csv
import io
from pathlib import Path

import numpy as np

from runner.results import FaultResult


def save_fault(result: FaultResult, folder: Path) -> Path:
    """Writes the batch and the weights to a new .npz file in `folder` and returns it."""
    file = folder / f"{result.name}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, allow_pickle=False, **result.arrays)
    return file


def format_statistics(result: FaultResult) -> str:
    """Returns a CSV table of everything in the step, in the order it was made."""
    text = io.StringIO()
    columns = ("kind", "name", "shape", "dtype", "min", "mean", "max", "nan", "infinite")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.statistics)
    return text.getvalue()
