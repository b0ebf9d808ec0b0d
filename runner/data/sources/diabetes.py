"""The patients with diabetes that scikit-learn carries."""

import numpy as np

from runner.data.examples import Examples
from runner.data.sources.bundled import read_table


def read_diabetes() -> Examples:
    """Returns 442 patients and how far their disease has gone a year later.

    ``numbers`` is (442, 10) float32: age, sex, body mass index, blood pressure and six measurements
    of blood, as they were taken; ``progression`` is (442,) float32, from 25 to 346.

    Source: Efron, Hastie, Johnstone and Tibshirani, Least angle regression (2004),
    doi:10.1214/009053604000000067.
    """
    table = read_table("diabetes_data_raw.csv.gz", delimiter=None)
    progression = read_table("diabetes_target.csv.gz", delimiter=None)
    return Examples(
        features={"numbers": table.astype(np.float32)},
        labels={"progression": progression.astype(np.float32)},
        rows=np.arange(len(table)),
    )
