"""Puts what a person looks for in MLflow's syntax, in which a word says of what kind a name is.

Beside that syntax this is taken: names without their kind, values without quotes, ``==``, and names
with ``/`` or ``.`` without backticks. ``test/accuracy > 0.9 and optimizer.learning_rate=0.01`` is
``metrics.`test/accuracy` > 0.9 and params.`optimizer.learning_rate` = '0.01'``.
"""

import re

from models.problems import ConfigError, expected

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
    name = _DIRECTION.sub("", text.strip())
    kind, key = split_name(name, default="metrics")
    descends = (kind == "metrics" and not is_lower_better(key)) or key.endswith("_time")
    order = direction[1].upper() if direction else ("DESC" if descends else "ASC")
    return f"{_quote_name(kind, key)} {order}"


def is_lower_better(metric: str) -> bool:
    """Returns whether less of a metric is better, as far as its name tells."""
    return _LOWER_IS_BETTER.search(metric) is not None


def split_name(name: str, *, default: str = "tags") -> tuple[str, str]:
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


def _write_comparison(part: str, text: str) -> str:
    match = _COMPARISON.fullmatch(part)
    if match is None or _LOOSE.fullmatch(match["value"]):
        what = "comparisons such as test/accuracy > 0.9, joined by and"
        hint = "A value that has spaces needs quotes."
        raise ConfigError([expected("--filter", what, text, hint)])
    operator = " ".join(match["operator"].upper().split())
    operator = "=" if operator == "==" else operator
    is_number = operator in _ORDERED
    kind, key = split_name(match["name"], default="metrics" if is_number else "tags")
    value = match["value"]
    if kind == "attributes" and key == "status":
        value = value.upper()
    if not value or value[0] in "'\"(" or kind == "metrics" or key.endswith("_time"):
        shown = value
    else:
        # As params are written.
        value = str(float(value)) if _EXPONENT.fullmatch(value) else value
        shown = f'"{value}"' if "'" in value else f"'{value}'"
    return f"{_quote_name(kind, key)} {operator} {shown}".rstrip()


def _quote_name(kind: str, key: str) -> str:
    return f"{kind}.{key}" if re.fullmatch(r"\w+", key) else f"{kind}.`{key}`"
