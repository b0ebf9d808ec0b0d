"""The measurements of tumours that scikit-learn carries."""

import numpy as np

from runner.data.examples import Examples
from runner.data.sources.bundled import read_table

_MEASUREMENTS = 10


def read_breast_cancer() -> Examples:
    """Returns 569 tumours, of which 357 are benign.

    ``mean``, ``error`` and ``worst`` are (569, 10) float32 in the units of the source; ``benign``
    is (569,) int64.

    Source: Street, Wolberg and Mangasarian, Nuclear feature extraction for breast tumor diagnosis
    (1993), doi:10.1117/12.148698.
    """
    table = read_table("breast_cancer.csv", header_rows=1)
    tumours = table[:, :-1].astype(np.float32)
    groups = np.split(tumours, [_MEASUREMENTS, 2 * _MEASUREMENTS], axis=1)
    return Examples(
        features=dict(zip(("mean", "error", "worst"), groups, strict=True)),
        labels={"benign": table[:, -1].astype(np.int64)},
        rows=np.arange(len(tumours)),
    )
