"""Draws a few examples of the data."""

from runner.results import ExamplesResult
from runner.tracking.pictures.images import draw_images
from runner.tracking.pictures.kinds import as_numbers
from runner.tracking.pictures.tiles import caption_examples, choose_first


def draw_examples(result: ExamplesResult, feature: str) -> bytes:
    """Returns a page of pictures of `feature` as PNG, each with its row and its labels above it.

    Raises:
        TypeError: If the feature is no array of numbers.
    """
    images = as_numbers(result.features[feature])
    if images is None:
        raise TypeError("expected an array of numbers")
    images = choose_first(images)
    captions = caption_examples(result.rows[: len(images)], result.labels)
    return draw_images(feature, images, captions, f"of {result.total:,} train")
