"""Writes ``signatures.json``: the arguments that the installed Keras classes and functions take.

The file lets a configuration be checked before TensorFlow is imported. Write it anew with
``python -m models.signatures`` after an update of Keras; a test holds it to the installed version.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras

from models.registry import SIGNATURES_FILE

# What an argument of this name declares, if it is a name or a mapping of its own.
_KINDS = (
    (re.compile(r"(.+_)?initializer"), "initializers"),
    (re.compile(r"(.+_)?regularizer"), "regularizers"),
    (re.compile(r"(.+_)?constraint"), "constraints"),
    (re.compile(r"(.+_)?activation"), "activations"),
    (re.compile(r"dtype"), "dtype_policies"),
    (re.compile(r"learning_rate"), "schedules"),
    (re.compile(r"inner_optimizer"), "optimizers"),
    (re.compile(r"layer|backward_layer|cell|cells|layers"), "layers"),
)

# Lengths and places for which Keras takes one number, or a list of one for each axis.
_BY_AXIS = re.compile(r"axis|axes|dilation_rate|kernel_size|output_padding|pool_size|strides")

# What Keras takes though its documentation does not say so; a test holds Keras to each.
_UNDOCUMENTED = {
    ("CosineDecay", "decay_steps"): ("number",),
    ("CosineDecay", "warmup_steps"): ("number",),
    ("CosineDecayRestarts", "first_decay_steps"): ("number",),
    ("EinsumDense", "output_shape"): ("integer",),
    ("ExponentialDecay", "decay_steps"): ("number",),
    ("GRU", "use_cudnn"): ("boolean",),
    ("InverseTimeDecay", "decay_steps"): ("number",),
    ("LSTM", "use_cudnn"): ("boolean",),
    ("MultiHeadAttention", "output_shape"): ("integer",),
    ("PolynomialDecay", "decay_steps"): ("number",),
    ("Rescaling", "offset"): ("list",),
    ("Rescaling", "scale"): ("list",),
}

# Names of earlier versions of Keras, some of which this one still takes.
_OLD_NAMES = ("l1_l2", "normal", "one", "uniform", "zero")

# The words by which Keras's documentation says what an argument may be.
_WORDS = (
    ("boolean", re.compile(r"\b(bool|boolean)\b", re.I)),
    ("integer", re.compile(r"\b(ints?|integers?|number of)\b|^size of", re.I)),
    ("number", re.compile(r"\b(floats?|floating|number(?! of)|probability|fraction)\b", re.I)),
    ("string", re.compile(r"\b(strings?|str|name of|path)\b", re.I)),
    ("list", re.compile(r"\b(tuples?|lists?|arrays?|array_like|tensor|matrix|sequence)\b", re.I)),
    ("mapping", re.compile(r"\b(dict|dictionary)\b", re.I)),
)
_FREE = re.compile(r"\b(callable|function|instance|object)\b", re.I)
_CHOICES = re.compile(r"(one of|either|supported values:|available values are|options are)", re.I)
_QUOTED = re.compile(r"[`\"']+([a-z][a-z0-9_]*)[`\"']+")
_LITERAL = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)")
_SENTENCE = re.compile(r"(?<=[^.])\.(\s|$)")
_PERIOD = re.compile(r"(?<=[^.])(?<!\be\.g)(?<!\bi\.e)(?<!\bie)(?<!\beg)\.(?:\s|$)")
_LINK = re.compile(r"\[([^\]]*)\]\(\s*http[^)]*\)|(?: from)? https?://\S+")

# A sentence of fewer letters, such as "Float, defaults to 0.99.", often names a type alone.
_TELLING = 30


def read_signatures() -> dict[str, Any]:
    """Returns, by kind and name, the first line of documentation, arguments and call arguments."""
    schedules = keras.optimizers.schedules
    return {
        "keras": keras.__version__,
        "layers": _describe_classes(keras.layers, keras.layers.Layer),
        "applications": _describe_applications(),
        "optimizers": _describe_classes(keras.optimizers, keras.optimizers.Optimizer),
        "schedules": _describe_classes(schedules, schedules.LearningRateSchedule),
        "losses": _describe_classes(keras.losses, keras.losses.Loss),
        "metrics": _describe_classes(keras.metrics, keras.metrics.Metric),
        "initializers": _describe_classes(keras.initializers, keras.initializers.Initializer),
        "regularizers": _describe_classes(keras.regularizers, keras.regularizers.Regularizer),
        "constraints": _describe_classes(keras.constraints, keras.constraints.Constraint),
        "dtype_policies": _describe_classes(keras.dtype_policies, object),
        "activations": _describe_activations(),
        "names": {
            kind: _names(getattr(keras, kind), parent)
            for kind, parent in (
                ("initializers", keras.initializers.Initializer),
                ("regularizers", keras.regularizers.Regularizer),
                ("constraints", keras.constraints.Constraint),
            )
        },
    }


def _describe_classes(module: Any, parent: type) -> dict[str, Any]:
    """Describes the public subclasses of `parent` in `module`, `parent` itself left out."""
    return {
        name: _describe_class(cls, parent)
        for name, cls in sorted(vars(module).items())
        if inspect.isclass(cls) and issubclass(cls, parent) and cls is not parent
    }


def _describe_class(cls: type, parent: type) -> dict[str, Any]:
    described = {"doc": _first_line(cls), "arguments": dict(_constructor_arguments(cls, parent))}
    if issubclass(cls, keras.layers.Layer):
        described["call"] = _call_arguments(cls)
    return described


def _describe_applications() -> dict[str, Any]:
    return {
        name: {
            "doc": _first_line(build),
            "arguments": {
                parameter.name: _describe_argument(parameter, [build])
                for parameter in inspect.signature(build).parameters.values()
            },
            "call": ["inputs", "mask"],
        }
        for name, build in sorted(vars(keras.applications).items())
        if inspect.isfunction(build)
    }


def _describe_activations() -> dict[str, Any]:
    activations = {
        name: function
        for name, function in sorted(vars(keras.activations).items())
        if inspect.isfunction(function) and name not in ("get", "serialize", "deserialize")
    }
    return {
        name: {
            "doc": _first_line(function),
            "arguments": {
                parameter.name: _describe_argument(parameter, [function])
                for parameter in list(inspect.signature(function).parameters.values())[1:]
            },
        }
        for name, function in activations.items()
    }


def _names(module: Any, parent: type) -> list[str]:
    """Returns every text that `module` takes for one of its objects, in the order of the text."""
    public = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, parent) and value is not parent
    ]
    snake_case = [keras.src.utils.naming.to_snake_case(name) for name in public]
    aliases = [name for name in vars(module) if name.islower() and not name.startswith("_")]
    names = {*public, *snake_case, *aliases, *_OLD_NAMES} - {"get", "serialize", "deserialize"}
    return sorted(name for name in names if _is_taken(module, name))


def _is_taken(module: Any, name: str) -> bool:
    try:
        module.get(name)
    except (ValueError, TypeError, KeyError):  # not known, or not without arguments
        return False
    return True


def _constructor_arguments(cls: type, stop: type) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the arguments of `cls`, in the order of its constructor.

    Where a constructor passes ``**kwargs`` on, the arguments of the next class towards `stop` that
    takes them are added.
    """
    known: set[str] = set()
    resolution = inspect.getmro(cls)
    owner = next(ancestor for ancestor in resolution if "__init__" in vars(ancestor))
    passed = ""  # what the classes before set themselves, as a Conv1D sets its rank
    for ancestor in resolution[resolution.index(owner) :]:
        if "__init__" not in vars(ancestor) or ancestor is object:
            continue
        parameters = list(inspect.signature(vars(ancestor)["__init__"]).parameters.values())[1:]
        passes_on = False
        for parameter in parameters:
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                passes_on = True
            elif (
                parameter.kind is not inspect.Parameter.VAR_POSITIONAL
                and parameter.name not in known
                and not _is_passed(parameter.name, passed)
                and (ancestor is owner or _takes(cls, parameter.name))
            ):
                known.add(parameter.name)
                described = _describe_argument(parameter, resolution)
                if ancestor is not owner:
                    described.pop("required", None)
                yield parameter.name, described
        if not passes_on or ancestor is stop:
            return
        passed += inspect.getsource(vars(ancestor)["__init__"])


