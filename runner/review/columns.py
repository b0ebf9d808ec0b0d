"""Chooses the columns that a list of runs has besides those that each list has."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.problems import ConfigError, expected
from runner.review.settled import settle_values
from runner.tracking.queries import Name, is_lower_better, split_name
from runner.tracking.records import RunRecord

_KINDS = ("metrics", "params", "tags", "attributes")
_TEST = "test/"
_OVERRIDDEN = re.compile(r"(?:^|\s)\+*([^\s=~]+)=")


@dataclass(frozen=True)
class Column:
    """A column of a list of runs.

    Attributes:
        kind: ``metrics``, ``params``, ``tags`` or ``attributes``.
        key: The name of what stands in it.
    """

    kind: str
    key: str

    def read(self, run: RunRecord) -> str | float | None:
        """Returns what stands in it of `run`; None for nothing."""
        has: Mapping[str, str | float | None] = (
            _list_attributes(run) if self.kind == "attributes" else getattr(run, self.kind)
        )
        return has.get(self.key)


def choose_metrics(runs: Sequence[RunRecord]) -> list[Column]:
    """Returns what was measured in tests: first what most have, and what is better if larger."""
    counts = Counter(name for run in runs for name in run.metrics if name.startswith(_TEST))
    names = sorted(counts, key=lambda name: (-counts[name], is_lower_better(name), name))
    return [Column("metrics", name) for name in names]


def choose_params(runs: Sequence[RunRecord]) -> list[Column]:
    """Returns the params in which `runs` differ, as each chose what was left to it.

    First those that somebody set, then what most of them have, then what has the most values.
    """
    configured = [settle_values(run.params, run) for run in runs if run.params]
    counts = Counter(name for params in configured for name in params)
    values = {name: {params.get(name) for params in configured} for name in counts}
    differing = [name for name in counts if len(values[name]) > 1]
    is_set = {name for run in runs for name in _list_set(run)}
    differing.sort(key=lambda name: (name not in is_set, -counts[name], -len(values[name]), name))
    return [Column("params", name) for name in differing]


def read_columns(names: str) -> list[Column]:
    """Returns the columns of `names`, which commas part.

    Raises:
        ConfigError: If one is of something of which there are several a run.
    """
    parts = [part.strip() for part in names.split(",")]
    columns = [Column(*split_name(part)) for part in parts if part]
    for column in columns:
        if column.kind not in _KINDS:
            what = "metrics, params, tags or what each run has"
            raise ConfigError([expected("--columns", what, f"{column.kind}.{column.key}")])
    return columns


def list_empty(columns: Sequence[Column], runs: Sequence[RunRecord]) -> list[Name]:
    """Returns the names of `columns` in which nothing stands, of any of `runs`."""
    return [
        (column.kind, column.key)
        for column in columns
        if all(column.read(run) is None for run in runs)
    ]


def _list_attributes(run: RunRecord) -> dict[str, str | float | None]:
    """Returns what each run has, by MLflow's names."""
    return {
        "run_id": run.run_id,
        "run_name": run.name,
        "status": run.status,
        "start_time": run.start_ms,
        "end_time": run.end_ms,
    }


def _list_set(run: RunRecord) -> Iterator[str]:
    """Yields the params that the command line of `run` set."""
    for name in _OVERRIDDEN.findall(run.tags.get("overrides", "")):
        yield name
        # A group's.
        yield f"{name}.name"
