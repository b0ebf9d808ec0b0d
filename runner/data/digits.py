"""The handwritten digits that scikit-learn carries."""

import numpy as np
from sklearn.datasets import load_digits

from runner.data.examples import Examples


def read_digits() -> Examples:
    """Returns 1,797 images of digits, 180 or so of each, with the digit.

    ``image`` is (1797, 8, 8, 1) float32 from 0 (paper) to 1 (ink); ``digit`` is (1797,) int64, and
    ``parity`` likewise, 1 for an odd digit.

    Source: the test part of Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
    Machine Learning Repository (1998), doi:10.24432/C50P49.
    """
    digits = load_digits()
    labels = digits.target.astype(np.int64)
    images = (digits.images / 16.0).astype(np.float32)[..., np.newaxis]
    return Examples(
        features={"image": images},
        labels={"digit": labels, "parity": labels % 2},
        rows=np.arange(len(images)),
    )
