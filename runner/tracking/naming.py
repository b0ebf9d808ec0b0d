"""Refuses names that nothing in a store has, such as a metric's with a slip in it."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from models.problems import ConfigError, Problem, nearest
from runner.tracking.queries import Name, quote_name
from runner.tracking.records import RunRecord, search_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SINGULAR = {"metrics": "metric", "params": "param", "tags": "tag"}
# Of those that have a metric; infinities are kept as the largest numbers.
_LEAST = "-1.7976931348623157e308"
# The newest, whose names are offered.
_MOST_RUNS = 1000


def require_names(client: "MlflowClient", names: Iterable[Name], path: str) -> None:
    """Refuses `names` of metrics, params and tags that no run of the store has.

    Args:
        client: A client of the store.
        names: Of which kind each is, and the name.
        path: Where on the command line they stand.

    Raises:
        ConfigError: If no run has one of them, though there are runs.
    """
    missing = [one for one in dict.fromkeys(names) if not _has(client, one)]
    if not missing:
        return
    newest = search_runs(client, limit=_MOST_RUNS)
    if newest:
        raise ConfigError(_describe(one, newest, path) for one in missing)


def _has(client: "MlflowClient", name: Name) -> bool:
    kind, _ = name
    if kind not in _SINGULAR:
        return True
    wanted = f">= {_LEAST}" if kind == "metrics" else "LIKE '%'"
    return bool(search_runs(client, query=f"{quote_name(*name)} {wanted}", limit=1))


def _describe(name: Name, runs: Sequence[RunRecord], path: str) -> Problem:
    kind, key = name
    known = {
        other: set(chain.from_iterable(getattr(run, other) for run in runs)) for other in _SINGULAR
    }
    # Of its own kind first.
    near = nearest(key, known[kind]) or nearest(key, chain.from_iterable(known.values()))
    hint = "." if near is None else f"; did you mean {near!r}?"
    return Problem(path, f"no run has a {_SINGULAR[kind]} {key!r}{hint}")
