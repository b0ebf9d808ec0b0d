"""Puts what a person looks for in MLflow's syntax, in which a word says of what kind a name is.

Beside that syntax this is taken: names without their kind, values without quotes, ``==``, and names
with ``/`` or ``.`` without backticks. ``test/accuracy > 0.9 and optimizer.learning_rate=0.01`` is
``metrics.`test/accuracy` > 0.9 and params.`optimizer.learning_rate` = '0.01'``.
"""

import re

from models.problems import ConfigError, did_you_mean, expected

# Of which kind something is, in MLflow's word, and its name.
Name = tuple[str, str]

_KINDS = {
    "attribute": "attributes",
    "attributes": "attributes",
    "attr": "attributes",
    "run": "attributes",
    "metric": "metrics",
    "metrics": "metrics",
    "param": "params",
    "params": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "tags": "tags",
    "dataset": "datasets",
    "datasets": "datasets",
}
_ATTRIBUTES = {
    "id": "run_id",
    "run_id": "run_id",
    "name": "run_name",
    "run_name": "run_name",
    "status": "status",
    "start_time": "start_time",
    "end_time": "end_time",
    "created": "start_time",
    "user_id": "user_id",
}
_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
_TOP_PARAMS = ("seed",)
# A value with a space in it, in no quotes.
_LOOSE = re.compile(r"[^'\"(].*\s.*", re.DOTALL)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`|\([^)]*\)")
_COMPARISON = re.compile(
    r"""\s*(?P<name>(?:\w+\.)?(?:`[^`]+`|"[^"]+")|[^\s=<>!]+)\s*
    (?P<operator>==|!=|<=|>=|=|<|>|\s(?:not\s+in|in|i?like|is\s+not\s+null|is\s+null)\b)\s*
    (?P<value>.*?)\s*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_EXPONENT = re.compile(r"[+-]?[\d.]+e[+-]?\d+", re.IGNORECASE)
_ORDERED = ("<", ">", "<=", ">=")
_LOWER_IS_BETTER = re.compile(r"loss|error|seconds|divergence|_us$|bytes")
_DIRECTION = re.compile(r"\s+(asc|desc)$", re.IGNORECASE)


def write_filter(text: str) -> str:
    """Returns the filter `text` in MLflow's syntax.

    Raises:
        ConfigError: If a part of it is no comparison.
    """
    if not text.strip():
        return ""
    return " and ".join(_write_comparison(part, text) for part in _split(text))


def write_order(text: str) -> str:
    """Returns what to sort by, such as ``test/accuracy`` or ``seed desc``, in MLflow's syntax.

    Of a metric whose name does not say that less is better, the largest comes first; params and
    tags ascend, times descend.
    """
    direction = _DIRECTION.search(text.strip())
    kind, key = read_order(text)
    descends = (kind == "metrics" and not is_lower_better(key)) or key.endswith("_time")
    order = direction[1].upper() if direction else ("DESC" if descends else "ASC")
    return f"{quote_name(kind, key)} {order}"


def read_order(text: str) -> Name:
    """Returns the name in `text`, what to sort by."""
    return split_name(_DIRECTION.sub("", text.strip()), default="metrics")


def read_filter(text: str) -> list[Name]:
    """Returns the names in the filter `text` that a run has to have to be found.

    Raises:
        ConfigError: If a part of it is no comparison.
    """
    matches = [_match(part, text) for part in _split(text)] if text.strip() else []
    return [_read_name(match) for match in matches if _write_operator(match) != "IS NULL"]


def is_lower_better(metric: str) -> bool:
    """Returns whether less of a metric is better, as far as its name tells."""
    return _LOWER_IS_BETTER.search(metric) is not None


def split_name(name: str, *, default: str = "tags") -> Name:
    """Returns the kind of a name, in MLflow's word, and the name without it.

    Args:
        name: Such as ``metrics.test/accuracy``, ``test/accuracy`` or ``optimizer.learning_rate``.
        default: The kind of a single word that is no attribute and no param.
    """
    first, dot, rest = name.partition(".")
    if dot and first.lower() in _KINDS:
        kind, key = _KINDS[first.lower()], rest.strip('`"')
        return kind, _ATTRIBUTES.get(key, key) if kind == "attributes" else key
    key = name.strip('`"')
    if key in _ATTRIBUTES:
        return "attributes", _ATTRIBUTES[key]
    if "/" in key:
        return "metrics", key
    if "." in key:
        return ("tags" if key.startswith(("mlflow.", "git.", "version.")) else "params"), key
    return ("params" if key in _TOP_PARAMS else default), key


def _split(text: str) -> list[str]:
    """Returns the parts of `text` between the words ``and`` that are in no quotes."""
    hidden = _QUOTED.sub(lambda match: "_" * len(match[0]), text)
    parts, start = [], 0
    for match in _AND.finditer(hidden):
        parts.append(text[start : match.start()])
        start = match.end()
    return [*parts, text[start:]]


def quote_name(kind: str, key: str) -> str:
    """Returns a name with its kind as MLflow takes it."""
    return f"{kind}.{key}" if re.fullmatch(r"\w+", key) else f"{kind}.`{key}`"


def _match(part: str, text: str) -> re.Match[str]:
    match = _COMPARISON.fullmatch(part)
    if match is None or _LOOSE.fullmatch(match["value"]):
        what = "comparisons such as test/accuracy > 0.9, joined by and"
        hint = "A value that has spaces needs quotes."
        raise ConfigError([expected("--filter", what, text, hint)])
    return match


def _write_operator(match: re.Match[str]) -> str:
    operator = " ".join(match["operator"].upper().split())
    return "=" if operator == "==" else operator


def _read_name(match: re.Match[str]) -> Name:
    is_number = _write_operator(match) in _ORDERED
    return split_name(match["name"], default="metrics" if is_number else "tags")


def _write_comparison(part: str, text: str) -> str:
    match = _match(part, text)
    operator = _write_operator(match)
    kind, key = _read_name(match)
    value = match["value"]
    if kind == "attributes" and key == "status":
        value = value.upper()
        if operator in ("=", "!="):
            _require_status(value.strip("'\""))
    if not value or value[0] in "'\"(" or kind == "metrics" or key.endswith("_time"):
        shown = value
    else:
        # As params are written.
        value = str(float(value)) if _EXPONENT.fullmatch(value) else value
        shown = f'"{value}"' if "'" in value else f"'{value}'"
    return f"{quote_name(kind, key)} {operator} {shown}".rstrip()


def _require_status(value: str) -> None:
    if value not in _STATUSES:
        hint = did_you_mean(value, _STATUSES)
        raise ConfigError([expected("--filter", "a status", value, hint)])
