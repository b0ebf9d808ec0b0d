"""Finds the run that a person names: the one place that says how runs are named.

A RUN is its id, the beginning of one that no other shares (8 characters or more), its name where no
other has it, ``last`` for the newest, ``last~1`` (or ``last-1``, which needs no quotes in an
override of Hydra's) for the one before, or its folder. ``from_run`` and ``pretrained.source`` take
it through ``runner.tracking.runs.read_run``, as whatever takes over a run's files should; a verb
that takes a RUN (``show``, ``diff``, ``ui --run``, ``rerun``, ``export``) calls ``find_run``.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from models.problems import ConfigError, Problem, expected, nearest
from runner.clock import now_ms
from runner.tracking.folders import FOLDER, is_run_folder, place_folder
from runner.tracking.records import RunRecord, list_experiments, read_record, search_runs
from runner.tracking.times import format_age

if TYPE_CHECKING:
    from mlflow import MlflowClient

WHAT = "a run's id, its name, its folder or last"

_NEWEST = re.compile(r"last(?:[~-](\d+))?")
_ID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(r"[0-9a-f]{1,31}")
_LEAST_PREFIX = 8
_MOST_CANDIDATES = 8
_MOST_LETTERS = 80
_NAMES = 50


def find_run(client: "MlflowClient", name: str, path: str = "RUN") -> RunRecord:
    """Returns the run that `name` names.

    Args:
        client: A client of the store.
        name: As this module's docstring tells.
        path: The place of `name` in the configuration or on the command line.

    Raises:
        ConfigError: If there is no such run, or several; it lists which there are.
    """
    if newest := _NEWEST.fullmatch(name):
        return _find_newest(client, int(newest[1] or 0), name, path)
    if is_run_folder(Path(name)):
        return _find_by_folder(client, name, path)
    if _ID.fullmatch(name):
        return _find_by_id(client, name, path)
    found = _search(client, "run_name", name)
    if not found and _PREFIX.fullmatch(name):
        if len(name) < _LEAST_PREFIX:
            hint = f"The beginning of an id needs {_LEAST_PREFIX} characters or more."
            raise ConfigError([_refuse(client, name, path, hint)])
        query = f"attributes.run_id LIKE '{name}%'"
        found = search_runs(client, query=query, limit=_MOST_CANDIDATES + 1)
    if not found:
        raise ConfigError([_refuse(client, name, path, "There is no such run.")])
    return _require_one(found, name, path)


def _find_newest(client: "MlflowClient", back: int, name: str, path: str) -> RunRecord:
    found = search_runs(client, limit=back + 1)
    if len(found) <= back:
        count = len(found)
        hint = "There is no run yet." if not count else f"There are {count} runs."
        raise ConfigError([expected(path, WHAT, name, hint)])
    return found[back]


def _find_by_folder(client: "MlflowClient", name: str, path: str) -> RunRecord:
    found = _search(client, f"tags.`{FOLDER}`", place_folder(Path(name)))
    if not found:
        hint = "No run in the store has this folder."
        raise ConfigError([_refuse(client, name, path, hint)])
    return _require_one(found, name, path)


def _find_by_id(client: "MlflowClient", name: str, path: str) -> RunRecord:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(name)
    except MlflowException as error:
        problem = _refuse(client, name, path, "There is no such run.")
        raise ConfigError([problem]) from error
    if run.info.lifecycle_stage == "deleted":
        hint = "It was deleted; `mlflow runs restore` has it back until gc removes it."
        raise ConfigError([expected(path, WHAT, name, hint)])
    return read_record(run, list_experiments(client))


def _search(client: "MlflowClient", key: str, value: str) -> list[RunRecord]:
    """Returns the runs of which `key` is `value`."""
    if "'" in value and '"' in value:
        # MLflow's syntax has no way to write it.
        return [
            run for run in search_runs(client) if value in (run.name, run.tags.get(FOLDER, ...))
        ]
    quote = '"' if "'" in value else "'"
    query = f"{key} = {quote}{value}{quote}"
    return search_runs(client, query=query, limit=_MOST_CANDIDATES + 1)


def _require_one(found: list[RunRecord], name: str, path: str) -> RunRecord:
    if len(found) == 1:
        return found[0]
    more = "more than " if len(found) > _MOST_CANDIDATES else ""
    count = min(len(found), _MOST_CANDIDATES)
    message = f"{name!r} names {more}{count} runs; give the id of one."
    raise ConfigError([_list(Problem(path, message), found[:_MOST_CANDIDATES])])


def _refuse(client: "MlflowClient", name: str, path: str, hint: str) -> Problem:
    """Returns what is wrong with `name`, with the run whose name is nearest, or the newest ones."""
    newest = search_runs(client, limit=_NAMES)
    near = nearest(name, [run.name for run in newest])
    if near is not None:
        like = [run for run in newest if run.name == near]
        return _list(expected(path, WHAT, name, f"{hint} Did you mean"), like[:_MOST_CANDIDATES])
    if not newest:
        return expected(path, WHAT, name, f"{hint} The store has no runs yet.")
    return _list(expected(path, WHAT, name, f"{hint} The newest are"), newest[:_MOST_CANDIDATES])


def _shorten(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= _MOST_LETTERS else f"{line[: _MOST_LETTERS - 1]}…"


def _list(problem: Problem, runs: Iterable[RunRecord]) -> Problem:
    """Returns `problem` with a line a run behind it."""
    now = now_ms()
    lines = (
        f"    {run.short_id}  {run.status:8}  {format_age(now - run.start_ms):>6}  "
        f"{_shorten(run.name)}"
        for run in runs
    )
    return Problem(problem.path, "\n".join([problem.message, *lines]))
