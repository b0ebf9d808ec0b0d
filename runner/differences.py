"""Says what a run is repeated with that is not as it was: data, code, environment, plan."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import yaml

from runner.results import DataResult

DATA = "data"
OVERRIDE = "override"
CODE = "code"
ENVIRONMENT = "environment"
PLAN = "plan"

_COMMIT = "mlflow.source.git.commit"
_DIRTY = "git.dirty"
_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)")
_MOST_DIGITS = 12


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was in the run that is repeated.

    Attributes:
        kind: ``data``, ``override``, ``code``, ``environment`` or ``plan``.
        text: What it was and what it is, in a line.
        is_known: Whether it is certain that there is one.
    """

    kind: str
    text: str
    is_known: bool = True

    def __str__(self) -> str:
        """Returns it as in ``data: ...``."""
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class LoggedData:
    """What a run logged of its data.

    Attributes:
        source: Where it came from; "" where that is not known.
        digest: Of all examples as they were read; "" where that is not known.
        source_digest: Of the source itself; "" where it has none.
        splits: Of each split its digest, and how many examples it had where that is known.
    """

    source: str
    digest: str
    source_digest: str
    splits: Mapping[str, tuple[str, int | None]]


def compare_data(
    before: LoggedData, now: DataResult, *, is_split_anew: bool = False
) -> Iterator[Difference]:
    """Yields how data differ from those of an earlier run, all of it in a line.

    Args:
        before: What the run logged of its data.
        now: What is read.
        is_split_anew: Whether something is set that splits follow from; of the same data, others
            are no difference then.
    """
    if not before.digest:
        text = "what the run read was not logged, so it cannot be compared"
        yield Difference(DATA, text, is_known=False)
        return
    whole = list(_compare_whole(before, now))
    if not whole and is_split_anew:
        return
    names = dict.fromkeys([*before.splits, *now.splits])
    splits = [text for name in names for text in _compare_split(name, before, now)]
    if whole or splits:
        change = _name_change(before, now) if whole else "the splits are others, by digest"
        yield Difference(DATA, f"{change}: {'; '.join([*whole, *splits])}")


def _compare_whole(before: LoggedData, now: DataResult) -> Iterator[str]:
    """Yields how the digests of the source and of what is read of it differ."""
    if now.source_digest is not None and before.source_digest != now.source_digest:
        yield f"the file was {before.source_digest or 'unknown'} and is {now.source_digest}"
    if before.digest != now.digest:
        yield f"all that is read was {before.digest} and is {now.digest}"


def _name_change(before: LoggedData, now: DataResult) -> str:
    """Returns what is said of data that differ as a whole, or whose file does."""
    if before.source != now.source:
        return f"it was {before.source} and is {now.source}, by digest"
    if before.digest == now.digest:
        return f"{now.source} has changed, but not what is read of it"
    return f"{now.source} has changed, by digest"


def _compare_split(name: str, before: LoggedData, now: DataResult) -> Iterator[str]:
    if name not in now.splits or name not in before.splits:
        if before.splits:
            where = "the run had it" if name in before.splits else "the run had none"
            is_there = "there is one" if name in now.splits else "there is none"
            yield f"split {name}: {where}, and now {is_there}"
        return
    digest, rows = before.splits[name]
    split = now.splits[name]
    if digest != split.digest:
        was = "" if rows in (None, split.examples) else f", {rows} before"
        yield f"split {name} ({split.examples} rows{was}) was {digest} and is {split.digest}"


def compare_environment(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Difference]:
    """Yields how code, versions and host differ.

    Args:
        before: The tags of the run.
        now: Those that ``collect_metadata`` gives for this process.
    """
    if before.get(_COMMIT) != now.get(_COMMIT):
        was, now_is = (tags.get(_COMMIT, "none")[:_MOST_DIGITS] for tags in (before, now))
        yield Difference(CODE, f"the commit was {was} and is {now_is}")
    for key, value in now.items():
        is_code = key == _DIRTY or key.startswith("mlflow.")
        if is_code or key not in before or before[key] == value:
            continue
        name = key.removeprefix("version.")
        yield Difference(ENVIRONMENT, f"{name} was {before[key]} and is {value}")


def compare_changes(
    before: Mapping[str, str], now: Mapping[str, str], *, patch: str | None, patch_now: str | None
) -> Iterator[Difference]:
    """Yields how what was not committed differs.

    Args:
        before: The tags of the run.
        now: Those of this process.
        patch: The run's changes; None where they were not logged.
        patch_now: The changes there are; None where they are not known.
    """
    dirty = [tags.get(_DIRTY) == "true" for tags in (before, now)]
    if dirty == [False, False]:
        return
    if patch is not None and patch_now is not None:
        if patch.strip() != patch_now.strip():
            yield Difference(CODE, "the changes that are not committed are others")
        return
    match dirty:
        case [True, False]:
            text = "the run had changes that were not committed, and there are none now"
        case [False, True]:
            text = "there are changes that are not committed, and the run had none"
        case _:
            text = "there are changes that are not committed; those of the run are not known"
    yield Difference(CODE, text, is_known=not all(dirty))


def compare_packages(requirements: str, known: Mapping[str, str]) -> Iterator[Difference]:
    """Yields packages whose versions are others, or that are gone.

    Args:
        requirements: What the run had, a line ``NAME==VERSION`` each.
        known: Tags whose versions are told of already, ``version.NAME``.
    """
    for line in requirements.splitlines():
        pin = _PIN.match(line.strip())
        if pin is None or f"version.{pin[1].lower()}" in known:
            continue
        try:
            installed = version(pin[1])
        except PackageNotFoundError:
            yield Difference(ENVIRONMENT, f"{pin[1]} was {pin[2]} and is not installed")
            continue
        if installed != pin[2]:
            yield Difference(ENVIRONMENT, f"{pin[1]} was {pin[2]} and is {installed}")


def compare_machines(before: str, now: str) -> Iterator[Difference]:
    """Yields how CPU, memory, GPUs and variables differ, as YAML has them by name."""
    was, now_is = (yaml.safe_load(text) or {} for text in (before, now))
    for key, value in was.items():
        if key in now_is and now_is[key] != value:
            yield Difference(ENVIRONMENT, f"{key} was {value} and is {now_is[key]}")


def compare_tag(kind: str, name: str, before: str | None, now: str | None) -> Iterator[Difference]:
    """Yields how a label of the run differs, where both are known."""
    if before is not None and now is not None and before != now:
        yield Difference(kind, f"{name} was '{before}' and is '{now}'")
