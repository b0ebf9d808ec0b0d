"""Parses what stands behind a verb, and says what is wrong with it as of a configuration."""

import argparse
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from models.problems import ConfigError, Problem, did_you_mean

_MISSING = "the following arguments are required: "
_OF_ONE = re.compile(r"argument (?P<name>[^:]+): (?P<message>.+)", re.DOTALL)


class VerbParser(argparse.ArgumentParser):
    """A parser of argparse's that raises ``ConfigError``, and knows which option was meant."""

    def __init__(self, verb: str, description: str, **options: Any) -> None:
        """Takes ``--help`` alone so far.

        Args:
            verb: The verb that it is of.
            description: What that does, in a sentence.
            options: What else argparse's parsers take.
        """
        super().__init__(prog=f"python -m runner {verb}", description=description, **options)

    # argparse's have overloads for namespaces of other classes, which no verb has.
    def parse_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Returns what `args` are, options in front of the rest or behind it.

        Raises:
            ConfigError: If they are wrong, one is missing, or there is no such option.
        """
        return self._take_all(*self.parse_known_args(args, namespace))

    def parse_intermixed_args(  # type: ignore[override]
        self, args: Sequence[str], namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Returns what `args` are, options at any place.

        Raises:
            ConfigError: If they are wrong, one is missing, or there is no such option.
        """
        return self._take_all(*self.parse_known_intermixed_args(args, namespace))

    def error(self, message: str) -> NoReturn:
        """Raises what argparse says of arguments that are wrong or missing."""
        if message.startswith(_MISSING):
            raise ConfigError(self._describe_missing(message.removeprefix(_MISSING).split(", ")))
        match = _OF_ONE.fullmatch(message)
        name, text = ("command line", message) if match is None else match.group("name", "message")
        raise ConfigError([Problem(name, f"{text}.")])

    def _describe_missing(self, names: Sequence[str]) -> Iterator[Problem]:
        for action in self._actions:
            name = "/".join(action.option_strings) or str(action.metavar or action.dest)
            # Of those of which there may be none argparse says so too.
            if name in names and action.nargs != argparse.ZERO_OR_MORE:
                hint = f"See {self.prog} --help."
                yield Problem(name, f"expected {action.help}; received nothing. {hint}")

    def _take_all(self, parsed: argparse.Namespace, rest: Sequence[str]) -> argparse.Namespace:
        """Returns `parsed`; refuses what no argument took: options, or if there is none, all."""
        known = [name for name in self._option_string_actions if name.startswith("--")]
        unknown = [text.partition("=")[0] for text in rest if text.startswith("-")]
        problems = [
            Problem(name, f"there is no such option. {did_you_mean(name, known)}".rstrip())
            for name in unknown
        ]
        problems = problems or [Problem(text, "nothing is expected here.") for text in rest]
        if problems:
            raise ConfigError(problems)
        return parsed
