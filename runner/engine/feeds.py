"""Holds the arrays to feed to the placeholders they are fed to."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from models.problems import ConfigError, Problem, expected


def fit_feeds(
    arrays: Mapping[str, np.ndarray], placeholders: Mapping[str, tf.Tensor], path: str
) -> dict[str, np.ndarray]:
    """Returns the arrays for `placeholders`, each in its placeholder's dtype.

    Args:
        arrays: (examples, ...) arrays by name; others than the placeholders' are left out.
        placeholders: (None, ...) placeholders by name.
        path: The place in the configuration that declares the placeholders.

    Raises:
        ConfigError: With every placeholder that has no array, or one of another shape.
    """
    fitted, problems = {}, []
    for name, placeholder in placeholders.items():
        if name not in arrays:
            given = ", ".join(arrays) or "nothing"
            message = f"no value to feed it; the data gives {given}."
            problems.append(Problem(f"{path}.{name}", message))
        elif not placeholder.shape.is_compatible_with(arrays[name].shape):
            what = f"arrays of shape {tuple(placeholder.shape)}"
            problems.append(expected(f"{path}.{name}.shape", what, arrays[name].shape))
        else:
            fitted[name] = arrays[name].astype(placeholder.dtype.as_numpy_dtype, copy=False)
    if problems:
        raise ConfigError(problems)
    return fitted
