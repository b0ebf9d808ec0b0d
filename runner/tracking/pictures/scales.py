"""Turns values into colours, so that a colour says the value it stands for."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np

NOT_FINITE = (255, 0, 255)

_GREY = "gray"
_SEQUENTIAL = "viridis"
_DIVERGING = "RdBu_r"
_COLOURS = 256
_BYTE = 255.0
_ALPHA_CHANNELS = 4
# Values of a byte that were cast to float are shown on a byte's scale if they use half of it.
_HALF = 0.5


@dataclass(frozen=True)
class Scale:
    """A range of values and its colours.

    Attributes:
        low: The value of the first colour.
        high: The value of the last colour.
        colours: A colour map of matplotlib.
    """

    low: float
    high: float
    colours: str

    def paint(self, values: np.ndarray) -> np.ndarray:
        """Returns the colours of `values`.

        Input shape:
            (...), any real dtype.

        Output shape:
            (..., 3), uint8; what is not finite is magenta.
        """
        table = np.asarray(mpl.colormaps[self.colours](np.arange(_COLOURS)))[:, :3]
        indices = np.rint(self._shares(values) * (_COLOURS - 1)).astype(np.intp)
        painted: np.ndarray = np.rint(table * _BYTE).astype(np.uint8)[indices]
        painted[~np.isfinite(values)] = NOT_FINITE
        return painted

    def paint_channels(self, values: np.ndarray) -> np.ndarray:
        """Returns pictures of red, green, blue and maybe alpha as colours on white.

        Input shape:
            (..., 3 or 4), any real dtype.

        Output shape:
            (..., 3), uint8; a pixel that is not finite is magenta.
        """
        shares = self._shares(values)
        painted = shares[..., :3]
        if shares.shape[-1] == _ALPHA_CHANNELS:
            alpha = shares[..., 3:]
            painted = painted * alpha + (1 - alpha)
        painted = np.rint(painted * _BYTE).astype(np.uint8)
        painted[~np.isfinite(values).all(axis=-1)] = NOT_FINITE
        return painted

    def _shares(self, values: np.ndarray) -> np.ndarray:
        """Returns where `values` lie from ``low``, 0, to ``high``, 1; 0 if not finite."""
        # Halved, since the range of the largest floats is infinite.
        low, high, halves = self.low / 2, self.high / 2, values.astype(np.float64) / 2
        finite = np.where(np.isfinite(halves), halves, low)
        return np.clip((finite - low) / (high - low), 0, 1)


def scale_images(images: np.ndarray) -> Scale:
    """Returns the scale of pictures: a byte's, 0 to 1, 0 to the largest, or about 0 if signed."""
    if images.dtype == np.uint8:
        return Scale(0.0, _BYTE, _GREY)
    low, high = find_range(images)
    if low < 0:
        return _about_zero(low, high)
    for top in (1.0, _BYTE):
        if _HALF * top < high <= top:
            return Scale(0.0, top, _GREY)
    return Scale(0.0, high or 1.0, _GREY)


def scale_maps(maps: np.ndarray) -> Scale:
    """Returns the scale of feature maps: 0 to the largest, or about 0 if signed."""
    low, high = find_range(maps)
    return _about_zero(low, high) if low < 0 else Scale(0.0, high or 1.0, _SEQUENTIAL)


def find_range(values: np.ndarray) -> tuple[float, float]:
    """Returns the least and the largest finite value; zeros where there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _about_zero(low: float, high: float) -> Scale:
    most = max(-low, high)
    return Scale(-most, most, _DIVERGING)
