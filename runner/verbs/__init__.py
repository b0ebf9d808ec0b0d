"""What the command line does beside running experiments: a verb a file, imported when called."""

import re
from importlib import import_module
from typing import Protocol, cast

from models.problems import ConfigError, Problem, did_you_mean

# Each is a module here with a function ``run``.
VERBS = (
    "diff",
    "export",
    "gc",
    "help",
    "rerun",
    "runs",
    "schema",
    "show",
    "sync",
    "ui",
    "validate",
)

# An override has a = or a ~, a flag begins with a -.
_WORD = re.compile(r"[A-Za-z][\w-]*")


class Verb(Protocol):
    """Does what the rest of the command line asks for."""

    def __call__(self, arguments: list[str]) -> int:
        """Returns the exit status of `arguments`, what stands behind the verb."""


def find_verb(name: str) -> Verb | None:
    """Returns the verb called `name`; None where it is none, but an override or a flag.

    Raises:
        ConfigError: If it is neither.
    """
    if name in VERBS:
        return cast(Verb, import_module(f"{__name__}.{name}").run)
    if _WORD.fullmatch(name):
        message = "there is no such verb, and an override has a =, such as model=mlp."
        raise ConfigError([Problem(name, f"{message} {did_you_mean(name, VERBS)}")])
    return None
