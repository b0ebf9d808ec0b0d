"""Tells which overrides choose the store of a run: by them another command finds it."""

from collections.abc import Sequence

from runner.secrets import redact

_STORE = ("tracking", *(f"tracking.{key}" for key in ("uri", "database", "artifacts", "spool")))


def select_store(overrides: Sequence[str]) -> list[str]:
    """Returns those of `overrides` that choose a store, without secrets, not yet quoted."""
    return [redact(text) for text in overrides if text.partition("=")[0].lstrip("+") in _STORE]