def _takes(cls: type, argument: str) -> bool:
    """Returns whether `cls` takes an argument of its base; some image layers refuse ``factor``."""
    return argument != "factor" or getattr(cls, "_USE_BASE_FACTOR", True)


def _is_passed(argument: str, source: str) -> bool:
    """Returns whether the source of a constructor gives its parent's `argument` itself."""
    return re.search(rf"\b{argument}=|super\(\).__init__\(\s*{argument}\b", source) is not None


def _call_arguments(cls: Any) -> list[str]:
    """Returns the tensors that a layer's call takes, ``*`` last where it takes others too."""
    names = []
    for parameter in list(inspect.signature(cls.call).parameters.values())[1:]:
        if parameter.kind in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        ):
            names.append("*")
        elif parameter.name != "training":
            names.append(parameter.name)
    return names


def _describe_argument(
    parameter: inspect.Parameter, documented: list[Callable[..., Any]] | tuple[type, ...]
) -> dict[str, Any]:
    """Returns the types, the default, the choices and the documentation of one argument.

    Args:
        parameter: The argument.
        documented: Where it may be documented, in the order of precedence.
    """
    text = next(filter(None, (_documentation(parameter.name, one) for one in documented)), "")
    kind = next((kind for name, kind in _KINDS if name.fullmatch(parameter.name)), None)
    choices = [] if kind else _choices(parameter, text)
    types = _types(parameter, text, kind, choices)
    if types:
        types = sorted({*types, *_UNDOCUMENTED.get((documented[0].__name__, parameter.name), ())})
    described: dict[str, Any] = {"types": types}
    if parameter.default is inspect.Parameter.empty:
        described["required"] = True
    elif _is_plain(parameter.default):
        described["default"] = _without_tuples(parameter.default)
    if choices:
        described["choices"] = choices
    if kind:
        described["kind"] = kind
    doc = _first_sentence(text)
    if doc:
        described["doc"] = doc
    return described


