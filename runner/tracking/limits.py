"""Makes names and values fit what MLflow takes, and says so where something is cut.

Source: mlflow/utils/validation.py, MLflow 3.17.
"""

import posixpath
import re
import zlib
from collections.abc import Mapping

PARAM_CHARACTERS = 6000
TAG_CHARACTERS = 8000
NAME_CHARACTERS = 250

_NOT_ALLOWED = re.compile(r"[^/\w.\- :]")


def fit_param(value: str) -> str:
    """Returns the value of a param in at most 6,000 characters."""
    return fit_value(value, PARAM_CHARACTERS, "config/resolved.yaml")


def fit_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Returns tags with names that MLflow takes, and values of at most 8,000 characters."""
    fitted: dict[str, str] = {}
    for name, value in tags.items():
        fitted[fit_name(name, fitted)] = fit_value(value, TAG_CHARACTERS)
    return fitted


def fit_value(value: str, most: int, whole: str = "") -> str:
    """Returns `value`, or its beginning and how much there was of it, in `most` characters.

    Args:
        value: A text.
        most: The number of characters that is taken.
        whole: Where all of it is, if anywhere.
    """
    if len(value) <= most:
        return value
    end = f" … ({len(value):,} characters{f', all in {whole}' if whole else ''})"
    return f"{value[: most - len(end)]}{end}"


def fit_name(name: str, taken: Mapping[str, str]) -> str:
    """Returns a name that MLflow takes and that is not among `taken`.

    Characters that it does not take become ``_``. A name that is too long, or would then be that of
    another, ends with a checksum of the whole.
    """
    fitted = _NOT_ALLOWED.sub("_", name) or "_"
    # MLflow takes no name that is another one when it is read as a path.
    if posixpath.normpath(fitted) != fitted or fitted.startswith((".", "/")):
        fitted = f"_{fitted.replace('/', '_')}"
    if len(fitted) <= NAME_CHARACTERS and fitted not in taken:
        return fitted
    end = f" {zlib.crc32(name.encode()):08x}"
    return f"{fitted[: NAME_CHARACTERS - len(end)]}{end}"
