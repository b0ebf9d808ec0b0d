"""Reads what a sweep was asked for."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

# Hydra's sweepers write it to the sweep's folder before they start a job.
_FILE = "multirun.yaml"
_MOST_LETTERS = 200


def read_overrides(folder: Path) -> list[str]:
    """Returns the overrides of the sweep in `folder` as they were typed, all values of each."""
    file = folder / _FILE
    if not file.exists():
        return []
    # What refers to a configuration refers to those of the jobs.
    hydra = yaml.safe_load(file.read_text(encoding="utf-8")).get("hydra") or {}
    params = (hydra.get("sweeper") or {}).get("params") or {}
    typed = (hydra.get("overrides") or {}).get("task") or []
    return [*(f"{key}={value}" for key, value in params.items()), *map(str, typed)]


def name_sweep(overrides: Sequence[str]) -> str:
    """Returns those of `overrides` that have several values; ``sweep`` where none has."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    varying = [text for one, text in zip(parsed, overrides, strict=True) if one.is_sweep_override()]
    name = " ".join(varying) or "sweep"
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def read_settings(overrides: Sequence[str]) -> dict[str, str]:
    """Returns the overrides of a job: key to value, as they are written."""
    pairs = (text.partition("=") for text in overrides)
    return {key: value for key, _, value in pairs}
