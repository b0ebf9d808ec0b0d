"""Shapes as users read them."""

from collections.abc import Sequence


def format_shape(batch_shape: Sequence[int | None]) -> str:
    """Returns a batch shape with a varying batch axis named and other varying axes as ``?``.

    ``(None, 8, None, 1)`` reads ``(batch, 8, ?, 1)``.
    """
    axes = ["?" if axis is None else str(axis) for axis in batch_shape]
    if axes and axes[0] == "?":
        axes[0] = "batch"
    return f"({', '.join(axes)})"
