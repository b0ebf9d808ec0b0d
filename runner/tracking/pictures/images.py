"""Draws images of examples, and what looks like one, such as a gradient by the pixel."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from runner.tracking.pictures.scales import Scale, find_range, scale_images
from runner.tracking.pictures.sheet import format_number
from runner.tracking.pictures.tiles import Caption, choose_first, draw_tiles


def draw_images(name: str, images: np.ndarray, captions: Sequence[Caption], split: str) -> bytes:
    """Returns a page of the first images as PNG.

    Signed ones, such as gradients, each have a scale of their own: their sizes differ by orders of
    magnitude from one example to the next, and on one scale all but a few would be blank.

    Args:
        name: The fetch's name.
        images: (examples, height, width, 1, 3 or 4) numbers.
        captions: One for each.
        split: What the examples are of.
    """
    shown = choose_first(images)
    captions = captions[: len(shown)]
    title = f"{name}: {count_shown(len(shown), len(images), f'{split} examples')}"
    notes = [f"{images.dtype} of shape {images.shape}"]
    scale = scale_images(shown)
    if scale.low < 0:
        peaks = [max(map(abs, find_range(image))) for image in shown]
        shown = shown / np.reshape([peak or 1.0 for peak in peaks], (-1, 1, 1, 1))
        scale = scale_images(shown)
        captions = [
            replace(caption, first=f"{caption.first} ±{_format_short(peak)}")
            for caption, peak in zip(captions, peaks, strict=True)
        ]
        notes.append("each divided by its largest magnitude, which stands above it")
    notes += note_colours(scale, images.shape[-1])
    return draw_tiles(title, notes, shown, captions, scale)


def _format_short(value: float) -> str:
    """Returns a value to two digits, without the zero that Python puts into an exponent."""
    return f"{value:.2g}".replace("e-0", "e-").replace("e+0", "e")


def count_shown(shown: int, total: int, what: str) -> str:
    """Returns how many of how many are shown."""
    return f"{shown:,} {what}" if shown == total else f"the first {shown:,} of {total:,} {what}"


def note_colours(scale: Scale, channels: int) -> list[str]:
    """Returns what the colours of several channels stand for; for one, a bar says it."""
    if channels == 1:
        return []
    low, high = format_number(scale.low), format_number(scale.high)
    if scale.low < 0:
        return [f"each channel from {low} (none) over 0 (half) to {high} (full)"]
    return [f"each channel from {low} (none) to {high} (full)"]
