"""Draws feature maps: for the first examples, each channel as a picture."""

from collections.abc import Sequence

import numpy as np

from runner.tracking.pictures.images import count_shown
from runner.tracking.pictures.scales import scale_maps
from runner.tracking.pictures.sheet import FAINT, LINE_HEIGHT, Sheet, enlarge, fit_width
from runner.tracking.pictures.tiles import (
    Caption,
    enlargement,
    note_not_finite,
    note_shrinking,
    shrink,
)

_MOST_EXAMPLES = 4
_MOST_CHANNELS = 64
_LINE = 16
_SIDE = 56
_MOST_SIDE = 128
_PAGE_WIDTH = 1100
_GAP = 6
_BLOCK_GAP = 14
_NUMBER_HEIGHT = 14
_NUMBER_SIZE = 6.5
_LEFT = 96


def draw_maps(name: str, maps: np.ndarray, captions: Sequence[Caption], split: str) -> bytes:
    """Returns the channels of the first examples as PNG, all on one scale.

    Args:
        name: The fetch's name.
        maps: (examples, height, width, channels) numbers.
        captions: One for each example.
        split: What the examples are of.
    """
    shown = maps[:_MOST_EXAMPLES, ..., :_MOST_CHANNELS]
    shrunk, step = shrink(shown, _MOST_SIDE)
    examples, height, width, channels = shrunk.shape
    factor = enlargement(height, width, _SIDE)
    step_x = max(width * factor, 2 * _NUMBER_HEIGHT) + _GAP
    step_y = height * factor + _NUMBER_HEIGHT + _GAP
    columns = max(1, min(channels, _LINE, (_PAGE_WIDTH - _LEFT) // step_x))
    block = -(-channels // columns) * step_y + _BLOCK_GAP
    top = 2 * LINE_HEIGHT
    scale = scale_maps(shown)
    channels_shown = count_shown(channels, maps.shape[-1], "channels")
    examples_shown = count_shown(examples, len(maps), f"{split} examples")
    sheet = Sheet(
        f"{name}: {channels_shown} of {examples_shown}",
        _describe(maps, step),
        _LEFT + columns * step_x - _GAP,
        top + examples * block - _BLOCK_GAP,
    )
    sheet.draw_bar(_LEFT, 0, scale)
    for example, (painted, caption) in enumerate(zip(scale.paint(shrunk), captions, strict=False)):
        y = top + example * block
        sheet.write(0, y + _NUMBER_HEIGHT, fit_width([caption.first], _LEFT), colour=FAINT)
        sheet.write(0, y + _NUMBER_HEIGHT + LINE_HEIGHT, fit_width(caption.second, _LEFT))
        for channel in range(channels):
            left = _LEFT + channel % columns * step_x
            upper = y + channel // columns * step_y
            sheet.write(left, upper, str(channel), size=_NUMBER_SIZE, colour=FAINT)
            tile = enlarge(painted[..., channel, :], factor)
            sheet.place(left, upper + _NUMBER_HEIGHT, tile)
    return sheet.to_png()


def _describe(maps: np.ndarray, step: int) -> list[str]:
    zeros = int((maps == 0).all(axis=(0, 1, 2)).sum())
    dead = f"; {zeros:,} of {maps.shape[-1]:,} channels are 0 for all examples" if zeros else ""
    shape = f"{maps.dtype} of shape {maps.shape}; above each map, its channel{dead}"
    return [shape, *note_shrinking(maps, step), *note_not_finite(maps)]
