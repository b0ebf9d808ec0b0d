"""Which Keras objects a configuration can name, and the arguments each takes. No TensorFlow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

SIGNATURES_FILE = Path(__file__).with_name("signatures.json")

Kind = Literal[
    "layers",
    "applications",
    "optimizers",
    "schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "dtype_policies",
]

NOUNS: dict[Kind, str] = {
    "layers": "a layer",
    "applications": "an application",
    "optimizers": "an optimizer",
    "schedules": "a learning rate schedule",
    "losses": "a loss",
    "metrics": "a metric",
    "initializers": "an initializer",
    "regularizers": "a regularizer",
    "constraints": "a constraint",
    "activations": "an activation",
    "dtype_policies": "a dtype policy",
}

DTYPES = (
    "bfloat16", "bool", "complex128", "complex64", "float16", "float32", "float64", "int16",
    "int32", "int64", "int8", "string", "uint16", "uint32", "uint64", "uint8",
)  # fmt: skip

# A layer's type may also name a whole model of keras.applications.
APPLICATION = "applications."

# Public classes that no configuration can declare, and why.
UNDECLARABLE = {
    "FlaxLayer": "it wraps a module of Flax, which runs on JAX.",
    "InputLayer": "the inputs stand in model.inputs.",
    "JaxLayer": "it wraps a function of JAX.",
    "Lambda": "it takes a function; write a layer of your own and name it by class.",
    "TorchModuleWrapper": "it wraps a module of PyTorch.",
    "Wrapper": "it is abstract; name a wrapper such as TimeDistributed.",
    "MeanMetricWrapper": "it takes a function; write a metric of your own and name it by class.",
    "MultiOptimizer": "it takes a map of Python objects; declare one optimizer.",
    "DTypePolicyMap": "it maps the paths of layers; give each layer a dtype.",
}


@dataclass(frozen=True)
class Argument:
    """One argument of a Keras object.

    Attributes:
        types: The YAML types it may have (``integer``, ``list``, ...); empty where any may be.
        required: Whether it has no default.
        default: Its default, None also where YAML cannot write it.
        choices: The texts it may be; empty where that is not known.
        kind: What it declares, if it is a name or a mapping of its own.
        doc: What its documentation begins with; empty where it has none.
    """

    types: Sequence[str] = ()
    required: bool = False
    default: Any = None
    choices: Sequence[str] = ()
    kind: Kind | None = None
    doc: str = ""


@dataclass(frozen=True)
class Signature:
    """What a Keras class or function takes.

    Attributes:
        doc: The first line of its documentation.
        arguments: The arguments by name, in order.
        call: For a layer, the tensors that its call takes by name; ``*`` where it takes others too.
        is_open: Whether it may take arguments that are not known here.
    """

    doc: str
    arguments: Mapping[str, Argument]
    call: Sequence[str] = ()
    is_open: bool = False


@cache
def _read_file() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(SIGNATURES_FILE.read_text(encoding="utf-8"))
    return read


@cache
def signature_of(kind: Kind, name: str) -> Signature:
    """Returns the signature of a public class or function of Keras."""
    if name.startswith(APPLICATION):
        return signature_of("applications", name.removeprefix(APPLICATION))
    described = _read_file()[kind][name]
    arguments = {
        argument: Argument(**values) for argument, values in described["arguments"].items()
    }
    return Signature(described["doc"], arguments, described.get("call", ()))


@cache
def names_of(kind: Kind) -> tuple[str, ...]:
    """Returns what a mapping's ``type`` may be, sorted."""
    names = [name for name in _read_file()[kind] if name not in UNDECLARABLE]
    if kind == "layers":
        names += [f"{APPLICATION}{name}" for name in _read_file()["applications"]]
    return tuple(names)


@cache
def texts_of(kind: Kind) -> tuple[str, ...]:
    """Returns what stands for an object of `kind` without arguments, such as ``he_normal``."""
    if kind == "dtype_policies":
        return (*DTYPES, "mixed_bfloat16", "mixed_float16")
    return tuple(_read_file()["names"].get(kind, names_of(kind)))
