"""What stands in the cells of tables of runs: text that is no markup, in the colour of its kind."""

import math
from collections.abc import Mapping
from typing import Any

from rich.text import Text

_STATUS_STYLES = {
    "FINISHED": "green",
    "RUNNING": "yellow",
    "SCHEDULED": "yellow",
    "FAILED": "red",
    "KILLED": "magenta",
}


def format_number(value: float) -> str:
    """Returns a metric to four digits, zeros at its end too, so that columns are even."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:#.4g}".rstrip(".")


def style_status(status: str) -> Text:
    """Returns a run's status in the colour of it."""
    return Text(status, style=_STATUS_STYLES.get(status, ""))


def break_name(name: str, width: int = 13) -> str:
    """Returns a dotted name in lines of about `width`, so that a column is no wider for it."""
    lines = [""]
    for part in name.replace(".", ".\n").replace("/", "/\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def format_value(value: Any) -> str:
    """Returns a value of a configuration in a line, as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(format_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {format_value(one)}' for key, one in value.items())}}}"
    return str(value)
