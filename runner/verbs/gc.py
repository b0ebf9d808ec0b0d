"""Deletes for good what was deleted in MLflow, and what belongs to no run."""

import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.text import Text

from models.problems import ConfigError, Problem, expected
from runner.composition import PROJECT
from runner.config import ServerTrackingConfig, SqliteTrackingConfig
from runner.console import format_bytes, print_table
from runner.data_tables import open_table
from runner.inheritance import require_tracking
from runner.tracking.collecting import Collector, Garbage, read_age
from runner.tracking.store import require_store
from runner.verbs.parser import VerbParser

# Before the first run it is not there.
_OUTPUTS = PROJECT / "outputs"
_SERVER = (
    "a server deletes nothing for good that is asked for over the network. Where its database can "
    "be reached: mlflow gc --backend-store-uri ITS_DATABASE, with MLFLOW_TRACKING_URI set to the "
    "server's address."
)


def run(arguments: list[str]) -> int:
    """Writes what can be deleted; deletes it with ``--yes``."""
    parsed = _build_parser().parse_intermixed_args(arguments)
    age = read_age(parsed.older_than)
    if age is None:
        what = "an age such as 30d, 12h or 1d12h"
        raise ConfigError([expected("--older-than", what, parsed.older_than)])
    if parsed.outputs != _OUTPUTS and not parsed.outputs.is_dir():
        raise ConfigError([expected("--outputs", "a folder that is there", str(parsed.outputs))])
    tracking = require_store(require_tracking(parsed.overrides))
    if isinstance(tracking, ServerTrackingConfig):
        raise ConfigError([Problem("tracking", _SERVER)])
    if not isinstance(tracking, SqliteTrackingConfig):
        raise ConfigError([Problem("tracking", "only what is on disk can be deleted from it.")])
    collector = Collector(tracking, parsed.outputs, older_ms=age)
    found = collector.find()
    if not found:
        sys.stdout.write("nothing is to be deleted\n")
        return 0
    _print_garbage(found)
    total = f"{_count(found)}, {format_bytes(sum(one.bytes for one in found))}"
    if not parsed.yes:
        sys.stdout.write(f"{total}; nothing was deleted: --yes deletes it for good\n")
        return 0
    for one in found:
        collector.delete(one)
    sys.stdout.write(f"{total}; deleted\n")
    return 0


def _build_parser() -> VerbParser:
    parser = VerbParser(
        "gc",
        "Say which runs, models and experiments were deleted in MLflow, and which "
        "files and folders belong to no run; with --yes delete them for good.",
    )
    parser.add_argument(
        "--older-than",
        metavar="AGE",
        default="0d",
        help="only what was deleted, or last changed, so long ago, such as 30d or 12h",
    )
    parser.add_argument("--yes", action="store_true", help="delete it")
    parser.add_argument(
        "--outputs",
        type=Path,
        default=_OUTPUTS,
        help="the folder whose runs/ and sweeps/ hold the folders of runs; default: %(default)s",
    )
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    return parser


def _print_garbage(found: list[Garbage]) -> None:
    table = open_table(["what", "which", "name"], ["size"])
    for one in found:
        table.add_row(one.kind, Text(one.key), Text(one.name), format_bytes(one.bytes))
    print_table(Console(), table)


def _count(found: list[Garbage]) -> str:
    counts = Counter(one.kind for one in found)
    plural = {"files": "files"}
    return ", ".join(
        f"{count} {kind if count == 1 else plural.get(kind, f'{kind}s')}"
        for kind, count in counts.items()
    )
