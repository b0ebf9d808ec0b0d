"""What is told of the data of a run with 4 training and 2 test examples."""

import numpy as np

from runner.results import BalanceResult, ExamplesResult, LabelBalance, TensorSummary

BALANCE = BalanceResult(
    {"train": 4, "test": 2},
    (
        LabelBalance(
            "digit",
            ("0", "1"),
            np.empty(0),
            {"train": np.array([3, 1]), "test": np.array([1, 1])},
        ),
        LabelBalance(
            "size",
            (),
            np.array([0.0, 0.5, 1.0]),
            {"train": np.array([4, 0]), "test": np.array([0, 2])},
        ),
    ),
)
EXAMPLES = ExamplesResult(
    (
        TensorSummary("image", False, (2, 2, 1), "float32", None, 0.0, 0.25, 1.0, 0),
        TensorSummary("digit", True, (), "int64", 2, 0.0, 0.5, 1.0, 0),
    ),
    sampled=3,
    total=4,
    rows=np.array([0, 5]),
    features={
        "image": np.array([0.0, 0.2, 0.6, 1.0] * 2, np.float32).reshape(2, 2, 2, 1),
        "numbers": np.array([[0.5, 1.0], [2.0, 3.0]]),
        "text": np.array(["short", "long " * 40], object),
    },
    labels={"digit": np.array([0, 1])},
)
