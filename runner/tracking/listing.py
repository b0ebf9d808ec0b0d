"""Lists the runs of a store: those that are asked for, sweeps with their jobs beneath them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.tracking.naming import require_names
from runner.tracking.queries import Name, read_filter, read_order, write_filter, write_order
from runner.tracking.records import (
    NEWEST_FIRST,
    PARENT,
    RunRecord,
    list_experiments,
    search_runs,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

# An experiment that MLflow creates; ours are named.
_UNUSED = "Default"
_NO_JOBS = f"tags.`{PARENT}` IS NULL"


@dataclass(frozen=True)
class Query:
    """Which runs are listed.

    Attributes:
        filter: What they have in common, as ``runner.tracking.queries`` takes it; empty for all.
        sort: By what they are sorted, in one row; None for the newest first, jobs under sweeps.
        limit: The most that are listed; None for all.
        experiment: The experiment's name; None for that of the newest run.
        in_all: Whether the runs of all experiments are listed.
        is_folded: Whether the jobs of sweeps are left out.
    """

    filter: str = ""
    sort: str | None = None
    limit: int | None = None
    experiment: str | None = None
    in_all: bool = False
    is_folded: bool = False


@dataclass(frozen=True)
class ListedRun:
    """A row of the list.

    Attributes:
        run: The run.
        is_job: Whether it stands under its sweep's.
        was_sought: Whether it is what was asked for, rather than there for its jobs alone.
    """

    run: RunRecord
    is_job: bool = False
    was_sought: bool = True


@dataclass(frozen=True)
class Listing:
    """What is listed.

    Attributes:
        rows: From the top.
        experiments: The names of those that were looked in.
        others: The names of the others.
        has_more: Whether more were found than the limit lets through.
    """

    rows: tuple[ListedRun, ...]
    experiments: tuple[str, ...]
    others: tuple[str, ...]
    has_more: bool

    @property
    def sought(self) -> list[RunRecord]:
        """The runs that were asked for."""
        return [row.run for row in self.rows if row.was_sought]


def list_runs(client: "MlflowClient", query: Query) -> Listing:
    """Returns the runs that `query` asks for.

    Raises:
        ConfigError: If there is no such experiment, MLflow does not understand the filter, or no
            run has what is filtered or sorted by.
    """
    from mlflow.exceptions import MlflowException

    known = list(list_experiments(client).values())
    experiments = tuple(_choose_experiments(client, query, known))
    parts = [write_filter(query.filter), _NO_JOBS if query.is_folded else ""]
    order = NEWEST_FIRST if query.sort is None else [write_order(query.sort), *NEWEST_FIRST]
    try:
        found = search_runs(
            client,
            query=" and ".join(filter(None, parts)),
            order=order,
            limit=None if query.limit is None else query.limit + 1,
            experiments=experiments,
        )
    except MlflowException as error:
        path = "--filter" if query.filter else "--sort"
        raise ConfigError([Problem(path, f"MLflow does not take it: {error.message}")]) from error
    if not found:
        require_names(client, read_filter(query.filter), "--filter")
    elif query.sort is not None and not _has(found[0], read_order(query.sort)):
        # Those that have it come first.
        require_names(client, [read_order(query.sort)], "--sort")
    shown = found[: query.limit]
    rows = _nest(client, shown) if query.sort is None else map(ListedRun, shown)
    others = tuple(name for name in known if name not in (*experiments, _UNUSED))
    return Listing(tuple(rows), experiments, others, len(found) > len(shown))


def _has(run: RunRecord, name: Name) -> bool:
    kind, key = name
    return key in getattr(run, kind, {})


def _choose_experiments(
    client: "MlflowClient", query: Query, known: Sequence[str]
) -> Iterable[str]:
    if query.in_all:
        return known
    if query.experiment is not None:
        if query.experiment not in known:
            hint = did_you_mean(query.experiment, known)
            raise ConfigError([expected("--experiment", "one with runs", query.experiment, hint)])
        return [query.experiment]
    return [run.experiment for run in search_runs(client, limit=1)]


def _nest(client: "MlflowClient", runs: Sequence[RunRecord]) -> Iterator[ListedRun]:
    """Yields `runs`, the jobs of a sweep under its run, in the order in which they started."""
    by_id = {run.run_id: run for run in runs}
    jobs: dict[str, list[RunRecord]] = {}
    for run in runs:
        if run.parent_id is not None:
            jobs.setdefault(run.parent_id, []).append(run)
    missing = [key for key in jobs if key not in by_id]
    parents = {run.run_id: run for run in _read_runs(client, missing)}
    done: set[str] = set()
    for run in runs:
        if run.parent_id in by_id or run.parent_id in parents:
            top = by_id.get(run.parent_id) or parents[run.parent_id]
        else:
            top = run
        if top.run_id in done:
            continue
        done.add(top.run_id)
        yield ListedRun(top, was_sought=top.run_id in by_id)
        for job in reversed(jobs.get(top.run_id, [])):
            yield ListedRun(job, is_job=True)


def _read_runs(client: "MlflowClient", run_ids: Sequence[str]) -> list[RunRecord]:
    if not run_ids:
        return []
    quoted = ", ".join(f"'{run_id}'" for run_id in run_ids)
    return search_runs(client, query=f"attributes.run_id IN ({quoted})")
