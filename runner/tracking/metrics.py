"""Names the numbers and the arrays of a run as they are logged."""

from collections.abc import Iterator

import numpy as np

from runner.results import (
    FetchResult,
    LearningRateResult,
    Result,
    SplitResult,
    StepsResult,
    StopResult,
    WeightsResult,
)
from runner.tracking.table import archive_of

# What the metrics below begin with.
REPEATABLE = (
    "all/",
    "best_step",
    "fetch/",
    "learning_rate",
    "step/",
    "test/",
    "train/",
    "validation/",
)


def list_metrics(result: Result) -> Iterator[tuple[str, int, float]]:
    """Yields name, step and value of each metric that is a matter of arithmetic, not of time."""
    match result:
        case StepsResult():
            for step, loss in enumerate(result.losses.tolist(), result.first_step):
                yield "step/loss", step, loss
        case SplitResult():
            # A metric of step 0 alone is drawn as a bar a run, which is how tests compare.
            step = 0 if result.split == "test" else result.step
            for name, value in result.metrics.items():
                yield f"{result.split}/{name}", step, value
        case LearningRateResult():
            yield "learning_rate", result.step, result.value
        case StopResult() if result.best_step is not None:
            yield "best_step", 0, result.best_step
        case FetchResult():
            for name, value in result.fetched.items():
                if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0:
                    yield f"fetch/{name}", result.step or 0, float(value)


def list_arrays(result: Result) -> Iterator[tuple[str, np.ndarray]]:
    """Yields name and value of each array that is kept as an artifact: fetches and weights."""
    match result:
        case FetchResult():
            for name, array in archive_of(result).items():
                yield f"fetches/{result.name}/{name}", array
        case WeightsResult():
            for name, array in result.arrays.items():
                yield f"weights/{name}", array
