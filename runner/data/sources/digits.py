"""The handwritten digits that scikit-learn carries."""

import numpy as np

from runner.data.examples import Examples
from runner.data.sources.bundled import read_table


def read_digits() -> Examples:
    """Returns 1,797 images of digits, 180 or so of each, with the digit.

    ``image`` is (1797, 8, 8, 1) float32 from 0 (paper) to 1 (ink); ``digit`` is (1797,) int64, and
    ``parity`` likewise, 1 for an odd digit.

    Source: the test part of Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
    Machine Learning Repository (1998), doi:10.24432/C50P49.
    """
    table = read_table("digits.csv.gz")
    labels = table[:, -1].astype(np.int64)
    images = (table[:, :-1].reshape(-1, 8, 8, 1) / 16.0).astype(np.float32)
    return Examples(
        features={"image": images},
        labels={"digit": labels, "parity": labels % 2},
        rows=np.arange(len(images)),
    )
