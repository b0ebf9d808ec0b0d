"""Draws the examples that a classifier is the most wrong about."""

import numpy as np

from runner.results import ClassifyResult
from runner.tracking.pictures.images import note_colours
from runner.tracking.pictures.scales import scale_images
from runner.tracking.pictures.sheet import shorten
from runner.tracking.pictures.tiles import Caption, choose_first, draw_tiles

# Of the name of a class, of which two stand above a picture.
_MOST_LETTERS = 7


def draw_mistakes(result: ClassifyResult, images: np.ndarray) -> bytes:
    """Returns the worst mistakes as PNG, or, without one, the least certain examples.

    Args:
        result: What was classified.
        images: (shown, height, width, 1, 3 or 4) numbers.
    """
    images = choose_first(images)
    scale = scale_images(images)
    captions = [_caption(result, at) for at in result.shown[: len(images)]]
    what = f"{len(result.actual):,} {result.split} examples"
    if not result.mistakes:
        title = f"{result.output}: no mistake in {what}; the least certain ones"
    elif len(images) < result.mistakes:
        title = (
            f"{result.output}: the worst {len(images)} of {result.mistakes:,} mistakes in {what}"
        )
    else:
        mistakes = "mistake" if result.mistakes == 1 else "mistakes"
        title = f"{result.output}: {result.mistakes:,} {mistakes} in {what}"
    order = "most" if result.mistakes else "least"
    notes = [
        f"the {order} certain first; above each: {result.label} → the class predicted, how certain",
        *note_colours(scale, images.shape[-1]),
    ]
    return draw_tiles(title, notes, images, captions, scale)


def _caption(result: ClassifyResult, at: int) -> Caption:
    actual, predicted = (
        shorten(result.name_class(one[at]), _MOST_LETTERS)
        for one in (result.actual, result.predicted)
    )
    first, certain = f"{actual} → {predicted}", f"{result.confidence[at]:.0%}"
    row = f"row {result.rows[at]}"
    return Caption(
        first=first if result.class_names else f"{first}  {certain}",
        second=[certain, row] if result.class_names else [row],
        is_wrong=bool(result.actual[at] != result.predicted[at]),
    )
