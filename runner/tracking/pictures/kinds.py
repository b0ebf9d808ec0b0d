"""Decides how a fetched value is drawn. No matplotlib."""

from typing import Literal

import numpy as np

from runner.results import Arrays

Kind = Literal["images", "maps", "histogram"]

# Up to here a table shows every value of an example.
_MOST_IN_TABLE = 16
_IMAGE_AXES = 4
_LEAST_SIDE = 2
_GREY_OR_COLOUR = (1, 3)
_COLOUR_AND_ALPHA = 4


def choose_kinds(value: object, examples: int | None) -> tuple[Kind, ...]:
    """Returns the pictures that a fetched value is worth, none for what cannot be drawn.

    Args:
        value: What was fetched; not always an array of numbers.
        examples: How many examples it holds a value of each for, its axis in front; None if it is
            of another kind, such as a weight.
    """
    numbers = as_numbers(value)
    if numbers is None or numbers.size == 0:
        return ()
    has_examples = examples is not None and numbers.ndim > 0 and len(numbers) == examples
    is_float = numbers.dtype.kind == "f"
    is_long = numbers.size > _MOST_IN_TABLE * (len(numbers) if has_examples else 1)
    histogram: tuple[Kind, ...] = ("histogram",) if is_float and is_long else ()
    if not has_examples or numbers.ndim != _IMAGE_AXES or min(numbers.shape[1:3]) < _LEAST_SIDE:
        return histogram
    if _is_image(numbers):
        return ("images",)
    return ("maps", *histogram)


def find_images(features: Arrays) -> np.ndarray | None:
    """Returns the first feature that is worth pictures of its examples; None where none is."""
    for values in features.values():
        if choose_kinds(values, len(values)) == ("images",):
            return as_numbers(values)
    return None


def as_numbers(value: object) -> np.ndarray | None:
    """Returns an array in a dtype that NumPy computes with, such as float32 for bfloat16.

    None for what is no array of real numbers: text, a sparse or a ragged value, nothing.
    """
    if not isinstance(value, np.ndarray):
        return None
    if value.dtype.kind in "biuf":
        return value
    if value.dtype.kind != "V" or value.dtype.names is not None:
        return None
    try:
        return value.astype(np.float32)
    except (TypeError, ValueError):
        return None


def _is_image(numbers: np.ndarray) -> bool:
    channels = numbers.shape[-1]
    if channels == _COLOUR_AND_ALPHA:
        is_unit = numbers.dtype.kind == "f" and numbers.min() >= 0 and numbers.max() <= 1
        return numbers.dtype == np.uint8 or bool(is_unit)
    return channels in _GREY_OR_COLOUR
