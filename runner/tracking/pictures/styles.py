"""The style in which all is drawn."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl


@contextmanager
def plain_style() -> Iterator[None]:
    """Draws in matplotlib's own style within the block, and without its warnings."""
    # A style of the user's own could cut the margins off or want LaTeX.
    style = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    with warnings.catch_warnings():
        # Of a letter that the font does not have, or a number too large.
        warnings.simplefilter("ignore")
        with mpl.rc_context(style):
            yield
