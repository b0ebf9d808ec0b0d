"""Tables that scikit-learn carries, read from its files.

``sklearn.datasets`` has functions for them, but to import it takes 0.8 s, longer than the default
job trains for its first five epochs.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np


def read_table(file: str, *, header_rows: int = 0, delimiter: str | None = ",") -> np.ndarray:
    """Returns the numbers of a table without its header, (rows, columns) float64.

    Args:
        file: A file in ``sklearn/datasets/data``, CSV or CSV in gzip.
        header_rows: How many lines come before the numbers.
        delimiter: What stands between numbers; None for white space.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
    """
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("scikit-learn, which carries the data, is not installed")
    path = Path(spec.origin).parent / "datasets" / "data" / file
    table: np.ndarray = np.loadtxt(path, delimiter=delimiter, skiprows=header_rows)
    return table
