"""Chooses the columns that a list of runs has besides those that each list has."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.tracking.queries import is_lower_better, split_name
from runner.tracking.records import RunRecord

_TEST = "test/"
_OVERRIDDEN = re.compile(r"(?:^|\s)\+*([^\s=~]+)=")


@dataclass(frozen=True)
class Column:
    """A column of a list of runs.

    Attributes:
        kind: ``metrics``, ``params`` or ``tags``.
        key: The name of what stands in it.
    """

    kind: str
    key: str

    def read(self, run: RunRecord) -> str | float | None:
        """Returns what stands in it of `run`; None for nothing."""
        value: str | float | None = getattr(run, self.kind).get(self.key)
        return value


def choose_metrics(runs: Sequence[RunRecord]) -> list[Column]:
    """Returns what was measured in tests: first what most have, and what is better if larger."""
    counts = Counter(name for run in runs for name in run.metrics if name.startswith(_TEST))
    names = sorted(counts, key=lambda name: (-counts[name], is_lower_better(name), name))
    return [Column("metrics", name) for name in names]


def choose_params(runs: Sequence[RunRecord]) -> list[Column]:
    """Returns the params in which `runs` differ.

    First those that somebody set, then what most of them have, then what has the most values.
    """
    configured = [run.params for run in runs if run.params]
    counts = Counter(name for params in configured for name in params)
    values = {name: {params.get(name) for params in configured} for name in counts}
    differing = [name for name in counts if len(values[name]) > 1]
    is_set = {name for run in runs for name in _list_set(run)}
    differing.sort(key=lambda name: (name not in is_set, -counts[name], -len(values[name]), name))
    return [Column("params", name) for name in differing]


def read_columns(names: str) -> list[Column]:
    """Returns the columns of `names`, which commas part."""
    parts = (part.strip() for part in names.split(","))
    return [Column(*split_name(part)) for part in parts if part]


def _list_set(run: RunRecord) -> Iterator[str]:
    """Yields the params that the command line of `run` set."""
    for name in _OVERRIDDEN.findall(run.tags.get("overrides", "")):
        yield name
        # A group's.
        yield f"{name}.name"
