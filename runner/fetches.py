"""What a configuration fetches, by name. No TensorFlow."""

from collections.abc import Mapping
from typing import Any


def flatten_fetches(fetches: Mapping[str, Any]) -> dict[str, Any]:
    """Returns every fetch of nested mappings and lists by its dotted name, as ``outputs.digit``."""
    flat: dict[str, Any] = {}
    for name, fetched in fetches.items():
        if isinstance(fetched, list):
            fetched = {str(index): item for index, item in enumerate(fetched)}
        if isinstance(fetched, Mapping):
            for inner, item in flatten_fetches(fetched).items():
                flat[f"{name}.{inner}"] = item
        else:
            flat[str(name)] = fetched
    return flat
