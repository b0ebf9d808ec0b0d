"""Classes of the project's and the user's own, which ``class:`` names. No TensorFlow.

A class is read from its source for the checks and imported only to build it. Its module is one of
``models`` or one that the user trusts, so that a configuration cannot name arbitrary code.
"""

import ast
import importlib
import importlib.util
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from models.problems import ConfigError, Problem, did_you_mean, expected
from models.registry import NOUNS, Argument, Kind, Signature, names_of, signature_of

OWN_MODULES = ("models",)

# What every Keras object of a kind takes, through the **kwargs of a class's constructor.
_COMMON: dict[Kind, tuple[str, ...]] = {
    "layers": ("activity_regularizer", "trainable", "dtype", "autocast", "name"),
    "losses": ("name", "reduction", "dtype"),
    "metrics": ("name", "dtype"),
}
_PLAIN_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
# Where pip installs what is not edited in place.
_INSTALLED = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
_BASES = ("Layer", "Model", "Loss", "Metric", "Initializer", "Regularizer", "Constraint")


def read_signature(
    path: str, kind: Kind, reference: object, trusted: Sequence[str]
) -> tuple[str, Signature] | Problem:
    """Returns the name and the signature of a class, or what is wrong with its reference.

    Args:
        path: The place of `reference` in the configuration.
        kind: What the class is to be.
        reference: ``module.Class``.
        trusted: Modules that may be named beside those of ``models``.
    """
    if not isinstance(reference, str) or "." not in reference:
        return expected(path, "a class such as models.layers.sampling.Sampling", reference)
    module, _, name = reference.rpartition(".")
    if not is_trusted(module, trusted):
        hint = f"Add it, if you trust its code: trusted_modules=[{module}]."
        listed = ", ".join((*OWN_MODULES, *trusted))
        return expected(path, f"a class of a trusted module ({listed})", reference, hint)
    source = _find_source(module)
    if source is None:
        return expected(path, f"a module that is there in {reference!r}", module)
    classes = _read_classes(source)
    if name not in classes:
        return expected(path, f"a class of {module}", name, did_you_mean(name, list(classes)))
    return name, _read_class(classes[name], kind)


def import_class(path: str, kind: Kind, reference: str, parent: type) -> Any:
    """Returns the class that `reference` names.

    Args:
        path: The place of `reference` in the configuration.
        kind: What the class is to be.
        reference: ``module.Class``, in which ``read_signature`` found nothing.
        parent: The Keras class of that kind.

    Raises:
        ConfigError: If it is no subclass of `parent`.
    """
    module, _, name = reference.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, parent)):
        what = f"{NOUNS[kind]}, a subclass of keras.{parent.__name__}"
        raise ConfigError([expected(path, what, reference)])
    return found


def list_classes(declared: object) -> Iterator[str]:
    """Yields the ``module.Class`` that each ``class`` in `declared`, a tree of YAML, names."""
    if isinstance(declared, Mapping):
        reference = declared.get("class")
        if isinstance(reference, str):
            yield reference
        for value in declared.values():
            yield from list_classes(value)
    elif isinstance(declared, list):
        for value in declared:
            yield from list_classes(value)


def locate_code(references: Iterable[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Returns where the code of classes is: files and folders, and installed distributions.

    Args:
        references: Each ``module.Class``, whose module has been imported.
    """
    code: dict[Path, None] = {}
    requirements: dict[str, None] = {}
    for name in sorted({reference.partition(".")[0] for reference in references}):
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        places = list(spec.submodule_search_locations or ()) or [spec.origin or ""]
        if Path(places[0]).parent in _INSTALLED:
            for distribution in metadata.packages_distributions().get(name, ()):
                requirements[f"{distribution}=={metadata.version(distribution)}"] = None
        else:
            code[Path(places[0])] = None
    return tuple(code), tuple(requirements)


def is_trusted(module: str, trusted: Sequence[str]) -> bool:
    """Returns whether `module` is one of ``models``, or is in one of those that are trusted."""
    return any(module == name or module.startswith(f"{name}.") for name in (*OWN_MODULES, *trusted))


def _find_source(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


def _read_classes(source: Path) -> dict[str, ast.ClassDef]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef, kind: Kind) -> Signature:
    doc = (ast.get_docstring(node) or "").partition("\n")[0]
    methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
    arguments: dict[str, Argument] = {}
    passes_on = True
    if "__init__" in methods:
        arguments = _read_arguments(methods["__init__"].args)
        passes_on = methods["__init__"].args.kwarg is not None
    base = _base_name(node)
    if passes_on and base not in _BASES:
        # The arguments of a Keras class are known; those of any other are not.
        inherited = signature_of(kind, base).arguments if base in names_of(kind) else None
        arguments = {**(inherited or {}), **arguments}
        is_open = inherited is None
    else:
        common = _COMMON.get(kind, ("name",)) if passes_on else ()
        arguments = {**arguments, **{name: Argument() for name in common if name not in arguments}}
        is_open = False
    call = _read_call(methods["call"].args) if "call" in methods else ["*"]
    return Signature(doc, arguments, call, is_open)


def _read_arguments(arguments: ast.arguments) -> dict[str, Argument]:
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    first_default = len(positional) - len(arguments.defaults)
    read = {
        argument.arg: Argument(_read_types(argument.annotation), required=index < first_default)
        for index, argument in enumerate(positional)
    }
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        read[argument.arg] = Argument(_read_types(argument.annotation), required=default is None)
    return read


def _read_types(annotation: ast.expr | None) -> tuple[str, ...]:
    """Returns the YAML types of an annotation; none where it is not made of plain types."""
    match annotation:
        case ast.Name(id=name) if name in _PLAIN_TYPES:
            return (_PLAIN_TYPES[name],)
        case ast.Constant(value=None):
            return ("null",)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            sides = _read_types(left), _read_types(right)
            return (*sides[0], *sides[1]) if all(sides) else ()
    return ()


def _read_call(arguments: ast.arguments) -> list[str]:
    names = [argument.arg for argument in (*arguments.args[1:], *arguments.kwonlyargs)]
    is_open = arguments.vararg is not None or arguments.kwarg is not None
    return [name for name in names if name != "training"] + (["*"] if is_open else [])


def _base_name(node: ast.ClassDef) -> str:
    if not node.bases:
        return ""
    match node.bases[0]:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
