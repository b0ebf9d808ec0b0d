"""JSON Schema of Keras's objects: the ``type`` of each kind, and the arguments of each type.

A type's arguments are looked at where ``type`` names it (``if``, ``then``), so that a typo is told
as what it is, and not as 200 types that do not fit either.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from models.declarations import describe_types
from models.objectives import LOSS_KEYS, METRIC_KEYS
from models.registry import NOUNS, Argument, Kind, names_of, signature_of, texts_of
from runner.schema.values import (
    PARTIAL,
    UNRESOLVED,
    Schema,
    check_text,
    offer_texts,
    refer,
    value_of,
)

# Kinds whose objects stand in a file of their own, which may add to another file.
_PARTIAL_KINDS: tuple[Kind, ...] = ("layers", "optimizers", "losses", "metrics")

# Kinds whose objects may stand by name.
_NAMED_KINDS: tuple[Kind, ...] = (
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "dtype_policies",
)

# A quantized policy, whose name holds that of another.
_QUANTIZED = "_from_"

# Keras takes a choice in capitals too.
_CAPITALS = "[A-Z]"

# What stands beside the arguments of a loss or a metric.
_KEYS: Mapping[str, Schema] = {
    "label": {
        "description": "What it is compared with: a label of the data, or a feature by name.",
        **value_of(["string"], "a text"),
    },
    "weight": {
        "description": "Its share in the sum of losses.",
        "default": 1.0,
        **value_of(["number"], "a number"),
    },
    "output": {
        "description": "The output that it looks at.",
        **value_of(["string"], "a text"),
    },
    "weighted": {
        "description": "Whether it counts examples by their weights, as the loss does.",
        "default": False,
        **value_of(["boolean"], "true or false"),
    },
}
_TRAINABLE: Schema = {
    "description": "Whether its weights are trained.",
    "default": True,
    **value_of(["boolean"], "true or false"),
}
# An editor offers these of a layer only where they have a meaning; see runner.schema.layers.
_LAYER_KEYS: Mapping[str, Schema] = {
    "from": {"doNotSuggest": True},
    "name": {**value_of(["null", "string"], "a text"), "doNotSuggest": True},
}
_FURTHER: Mapping[Kind, Mapping[str, Schema]] = {
    "layers": _LAYER_KEYS,
    "losses": {key: _KEYS[key] for key in LOSS_KEYS},
    "metrics": {key: _KEYS[key] for key in METRIC_KEYS},
    "optimizers": {"defaults": {"doNotSuggest": True}},  # a file of the group may have it
}


def define_objects() -> dict[str, Schema]:
    """Returns the definitions of every kind of object and of each type of it."""
    definitions = {"class": _own_class()}
    for kind in NOUNS:
        if kind == "applications":  # they are layers
            continue
        definitions[f"{kind}.type"] = _type_of(kind)
        definitions[kind] = _object_of(kind, is_partial=False)
        if kind in _PARTIAL_KINDS:
            definitions[f"{kind}{PARTIAL}"] = _object_of(kind, is_partial=True)
        if kind in _NAMED_KINDS:
            definitions[f"{kind}.argument"] = _argument_of(kind)
        definitions[f"{kind}.arguments"] = {"allOf": list(_choose_arguments(kind))}
        if required := list(_choose_required(kind)):
            definitions[f"{kind}.required"] = {"allOf": required}
        for name in names_of(kind):
            definitions[f"{kind}.{name}"] = _arguments_of(kind, name)
    return definitions


def _own_class() -> Schema:
    named = "A class of your own, as in models.layers.sampling.Sampling."
    return {
        "required": ["class"],
        "properties": {
            "class": {
                "description": named,
                "type": "string",
                "pattern": rf"\.|{UNRESOLVED}",
                "errorMessage": "Expected a class such as models.layers.sampling.Sampling.",
            },
            "type": False,
        },
    }


def _types_of(kind: Kind) -> list[tuple[Kind, str]]:
    """Returns what ``type`` may be in a mapping of `kind`, and the kind that it then is of."""
    types = [(kind, name) for name in names_of(kind)]
    if kind == "activations":  # such as LeakyReLU
        own = names_of("activations")
        types += [("layers", name) for name in names_of("layers") if name not in own]
    return types


def _type_of(kind: Kind) -> Schema:
    types = _types_of(kind)
    names = [name for _, name in types]
    return {
        "description": f"The type of {NOUNS[kind]}.",
        "type": "string",
        "errorMessage": f"Expected the type of {NOUNS[kind]}.",
        **check_text(names, f"{NOUNS[kind]} of Keras"),
    }


def _object_of(kind: Kind, *, is_partial: bool) -> Schema:
    """Returns the schema of a mapping that declares an object.

    Args:
        kind: What it declares.
        is_partial: Whether the mapping is added to one in another file, so that it may say less.
    """
    has_required = not is_partial and any(_choose_required(kind))
    return {
        **value_of(["mapping"], f"a mapping with the type of {NOUNS[kind]}"),
        "if": {"required": ["class"]},
        "then": refer("class"),
        "else": {
            "properties": {"type": refer(f"{kind}.type")},
            **({} if is_partial else {"required": ["type"]}),
            "allOf": [
                refer(f"{kind}.arguments"),
                *([refer(f"{kind}.required")] if has_required else []),
            ],
        },
    }


def _choose_arguments(kind: Kind) -> Iterator[Schema]:
    for owner, name in _types_of(kind):
        yield {"if": _is_type([name]), "then": refer(f"{owner}.{name}")}


def _choose_required(kind: Kind) -> Iterator[Schema]:
    """Yields which arguments must be given; types that need the same ones together."""
    by_required: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for owner, name in _types_of(kind):
        arguments = signature_of(owner, name).arguments
        required = tuple(key for key, argument in arguments.items() if argument.required)
        if required:
            by_required[required].append(name)
    for required, names in by_required.items():
        yield {"if": _is_type(names), "then": {"required": list(required)}}


def _is_type(names: list[str]) -> Schema:
    return {"required": ["type"], "properties": {"type": {"enum": names}}}


def _arguments_of(kind: Kind, name: str) -> Schema:
    signature = signature_of(kind, name)
    arguments = {key: _describe(declared) for key, declared in signature.arguments.items()}
    if kind == "layers":
        arguments["trainable"] = {**_TRAINABLE, **arguments.get("trainable", {})}
    if kind == "metrics":
        arguments.pop("name")  # the key is the name
    return {
        "description": signature.doc,
        "type": "object",
        "properties": {
            "type": {"const": name, "description": signature.doc},
            **arguments,
            **_FURTHER.get(kind, {}),
        },
        "additionalProperties": False,
    }


def _describe(declared: Argument) -> Schema:
    """Returns the schema of one argument with its documentation and its default."""
    described: Schema = {"description": declared.doc} if declared.doc else {}
    if not declared.required:
        described["default"] = declared.default
    return {**described, **_value_of_argument(declared)}


def _value_of_argument(declared: Argument) -> Schema:
    what = describe_types(declared)
    if declared.kind in _NAMED_KINDS:
        return {"allOf": [refer(f"{declared.kind}.argument")]}
    value = value_of(declared.types, what)
    if declared.kind == "layers":
        nested = refer("layers.nested")
        return {**value, "items": nested, "if": {"type": "object"}, "then": nested}
    if declared.kind:
        return {**value, "if": {"type": "object"}, "then": refer(declared.kind)}
    if declared.choices:
        choices = " or ".join(map(repr, declared.choices))
        checked = check_text(declared.choices, choices, f"{UNRESOLVED}|{_CAPITALS}")
        return {**value, **offer_texts(declared.choices), **checked}
    return value


def _argument_of(kind: Kind) -> Schema:
    """Returns the schema of an argument that names an object of `kind` or declares it."""
    types = ["mapping", "null", "string"]
    unchecked = f"{UNRESOLVED}|{_QUANTIZED}" if kind == "dtype_policies" else UNRESOLVED
    return {
        **value_of(types, describe_types(Argument(types, kind=kind))),
        **offer_texts(texts_of(kind)),
        **check_text(texts_of(kind), NOUNS[kind], unchecked),
        "allOf": [{"if": {"type": "object"}, "then": refer(kind)}],
    }
