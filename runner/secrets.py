"""Keeps secrets and the home folder out of what leaves for the store, the log and a run's folder.

What is known to be a secret is replaced wherever it stands in a text:

- the value of an environment variable whose name says that it is one, and of each that the
  configuration reads by ``${oc.env:NAME}``;
- what is set under a key that says so, in a file or on the command line;
- the password of an address; of an address, the whole user information.

Text leaves by the spool of a run, by the log and by the files in a run's folder, and nowhere else
is this called for.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

# In YAML a text, and in an override what Hydra refuses, so that nobody takes it for a value.
MASK = "<secret>"

# Shorter ones are words that stand in texts for something else.
_LEAST_LETTERS = 6
_SECRET = re.compile(
    "passw(or)?d|passphrase|secret|credential|(api|access|private)_?key", re.IGNORECASE
)
_TOKEN = re.compile(r"(?<![a-z])(tokens?|pwd|pass)(?![a-z])", re.IGNORECASE)
# What stands under them has names of Keras's or the user's own, of which many are tokens.
_OF_MODELS = re.compile(
    r"(model|fetches|feeds|optimizer|data\.(columns|features|labels|pad|preprocess|records))\."
)
# The variable that a shell names the current folder by.
_FOLDER = "PWD"
# Hydra writes a colon in an override with a backslash.
_USER = re.compile(r"(?P<scheme>[a-z][a-z\d+.-]*\\*://)(?P<user>[^\s/?#'\"<>]*)@", re.IGNORECASE)
# Not within a longer path, but after what a line break is written as.
_BEFORE_HOME = r"(?:(?<=\\[nrt])|(?<![\w.~-]))"


class Redactor:
    """What is to be replaced in texts, and by what."""

    def __init__(self, home: Path | None) -> None:
        """Knows no secret yet.

        Args:
            home: The folder that is written ``~``; None for none.
        """
        self._shown: dict[str, str] = {}
        self._known: re.Pattern[str] | None = None
        self._home: re.Pattern[str] | None = None
        if home is not None and home != home.parent:
            places = "|".join(re.escape(str(one)) for one in dict.fromkeys((home, home.resolve())))
            self._home = re.compile(rf"{_BEFORE_HOME}(?:{places})(?![\w-])")

    def learn(self, secrets: Mapping[str, str]) -> None:
        """Adds secrets, each with what is shown in its place; one of fewer than 6 letters is none.

        As they are, and as they stand in an address and in JSON.
        """
        before = len(self._shown)
        for secret, shown in secrets.items():
            short = self._shorten(secret)
            for form in (short, quote(secret, safe=""), json.dumps(short)[1:-1]):
                if len(form) >= _LEAST_LETTERS:
                    self._shown.setdefault(form, shown)
        if len(self._shown) > before:
            longest_first = sorted(self._shown, key=len, reverse=True)
            self._known = re.compile("|".join(map(re.escape, longest_first)))

    def redact(self, text: str) -> str:
        """Returns `text` without secrets, user information and the home folder."""
        if "://" in text:
            text = _USER.sub(r"\g<scheme>", text)
        text = self._shorten(text)
        if self._known is not None:
            text = self._known.sub(lambda match: self._shown[match[0]], text)
        return text

    def _shorten(self, text: str) -> str:
        return text if self._home is None else self._home.sub("~", text)


_redactor = Redactor(Path.home())


class RedactingFormatter(logging.Formatter):
    """Formats a line of the log, and the traceback in it, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the text of `record`."""
        return redact(super().format(record))


def redact(text: str) -> str:
    """Returns `text` without what this process knows to be secrets."""
    return _redactor.redact(text)


def redact_all(value: Any) -> Any:
    """Returns `value` with every text in it redacted; arrays and paths are left as they are.

    Args:
        value: Dataclasses, mappings, lists and tuples, as they lie in one another. A field of a
            dataclass whose metadata has ``is_shown: False`` is left alone.
    """
    if isinstance(value, str):
        return redact(value)
    if is_dataclass(value) and not isinstance(value, type):
        shown = (one.name for one in fields(value) if one.metadata.get("is_shown", True))
        items = {name: getattr(value, name) for name in shown}
        changed = _redact_items(items)
        return replace(value, **changed) if changed else value
    if isinstance(value, Mapping):
        changed = _redact_items(value)
        return {**value, **changed} if changed else value
    if type(value) in (list, tuple):
        changed = _redact_items(dict(enumerate(value)))
        entries = (changed.get(index, one) for index, one in enumerate(value))
        return type(value)(entries) if changed else value
    return value


def _redact_items(items: Mapping[Any, Any]) -> dict[Any, Any]:
    """Returns those of `items` that hold a secret, redacted."""
    redacted = ((key, redact_all(one)) for key, one in items.items())
    return {key: one for key, one in redacted if one is not items[key]}


def redact_files(files: Iterable[Path]) -> None:
    """Rewrites those of `files` that hold a secret."""
    for file in files:
        text = file.read_text(encoding="utf-8")
        redacted = redact(text)
        if redacted != text:
            file.write_text(redacted, encoding="utf-8")


def learn_secrets(secrets: Mapping[str, str]) -> None:
    """Adds to what ``redact`` replaces: secrets, each with what is shown in its place."""
    _redactor.learn(secrets)


def learn_environment(environment: Mapping[str, str]) -> None:
    """Adds the values of variables whose names say that they are secrets, and passwords of URIs."""
    for name, value in environment.items():
        shown = show_variable(name)
        if name != _FOLDER and is_secret(name):
            learn_secrets({value: shown})
        learn_passwords(value, shown)


def learn_passwords(text: str, shown: str = MASK) -> None:
    """Adds the passwords of the addresses in `text`, in whose place `shown` is shown."""
    learn_secrets(dict.fromkeys(_find_passwords(text), shown))


def learn_arguments(arguments: Iterable[str]) -> None:
    """Adds what is set on the command line under keys of secrets, and the passwords of URIs."""
    for argument in arguments:
        learn_passwords(argument)
        key, _, value = argument.partition("=")
        if is_secret(key.lstrip("+~-")):
            # Of a sweep there are several.
            found = [value, *(one.strip("'\" ") for one in value.split(","))]
            learn_secrets(dict.fromkeys(found, MASK))


def show_variable(name: str) -> str:
    """Returns what is shown in the place of the value of an environment variable."""
    return f"${{oc.env:{name}}}"


def is_secret(path: str) -> bool:
    """Returns whether what is set under a dotted path is a secret, by the last of its keys."""
    key = path.rpartition(".")[2]
    if _SECRET.search(key):
        return True
    return bool(_TOKEN.search(key)) and not _OF_MODELS.match(path)


def _find_passwords(text: str) -> Iterator[str]:
    for match in _USER.finditer(text):
        name, colon, password = match["user"].partition(":")
        if not colon and not match["scheme"].lower().startswith("http"):
            continue
        # The user of a web address without a password is a token.
        secret = password if colon else name
        yield from dict.fromkeys((secret, unquote(secret)))
