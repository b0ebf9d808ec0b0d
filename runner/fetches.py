"""What a configuration fetches, by name. No TensorFlow."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

LOSS = "loss"
OPTIMIZER = "optimizer"
LEARNING_RATE = f"{OPTIMIZER}.learning_rate"
LAYER_INPUT = "input"

FetchKind = Literal["value", "grad", "loss", "metric"]

_PREFIXED = re.compile(r"(?P<kind>grad|loss|metric)(\((?P<of>[^()]+)\))?:(?P<name>.*\D.*)")
_CALL = re.compile(r"(?P<layer>.+)@(?P<index>[1-9][0-9]*)")


@dataclass(frozen=True)
class Fetch:
    """What one text among the fetches asks for.

    Attributes:
        kind: A value that has a name, a gradient, a loss or a metric.
        name: What the value is called; for a gradient, what it is with respect to; the output whose
            loss it is, "" for the sum that is trained; the metric.
        of: What a gradient is of, summed; None for the loss that is trained.
    """

    kind: FetchKind
    name: str
    of: str | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether the name stands for all that match it."""
        return "*" in self.name or "?" in self.name

    @property
    def needs_labels(self) -> bool:
        """Whether outputs are compared with labels for it."""
        return self.kind in ("loss", "metric") or (self.kind == "grad" and self.of is None)


def parse_fetch(text: str) -> Fetch:
    """Returns what `text` asks for, such as ``conv1``, ``grad:conv1.kernel`` or ``loss``."""
    if text == LOSS:
        return Fetch("loss", "")
    match = _PREFIXED.fullmatch(text)
    if match is None or (match["of"] and match["kind"] != "grad"):
        return Fetch("value", text)
    of = None if match["of"] == LOSS else match["of"]
    kind: FetchKind = match["kind"]  # type: ignore[assignment]
    return Fetch(kind, match["name"], of)


def parse_call(text: str) -> tuple[str, int] | None:
    """Returns the layer and which call of it, from 1, that ``conv1@2`` is; None if it is none."""
    match = _CALL.fullmatch(text)
    return None if match is None else (match["layer"], int(match["index"]))


def match_names(pattern: str, names: Iterable[str]) -> list[str]:
    """Returns the names that match: ``*`` is anything but a dot, ``**`` anything, ``?`` one."""
    parts = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    translated = "".join(
        parts.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", pattern)
    )
    return [name for name in names if re.fullmatch(translated, name)]


def flatten_fetches(fetches: Mapping[str, Any]) -> dict[str, Any]:
    """Returns every fetch of nested mappings and lists by its dotted name, as ``outputs.digit``."""
    flat: dict[str, Any] = {}
    for name, fetched in fetches.items():
        if isinstance(fetched, list | tuple):
            fetched = {str(index): item for index, item in enumerate(fetched)}
        if isinstance(fetched, Mapping):
            for inner, item in flatten_fetches(fetched).items():
                flat[f"{name}.{inner}"] = item
        else:
            flat[str(name)] = fetched
    return flat


def nest_fetches(fetches: Any, flat: Mapping[str, Any], name: str = "") -> Any:
    """Returns `flat` in the structure of `fetches`; a pattern is a mapping of what matched it.

    Args:
        fetches: What the configuration fetches.
        flat: Anything by dotted name, such as ``flatten_fetches`` gives for `fetches`.
        name: The dotted name of `fetches`.
    """
    prefix = f"{name}." if name else ""
    if isinstance(fetches, Mapping):
        return {key: nest_fetches(item, flat, f"{prefix}{key}") for key, item in fetches.items()}
    if isinstance(fetches, list | tuple):
        return [nest_fetches(item, flat, f"{prefix}{index}") for index, item in enumerate(fetches)]
    if name in flat:
        return flat[name]
    return {key.removeprefix(prefix): item for key, item in flat.items() if key.startswith(prefix)}
