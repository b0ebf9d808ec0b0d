"""The analyses of wines that scikit-learn carries."""

import numpy as np

from runner.data.examples import Examples
from runner.data.sources.bundled import read_table


def read_wine() -> Examples:
    """Returns 178 wines of three cultivars, of which there are 59, 71 and 48.

    ``numbers`` is (178, 13) float32: alcohol, acids, ash, phenols, colour and more, in the units of
    the source; ``cultivar`` is (178,) int64.

    Source: Aeberhard and Forina, Wine, UCI Machine Learning Repository (1992),
    doi:10.24432/C5PC7J.
    """
    table = read_table("wine_data.csv", header_rows=1)
    return Examples(
        features={"numbers": table[:, :-1].astype(np.float32)},
        labels={"cultivar": table[:, -1].astype(np.int64)},
        rows=np.arange(len(table)),
    )
