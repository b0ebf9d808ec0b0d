"""How a wrong configuration is reported: every problem with its place, together."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a configuration.

    Attributes:
        path: The dotted place in the configuration, such as ``model.layers.conv1``.
        message: What was expected, what came, and what to do.
        notes: Further lines, such as the shapes on the way to a layer.
    """

    path: str
    message: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns the line that a user reads."""
        return f"{self.path}: {self.message}"


class ConfigError(Exception):
    """A configuration cannot be run; holds all problems found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Gathers `problems` into one report."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def expected(path: str, what: str, received: object, hint: str = "") -> Problem:
    """Returns the problem that `what` was expected at `path` and `received` came.

    Args:
        path: The dotted place in the configuration.
        what: A noun phrase without a full stop.
        received: The value found; shown with its type.
        hint: A whole sentence that says what to do.
    """
    message = f"expected {what}; received {received!r} ({type(received).__name__})."
    return Problem(path, f"{message} {hint}".rstrip())


def nearest(name: object, candidates: Iterable[str]) -> str | None:
    """Returns the candidate most like `name`, ignoring case, or None if none is near."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def did_you_mean(name: object, candidates: Sequence[str]) -> str:
    """Returns a sentence that offers the nearest candidate, or lists them if none is near."""
    near = nearest(name, candidates)
    if near is not None:
        return f"Did you mean {near!r}?"
    if len(candidates) > 20:
        return ""
    return f"Choose from {', '.join(candidates)}." if candidates else ""
