"""The style in which all is drawn."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl


@contextmanager
def plain_style(changes: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Draws in matplotlib's own style within the block, and without its warnings.

    Args:
        changes: What is otherwise than matplotlib's own, by the name of the parameter.
    """
    # A style of the user's own could cut the margins off or want LaTeX.
    style: Any = {key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}
    style |= changes
    with warnings.catch_warnings():
        # Of a letter that the font does not have, or a number too large.
        warnings.simplefilter("ignore")
        with mpl.rc_context(style):
            yield
