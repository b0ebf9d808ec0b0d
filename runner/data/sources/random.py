"""Random examples in whatever shapes a model takes."""

from collections.abc import Mapping

import numpy as np

from models.config import TensorConfig
from runner.config import RandomDataConfig
from runner.data.examples import Batch


def draw_random(config: RandomDataConfig, inputs: Mapping[str, TensorConfig], seed: int) -> Batch:
    """Returns ``data.examples`` random rows for `inputs`.

    Floating-point features are uniform in [0, 1), as ``numpy.random.rand`` draws them; integers
    and booleans are 0 or 1. Labels are classes where ``data.classes`` is given.
    """
    generator = np.random.default_rng(seed)
    classes = config.classes or 2
    return Batch(
        features={
            name: _draw(generator, (config.examples, *tensor.shape), tensor.dtype, 2)
            for name, tensor in inputs.items()
        },
        labels={
            name: _draw(generator, (config.examples, *tensor.shape), tensor.dtype, classes)
            for name, tensor in config.labels.items()
        },
        rows=np.arange(config.examples),
    )


def _draw(
    generator: np.random.Generator, shape: tuple[int | None, ...], dtype: str, bound: int
) -> np.ndarray:
    sizes = [int(axis) for axis in shape if axis is not None]
    if "float" in dtype:
        values = generator.random(sizes)
        return values if dtype == "bfloat16" else values.astype(dtype)
    return generator.integers(0, bound, sizes).astype(dtype)
