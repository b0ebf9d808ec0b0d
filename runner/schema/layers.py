"""JSON Schema of ``layers``: a layer, a call of one that is shared, a model in a file, a block.

A file that adds to the layers of another may say less of each.
"""

from collections.abc import Mapping

from models.files import FILE_ARGUMENTS
from models.wiring import BLOCK_KEYS, MODEL_KEYS, NAME, NAMED_BY, SHARED_KEYS, WIRING_KEYS
from runner.schema.values import PARTIAL, Schema, refer, value_of

_LAYER_NAME = "the name of a layer, such as conv1, block.0.conv or lstm[1]"
_REFERENCE = value_of(["string"], _LAYER_NAME)
_REFERENCES: Schema = {"minItems": 1, "items": _REFERENCE}

# What a schema says of the names of inputs, layers, outputs and metrics.
NAMES: Schema = {
    "propertyNames": {
        "pattern": f"^{NAME.pattern}$",
        "errorMessage": f"Expected a name of {NAMED_BY}.",
    }
}

# The keys of an entry that are not arguments of a layer.
_KEYS: Mapping[str, Schema] = {
    "class": {"description": "A class of your own, as in models.layers.sampling.Sampling."},
    "file": {
        "description": "A .keras file, a SavedModel folder or a frozen graph in a .pb file.",
        **value_of(["string"], "a path"),
    },
    "from": {
        "description": "What it takes: a layer or an input by name, a list of them, or a mapping "
        "of an argument of its call to those. Without it, what comes before.",
        **value_of(["string", "list", "mapping"], _LAYER_NAME),
        **_REFERENCES,
        "minProperties": 1,
        "additionalProperties": {**value_of(["string", "list"], _LAYER_NAME), **_REFERENCES},
    },
    "inputs": {"description": "What comes into it, by name."},
    "loss": {"description": "The loss of the model, which a block leaves out."},
    "metrics": {"description": "The metrics of the model, which a block leaves out."},
    "name": {"description": "The name of the model."},
    "outputs": {
        "description": "What it gives: a layer by name, a list of them, or a mapping of name to "
        "one. Without it, what the last layer gives.",
        **value_of(["null", "string", "list", "mapping"], _LAYER_NAME),
        **_REFERENCES,
        **NAMES,
        "additionalProperties": _REFERENCE,
    },
    "repeat": {
        "description": "How often it is stacked, each time with weights of its own.",
        **value_of(["integer", "null"], "a whole number of 1 or more"),
        "minimum": 1,
    },
    "shared": {
        "description": "A layer or block that comes before, which is applied once more.",
        **_REFERENCE,
    },
    "trainable": {
        "description": "Whether its weights are trained.",
        "default": True,
        **value_of(["boolean", "null"], "true or false"),
    },
}
# What tells one kind of entry from another, offered where none of it stands yet.
_MARKS = ("class", "file", "shared", "repeat", "from", "trainable")


def define_layers() -> dict[str, Schema]:
    """Returns the definitions of what may stand under ``layers``, ``from`` and ``outputs``."""
    definitions: dict[str, Schema] = {
        "from": _KEYS["from"],
        "outputs": _KEYS["outputs"],
        "shared": _closed({key: _KEYS[key] for key in SHARED_KEYS}),
        "file": _file(),
        "layers.nested": {"allOf": [refer("layers")], "properties": {"from": False}},
    }
    for suffix in ("", PARTIAL):
        definitions[f"stack{suffix}"] = _stack(suffix)
        definitions[f"entry{suffix}"] = _entry(suffix)
        definitions[f"block{suffix}"] = _block(suffix)
    return definitions


def _closed(properties: Mapping[str, Schema]) -> Schema:
    return {"properties": dict(properties), "additionalProperties": False}


def _file() -> Schema:
    arguments = {
        key: value_of(argument.types, "what TensorFlow calls it")
        for declared in FILE_ARGUMENTS.values()
        for key, argument in declared.items()
    }
    return _closed({"file": _KEYS["file"], **arguments, **{key: _KEYS[key] for key in WIRING_KEYS}})


def _stack(suffix: str) -> Schema:
    """Returns the schema of a mapping of names to layers."""
    return {
        **value_of(["mapping"], "a mapping of names to layers"),
        **NAMES,
        **({} if suffix else {"minProperties": 1}),
        "additionalProperties": refer(f"entry{suffix}"),
    }


def _entry(suffix: str) -> Schema:
    """Returns the schema of one entry of a stack, which its keys tell the kind of."""
    is_declared = {"anyOf": [{"required": ["type"]}, {"required": ["class"]}]}
    return {
        **value_of(["mapping"], "a mapping with the type of a layer"),
        "if": {"required": ["shared"]},
        "then": refer("shared"),
        "else": {
            "if": is_declared,
            "then": {
                "allOf": [refer(f"layers{suffix}")],
                "properties": {"name": False, "from": refer("from")},
            },
            "else": {
                "if": {"required": ["layers"]},
                "then": refer(f"block{suffix}"),
                "else": {
                    "if": {"required": ["file"]},
                    "then": refer("file"),
                    "else": _untold(suffix),
                },
            },
        },
    }


def _untold(suffix: str) -> Schema:
    """Returns the schema of an entry of no kind yet, for which an editor offers the keys."""
    return {
        **({} if suffix else {"required": ["type"]}),
        "properties": {
            "type": refer("layers.type"),
            **{key: _KEYS[key] for key in _MARKS},
            "layers": refer(f"stack{suffix}"),
        },
    }


def _block(suffix: str) -> Schema:
    keys = {key: _KEYS.get(key, {}) for key in (*BLOCK_KEYS, *MODEL_KEYS)}
    return _closed({**keys, "layers": refer(f"stack{suffix}")})
