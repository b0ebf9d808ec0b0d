"""JSON Schema of single values, each of which may also be an interpolation.

A value that does not fit has one thing said of it, in its own place: types stand in one list, and
``if`` chooses what else is looked at. ``errorMessage`` and ``doNotSuggest`` are words of editors'
language servers, which others pass by.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

# What is no value yet: an interpolation such as ``${data.classes}``, or ``???``.
UNRESOLVED = r"\$\{|^\?\?\?$"

# What the definitions end in of a mapping that is added to another, in which keys may be left out.
PARTIAL = ".partial"

_JSON_TYPES = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "string": "string",
    "list": "array",
    "mapping": "object",
    "null": "null",
}


def refer(name: str) -> Schema:
    """Returns the schema that stands under `name` in definitions.json."""
    return {"$ref": f"#/definitions/{name}"}


def value_of(types: Sequence[str], what: str = "") -> Schema:
    """Returns the schema of a value.

    Args:
        types: The YAML types that it may have (``integer``, ``list``, ...); none where any may be.
        what: A noun phrase for an editor's message, such as "an integer or a list"; empty where
            the message would stand for what is wrong within the value too.
    """
    if not types:
        return {}
    names = [_JSON_TYPES[name] for name in types]
    message = {"errorMessage": f"Expected {what}, or ${{...}}."} if what else {}
    if "string" in names:
        return {"type": names, **message}
    return {"type": [*names, "string"], "pattern": UNRESOLVED, **message}


def check_text(texts: Sequence[str], what: str, unchecked: str = UNRESOLVED) -> Schema:
    """Returns what a schema says of a value besides that it, if it is text, is one of `texts`.

    Args:
        texts: What it may be.
        what: A noun phrase for messages.
        unchecked: A pattern of further texts.
    """
    return {
        "if": {"type": "string", "not": {"pattern": unchecked}},
        "then": {"enum": list(texts), "errorMessage": f"Expected {what}."},
    }


def offer_texts(texts: Sequence[str]) -> Schema:
    """Returns what makes an editor offer `texts`: a branch that every other value passes by."""
    return {"anyOf": [{"enum": list(texts)}, {}]}
