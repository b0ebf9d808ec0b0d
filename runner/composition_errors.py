"""Says what Hydra and OmegaConf found wrong, in the form of our own problems."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    InterpolationKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)
from yaml import Mark, MarkedYAMLError, YAMLError

from models.problems import Problem, did_you_mean, expected
from runner.paths import show_path

_CONVERSION = re.compile(
    r"Value '(?P<value>.*)' of type '(?P<type>.*)' could not be converted to (?P<wanted>\w+)"
)
_BOOLEAN = re.compile(r"Value '(?P<value>.*)' is not a valid bool")
_ASSIGNMENT = re.compile(r"Cannot assign (?P<type>\w+) to (?P<wanted>\w+)")
_SUBCLASS = re.compile(
    r"Invalid type assigned: \w+ is not a subclass of \w+\. value: (?P<value>.*)"
)
_INCOMPATIBLE = re.compile(
    r"Value '(?P<value>.*)' of type '(?P<type>.*)' is incompatible with type hint '(?P<hint>.*)'"
)
_NO_LIST = re.compile(r"Invalid value assigned: (?P<type>\w+) is not a ListConfig")
_NO_TEXT = re.compile(r"Cannot convert '(?P<type>\w+)' to string: '(?P<value>.*)'")
_NEW_ENTRY = "is not a subclass of"
_OVERRIDE = re.compile(r"(Could not override '|Error merging override \+*)(?P<path>[^'=]+)")
_MERGED = re.compile(r"Error merging override (?P<override>.+)")
_DUPLICATE = re.compile(r"found duplicate key (?P<key>.*)")
_WANTED = {
    "Integer": "a whole number",
    "Float": "a number",
    "Boolean": "true or false",
    "String": "a text",
}


def explain(error: Exception) -> Problem | None:
    """Returns the problem that `error` reports, or None if it is none of a configuration."""
    match error:
        case MissingConfigException(missing_cfg_file=str(missing), options=list(options)):
            group, name = str(PurePosixPath(missing).parent), PurePosixPath(missing).name
            what = f"one of {', '.join(options)}"
            return expected(group, what, name, _suggest_near(name, options))
        case OverrideParseException():
            reason = _first_line(
                error.message.replace(f"Error parsing override '{error.override}'", "")
            )
            return Problem(error.override, f"cannot be read as key=value: {reason}.")
        case ConfigCompositionException(__context__=OmegaConfBaseException() as cause):
            problem = _explain_omegaconf(cause, str(error))
            match = _MERGED.match(str(error))
            return (
                problem
                if match is None
                else replace(problem, notes=(f"command line: {match['override']}",))
            )
        case OmegaConfBaseException():
            return _explain_omegaconf(error, "")
        case HydraException():
            return Problem("command line", _first_line(str(error)))
        case MarkedYAMLError(problem_mark=mark) if mark is not None:
            return _explain_yaml(error, mark)
        case YAMLError():
            return Problem("YAML", " ".join(str(error).split()))
    return None


def _explain_yaml(error: MarkedYAMLError, mark: Mark) -> Problem:
    """Explains what PyYAML, or OmegaConf's loader on top of it, found at a line of a file."""
    file = show_path(Path(mark.name))
    reason = str(error.problem)
    if match := _DUPLICATE.fullmatch(reason):
        reason = f"a second entry {match['key']!r} in one mapping; rename one of them"
    elif error.context:
        reason = f"{error.context} {reason}"
    return Problem(f"{file}:{mark.line + 1}", f"{reason}.")


def _explain_omegaconf(error: OmegaConfBaseException, context: str) -> Problem:
    path = _complete(str(error.full_key or error.key or "configuration"), error, context)
    match error:
        case MissingMandatoryValue():
            return expected(path, "a value", "???", f"Set {path}=VALUE.")
        case InterpolationKeyError():
            return _explain_interpolation(path, error)
        case ConfigAttributeError() | ConfigKeyError():
            return _explain_key(path, error, context)
        case ValidationError():
            return _explain_new_entry(error, context) or _explain_value(path, error)
    return Problem(path, _first_line(str(error)))


