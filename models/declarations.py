"""What is wrong with a mapping that declares a Keras object. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from models.classes import read_signature
from models.files import read_file_signature
from models.problems import Problem, did_you_mean, expected, nearest
from models.registry import (
    NOUNS,
    UNDECLARABLE,
    Argument,
    Kind,
    Signature,
    names_of,
    signature_of,
    texts_of,
)

_TYPES: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "boolean": ("true or false", bool),
    "integer": ("an integer", int),
    "number": ("a number", (int, float)),
    "string": ("a text", str),
    "list": ("a list", (list, tuple)),
    "mapping": ("a mapping", Mapping),
    "null": ("null", type(None)),
}


def is_declaration(value: object) -> bool:
    """Returns whether `value` declares a Keras object: a mapping with ``type`` or ``class``."""
    return isinstance(value, Mapping) and ("type" in value or "class" in value)


def call_arguments(spec: Mapping[str, Any], trusted: Sequence[str] = ()) -> Sequence[str]:
    """Returns the tensors that a call of a declared layer takes by name; none if not known."""
    found = _find_signature("", "layers", spec, trusted)
    return () if isinstance(found, Problem) else found[1].call


def check_call(
    path: str,
    kind: Kind,
    spec: object,
    *,
    named: bool = False,
    ignored: Sequence[str] = (),
    trusted: Sequence[str] = (),
) -> list[Problem]:
    """Returns what is wrong with a mapping of a ``type`` or ``class`` and its arguments.

    Args:
        path: The place of `spec` in the configuration.
        kind: The module of Keras that ``type`` is looked up in.
        spec: What stands there.
        named: Whether the key that `spec` stands under is its name, so that it takes no ``name``.
        ignored: Keys of `spec` that are not arguments.
        trusted: Modules of the user's own that ``class`` may name.
    """
    return list(_check_call(path, kind, spec, named, ignored, trusted))


def describe_types(declared: Argument) -> str:
    """Returns what an argument may be, as a message says it after "expected"."""
    if declared.kind == "layers":
        return "a mapping with the type of a layer"
    if declared.kind == "schedules":
        return "a number or a mapping with the type of a learning rate schedule"
    if declared.kind:
        return f"{NOUNS[declared.kind]} by name or as a mapping"
    names = [name for name in _TYPES if name in declared.types]
    if "number" in names and "integer" in names:
        names.remove("integer")
    return " or ".join(_TYPES[name][0] for name in names)


def _check_call(
    path: str,
    kind: Kind,
    spec: object,
    named: bool,
    ignored: Sequence[str],
    trusted: Sequence[str],
) -> Iterator[Problem]:
    if not isinstance(spec, Mapping):
        yield expected(path, f"a mapping with the type of {NOUNS[kind]}", spec)
        return
    found = _find_signature(path, kind, spec, trusted)
    if isinstance(found, Problem):
        yield found
        return
    name, signature = found
    given = {
        argument: value
        for argument, value in spec.items()
        if argument not in ("type", "class", *ignored)
    }
    if not signature.is_open:
        for argument in given:
            if argument not in signature.arguments and argument != "name":
                yield Problem(path, _unknown_argument(name, argument, list(signature.arguments)))
    if named and "name" in given:
        yield Problem(f"{path}.name", "the key is the name; remove this argument.")
    for argument, declared in signature.arguments.items():
        if declared.required and argument not in given:
            yield Problem(path, f"{name} needs the argument {argument!r}.")
    for argument, value in given.items():
        declared = signature.arguments.get(argument, Argument())
        yield from _check_value(f"{path}.{argument}", value, declared, trusted)


def _find_signature(
    path: str, kind: Kind, spec: Mapping[str, Any], trusted: Sequence[str]
) -> tuple[str, Signature] | Problem:
    """Returns the name and the signature of what `spec` declares, or why there is none."""
    if "file" in spec and kind == "layers" and "type" not in spec and "class" not in spec:
        return read_file_signature(f"{path}.file", spec["file"])
    if "class" in spec:
        if "type" in spec:
            return Problem(path, "expected either a type of Keras's or a class of your own.")
        return read_signature(f"{path}.class", kind, spec["class"], trusted)
    module = "layers" if kind == "applications" else kind
    if "type" not in spec:
        what = f"Name one of keras.{module}."
        return expected(f"{path}.type", NOUNS[kind], None, what)
    name = spec["type"]
    if name in UNDECLARABLE:
        return Problem(f"{path}.type", f"{name} cannot be declared: {UNDECLARABLE[name]}")
    names = names_of(kind)
    if kind == "activations" and name not in names and name in names_of("layers"):
        return name, signature_of("layers", name)  # such as LeakyReLU
    if name not in names:
        return expected(f"{path}.type", NOUNS[kind], name, did_you_mean(name, names))
    return name, signature_of(kind, name)


def _check_value(
    path: str, value: object, declared: Argument, trusted: Sequence[str]
) -> Iterator[Problem]:
    """Yields what is wrong with an argument's value."""
    if isinstance(value, list) and declared.kind == "layers":
        for index, item in enumerate(value):
            yield from _check_call(f"{path}[{index}]", "layers", item, False, (), trusted)
    elif isinstance(value, Mapping) and declared.kind:
        yield from _check_call(path, declared.kind, value, False, (), trusted)
    elif is_declaration(value):
        yield from _check_call(path, "layers", value, False, (), trusted)
    elif not _has_type(value, declared.types):
        yield expected(path, describe_types(declared), value)
    elif isinstance(value, str) and declared.kind:
        yield from _check_text(path, value, declared.kind)
    elif isinstance(value, str) and declared.choices and value.lower() not in declared.choices:
        what = " or ".join(map(repr, declared.choices))
        near = nearest(value, declared.choices)
        yield expected(path, what, value, f"Did you mean {near!r}?" if near else "")


def _check_text(path: str, text: str, kind: Kind) -> Iterator[Problem]:
    """Yields that no object of `kind` is called `text`."""
    texts = texts_of(kind)
    if text in texts or (kind == "dtype_policies" and "_from_" in text):
        return
    bare = text.replace("_", "").lower()
    needy = [name for name in names_of(kind) if name.lower() == bare]
    if needy:  # Keras knows it, but not without arguments
        hint = f"Write it with its arguments: {{type: {needy[0]}, ...}}."
    else:
        hint = did_you_mean(text, texts)
    yield expected(path, NOUNS[kind], text, hint)


def _has_type(value: object, types: Sequence[str]) -> bool:
    if not types:
        return True
    if isinstance(value, bool):
        return "boolean" in types
    return any(isinstance(value, _TYPES[name][1]) for name in types)


def _unknown_argument(name: str, argument: str, known: list[str]) -> str:
    near = nearest(argument, known)
    if near is not None:
        return f"{name} has no argument {argument!r}; did you mean {near!r}?"
    return f"{name} has no argument {argument!r}; it takes {', '.join(known) or 'none'}."
