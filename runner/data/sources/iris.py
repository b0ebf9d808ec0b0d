"""The measurements of irises that scikit-learn carries."""

import numpy as np

from runner.data.examples import Examples
from runner.data.sources.bundled import read_table


def read_iris() -> Examples:
    """Returns 150 irises, 50 of each of three species: setosa, versicolor and virginica.

    ``numbers`` is (150, 4) float32: length and width of sepal and petal in cm; ``species`` is
    (150,) int64.

    Source: Fisher, The use of multiple measurements in taxonomic problems (1936),
    doi:10.1111/j.1469-1809.1936.tb02137.x.
    """
    table = read_table("iris.csv", header_rows=1)
    return Examples(
        features={"numbers": table[:, :-1].astype(np.float32)},
        labels={"species": table[:, -1].astype(np.int64)},
        rows=np.arange(len(table)),
    )
