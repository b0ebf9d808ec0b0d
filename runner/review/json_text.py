"""Writes what was found as JSON, in which numbers that are none are text."""

import json
import math
from collections.abc import Mapping
from typing import Any


def format_json(value: Any) -> str:
    """Returns `value` as indented JSON; NaN and infinities, which JSON has not, as strings."""
    return json.dumps(_clean(value), indent=1, ensure_ascii=False, allow_nan=False)


def _clean(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
