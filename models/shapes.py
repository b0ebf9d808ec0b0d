"""Shapes as users read them."""

from collections.abc import Sequence


def format_shape(batch_shape: Sequence[int | None]) -> str:
    """Returns a batch shape with its batch axis named and varying axes as ``?``.

    ``(None, 8, None, 1)`` reads ``(batch, 8, ?, 1)``.
    """
    axes = ["batch", *("?" if axis is None else str(axis) for axis in batch_shape[1:])]
    return f"({', '.join(axes)})"
