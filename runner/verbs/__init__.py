"""What the command line does beside running experiments: a verb a file, imported when called."""

from importlib import import_module
from typing import Protocol, cast

# Each is a module here with a function ``run``.
VERBS = ("schema", "sync", "ui", "validate")


class Verb(Protocol):
    """Does what the rest of the command line asks for."""

    def __call__(self, arguments: list[str]) -> int:
        """Returns the exit status of `arguments`, what stands behind the verb."""


def find_verb(name: str) -> Verb | None:
    """Returns the verb called `name`; None where it is none, but an override or a flag."""
    if name not in VERBS:
        return None
    return cast(Verb, import_module(f"{__name__}.{name}").run)