def _types(
    parameter: inspect.Parameter, text: str, kind: str | None, choices: list[str]
) -> list[str]:
    """Returns what YAML may give; nothing where neither default nor documentation tells."""
    default = parameter.default
    if kind == "layers":
        return ["list", "mapping", *(["null"] if default is None else [])]
    if kind == "optimizers":
        return ["mapping"]
    if kind == "schedules":
        return ["mapping", "number"]
    if kind:
        return ["mapping", "null", "string"]
    if parameter.name == "seed":
        return ["integer", "null"]
    if isinstance(default, bool):
        return ["boolean"]
    first = _SENTENCE.split(text, maxsplit=1)[0]
    if choices:
        types = {"string"}
    elif _BY_AXIS.fullmatch(parameter.name):
        types = {"integer", "list"}
    else:
        types = _documented_types(parameter, first, text)
        if not types:
            return []
    if default is None or re.search(r"\bNone\b", text):
        types.add("null")
    return sorted(types)


def _documented_types(parameter: inspect.Parameter, first: str, text: str) -> set[str]:
    """Returns what the first sentence of the documentation and the default say together."""
    if _FREE.search(first):
        return set()
    default = parameter.default
    words = _LITERAL.sub(" ", first)
    documented = {name for name, pattern in _WORDS if pattern.search(words)}
    if not documented and default is inspect.Parameter.empty:
        words = _LITERAL.sub(" ", text)
        documented = {name for name, pattern in _WORDS if pattern.search(words)}
    of_default = _default_type(default)
    if not documented and of_default in ("integer", "number", "list"):
        # A number may be written where Keras takes one for each axis.
        documented = {"number", "list"}
    if of_default not in (None, "null"):
        documented.add(str(of_default))
    return documented


def _default_type(default: object) -> str | None:
    match default:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list() | tuple():
            return "list"
        case dict():
            return "mapping"
    return None


def _choices(parameter: inspect.Parameter, text: str) -> list[str]:
    """Returns the names that the documentation lists, where it lists all."""
    default = parameter.default
    sentences = _SENTENCE.split(text)
    for sentence in sentences if isinstance(default, str) else sentences[:1]:
        match = _CHOICES.search(sentence or "")
        if match is None:
            continue
        listed = sorted(set(_QUOTED.findall(sentence[match.start() :])))
        if len(listed) > 1 and (default in listed or not isinstance(default, str)):
            return listed
    return []


def _documentation(argument: str, documented: Callable[..., Any]) -> str:
    """Returns what the documentation of a class or function says of an argument."""
    lines = (inspect.getdoc(documented) or "").splitlines()
    for number, line in enumerate(lines):
        match = re.match(rf"(\s*)`?{re.escape(argument)}`?:\s*(.*)", line)
        if match is None:
            continue
        text = [match[2]]
        for following in lines[number + 1 :]:
            is_deeper = len(following) - len(following.lstrip()) > len(match[1])
            if not following.strip() or not is_deeper:
                break
            text.append(following.strip())
        return " ".join(text)
    return ""


def _first_line(documented: Callable[..., Any]) -> str:
    lines = (inspect.getdoc(documented) or "").strip().splitlines()
    return _without_links(lines[0]) if lines else ""


def _without_links(text: str) -> str:
    return _LINK.sub(r"\1", text)


def _first_sentence(text: str) -> str:
    """Returns the first sentence, and those after it while they say no more than a type."""
    doc = ""
    for sentence in filter(None, map(str.strip, _PERIOD.split(_without_links(text)))):
        doc = f"{doc} {sentence.rstrip('.:')}.".lstrip()
        if len(doc) > _TELLING:
            break
    return doc


def _without_tuples(value: object) -> object:
    """Returns `value` as JSON gives it back."""
    return list(map(_without_tuples, value)) if isinstance(value, list | tuple) else value


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def main() -> None:
    """Writes the file beside this module."""
    text = json.dumps(read_signatures(), indent=1)
    # A list of plain values on one line: a change of Keras reads as a change of that line.
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda match: f"[{_one_line(match[1])}]", text)
    SIGNATURES_FILE.write_text(text + "\n", encoding="utf-8")


def _one_line(items: str) -> str:
    return " ".join(items.split())


if __name__ == "__main__":
    main()