def _complete(path: str, error: OmegaConfBaseException, context: str) -> str:
    """Returns the whole of a path that begins within a list of an override's value."""
    override = _OVERRIDE.match(context)
    if override is None or path.split(".")[0] == override["path"].split(".")[0]:
        return path
    if _NEW_ENTRY in str(error):
        return path
    return f"{override['path']}.{path}"


def _explain_key(path: str, error: OmegaConfBaseException, context: str) -> Problem:
    parent = error.parent_node
    known = list(map(str, parent)) if isinstance(parent, DictConfig) else []
    _, _, name = path.rpartition(".")
    group = path[: -len(name)].rstrip(".") or "the configuration"
    hint = did_you_mean(name, known)
    place = re.match(r"In '(?P<file>[^']+)'", context)
    where = f" (in conf/{place['file']}.yaml)" if place else ""
    return expected(path, f"a key of {group}{where}", name, hint)


def _explain_new_entry(error: OmegaConfBaseException, context: str) -> Problem | None:
    """Explains that OmegaConf does not add a typed entry to a mapping by its dotted path."""
    place = re.match(r"Error merging override \+*(?P<path>[^=]+)=", context)
    name = str(error.full_key)
    if place is None or _NEW_ENTRY not in str(error) or "." in name:
        return None
    parent = place["path"].partition(f".{name}")[0]
    return Problem(
        f"{parent}.{name}", f"is not there yet; add the whole of it: {parent}={{{name}: {{...}}}}."
    )


def _explain_value(path: str, error: OmegaConfBaseException) -> Problem:
    message = _first_line(str(error))
    if match := _CONVERSION.match(message):
        wanted = _WANTED.get(match["wanted"], match["wanted"])
        return Problem(path, f"expected {wanted}; received {match['value']!r} ({match['type']}).")
    if match := _BOOLEAN.match(message):
        return expected(path, "true or false", match["value"])
    if match := _ASSIGNMENT.match(message):
        wanted = "a list" if match["wanted"].startswith("List") else "a mapping"
        return Problem(path, f"expected {wanted}; received a value of type {match['type']}.")
    if match := _SUBCLASS.match(message):
        return expected(path, "a mapping", match["value"])
    if match := _INCOMPATIBLE.match(message):
        wanted = "a text, true or false" if "Union[str, bool]" in match["hint"] else match["hint"]
        return Problem(path, f"expected {wanted}; received {match['value']} ({match['type']}).")
    if match := _NO_TEXT.match(message):
        return Problem(path, f"expected a text; received {match['value']} ({match['type']}).")
    if match := _NO_LIST.match(message):
        return Problem(path, f"expected a list; received a value of type {match['type']}.")
    if "is not Optional" in message:
        return expected(path, "a value", None)
    return Problem(path, f"{message}.")


def _explain_interpolation(path: str, error: OmegaConfBaseException) -> Problem:
    message = _first_line(str(error))
    match = re.search(r"Interpolation key '(.*)' not found", message)
    if match is None or not isinstance(error.parent_node, DictConfig):
        return Problem(path, message)
    root = error.parent_node._get_root()
    hint = _suggest_near(match[1], list(_paths(root))) if isinstance(root, DictConfig) else ""
    received = f"${{{match[1]}}}"
    return expected(path, "an interpolation of a value that is there", received, hint)


def _paths(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = node._get_node(key)
        if (
            isinstance(child, DictConfig)
            and child._is_none() is False
            and not child._is_interpolation()
        ):
            yield from _paths(child, f"{prefix}{key}.")


def _suggest_near(name: str, options: list[str]) -> str:
    hint = did_you_mean(name, options)
    return hint if hint.startswith("Did you mean") else ""


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
