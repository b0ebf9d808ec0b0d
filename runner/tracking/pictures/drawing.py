"""Draws what a result is worth, and never fails for a value that cannot be drawn."""

import logging
from collections.abc import Iterable, Iterator

from runner.results import (
    BalanceResult,
    BenchmarkResult,
    ClassifyResult,
    ExamplesResult,
    TraceResult,
)
from runner.tracking.pictures.balance import draw_balance
from runner.tracking.pictures.confusion import draw_confusion
from runner.tracking.pictures.examples import draw_examples
from runner.tracking.pictures.histogram import draw_histogram
from runner.tracking.pictures.images import draw_images
from runner.tracking.pictures.kinds import as_numbers, find_images
from runner.tracking.pictures.latencies import draw_latencies
from runner.tracking.pictures.maps import draw_maps
from runner.tracking.pictures.mistakes import draw_mistakes
from runner.tracking.pictures.plan import Drawable, Picture
from runner.tracking.pictures.styles import plain_style
from runner.tracking.pictures.tiles import MOST_EXAMPLES, caption_examples
from runner.tracking.pictures.times import draw_times

log = logging.getLogger(__name__)

# What NumPy and matplotlib raise for values that nobody thought of.
_UNDRAWABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def draw_pictures(
    result: Drawable,
    pictures: Iterable[Picture],
) -> Iterator[tuple[str, bytes]]:
    """Yields the name and the content of the PNG file of each picture that can be drawn.

    Args:
        result: What to draw.
        pictures: Those of its plan that are wanted.
    """
    with plain_style():
        for picture in pictures:
            try:
                content = _draw(result, picture)
            except _UNDRAWABLE as error:
                log.warning("%s is not drawn: %r", picture.file, error)
            else:
                yield picture.file, content


def _draw(result: Drawable, picture: Picture) -> bytes:
    if isinstance(result, BalanceResult):
        return draw_balance(result)
    if isinstance(result, ExamplesResult):
        return draw_examples(result, picture.name)
    if isinstance(result, BenchmarkResult):
        return draw_latencies(result)
    if isinstance(result, TraceResult):
        return draw_times(result)
    if isinstance(result, ClassifyResult):
        return _draw_classes(result, picture)
    values = as_numbers(result.fetched[picture.name])
    if values is None:
        raise TypeError("expected an array of numbers")
    if picture.kind == "histogram":
        return draw_histogram(picture.name, values)
    captions = caption_examples(result.rows[:MOST_EXAMPLES], result.labels)
    draw = draw_images if picture.kind == "images" else draw_maps
    return draw(picture.name, values, captions, result.split)


def _draw_classes(result: ClassifyResult, picture: Picture) -> bytes:
    images = find_images(result.features)
    if picture.kind == "confusion" or images is None:
        return draw_confusion(result)
    return draw_mistakes(result, images)
