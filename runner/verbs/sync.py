"""Delivers to the store what runs have left, and closes those whose process is gone."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from models.problems import ConfigError, Problem, expected
from runner.config import StoreTrackingConfig
from runner.exits import FAILED
from runner.inheritance import require_tracking
from runner.paths import show_path
from runner.verbs.parser import VerbParser

if TYPE_CHECKING:
    from runner.tracking.sync import Synced


def run(arguments: list[str]) -> int:
    """Prints a line a run; returns 0 if all is delivered, 1 if something is left."""
    parser = VerbParser(
        "sync",
        "Deliver to MLflow what runs have left in tracking.spool, in order and once, "
        "and close runs whose process was killed.",
    )
    parser.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help="how long to wait for a store that takes nothing; default: tracking.wait_seconds",
    )
    parser.add_argument("overrides", nargs="*", help="such as tracking.spool=PATH")
    parsed = parser.parse_intermixed_args(arguments)
    tracking = require_tracking(parsed.overrides)
    if not isinstance(tracking, StoreTrackingConfig):
        raise ConfigError([Problem("tracking", "nothing is kept with tracking=off.")])
    is_named = any(text.startswith("tracking.spool=") for text in parsed.overrides)
    if is_named and not Path(tracking.spool).is_dir():
        raise ConfigError([expected("tracking.spool", "a folder that is there", tracking.spool)])
    wait = tracking.wait_seconds if parsed.wait is None else parsed.wait
    if wait < 0:
        raise ConfigError([expected("--wait", "a number of 0 or more", wait)])
    # This imports MLflow, which takes a second.
    from runner.tracking.sync import sync_runs

    is_left = False
    is_empty = True
    for synced in sync_runs(tracking, wait):
        sys.stdout.write(f"{synced.outcome.value:9}  {_describe(synced)}\n")
        sys.stdout.flush()
        is_left |= synced.is_left
        is_empty = False
    if is_empty:
        sys.stdout.write(f"nothing waits in {show_path(Path(tracking.spool))}\n")
    return FAILED if is_left else 0


def _describe(synced: "Synced") -> str:
    run = " ".join(filter(None, (synced.run_id, synced.name))) or "a run"
    file = "" if synced.file is None else show_path(synced.file)
    match synced.outcome.value:
        case "delivered":
            status = "" if synced.status is None else f", {synced.status.value}"
            return f"{run}: {synced.entries} entries{status}"
        case "closed":
            return f"{run}: KILLED, as its process is gone"
        case "running":
            return f"{file} is of a process that goes on, or is delivered by another"
        case "damaged":
            return f"{run}: {synced.reason}"
    if not file:
        return f"runs left open in the store are not closed: {synced.reason}"
    return f"{run}: {synced.entries} entries wait in {file}: {synced.reason}"
