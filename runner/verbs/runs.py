"""Lists the runs of the configured store."""

import argparse
import sys

from models.problems import ConfigError, expected
from runner.clock import now_ms
from runner.inheritance import require_tracking
from runner.review.columns import list_empty, read_columns
from runner.review.runs import format_runs_csv, format_runs_json, print_runs
from runner.tracking.listing import Query, list_runs
from runner.tracking.naming import require_names
from runner.tracking.store import open_client
from runner.verbs.parser import VerbParser

_LIMIT = 20
_EXAMPLES = """\
examples:
  python -m runner runs --filter 'status=FINISHED and test/accuracy > 0.9'
  python -m runner runs --filter 'model=cnn and optimizer.learning_rate=0.01' --sort test/accuracy
  python -m runner runs --all --limit 0 --csv > runs.csv

A filter is one of MLflow's; what has a / is a metric, what has a . a param, status, name and
start_time are the run's own, another word is a tag (or, compared by < or >, a metric).
"""


def run(arguments: list[str]) -> int:
    """Writes them as a table, CSV or JSON."""
    parsed = _build_parser().parse_intermixed_args(arguments)
    if parsed.limit < 0:
        raise ConfigError([expected("--limit", "a number of 0 or more", parsed.limit)])
    query = Query(
        filter=parsed.filter,
        sort=parsed.sort,
        limit=parsed.limit or None,
        experiment=parsed.experiment,
        in_all=parsed.all,
        is_folded=parsed.fold,
    )
    client = open_client(require_tracking(parsed.overrides))
    listing = list_runs(client, query)
    if parsed.columns is not None:
        missing = list_empty(read_columns(parsed.columns), listing.sought)
        require_names(client, missing, "--columns")
    if parsed.json:
        sys.stdout.write(f"{format_runs_json(listing)}\n")
    elif parsed.csv:
        sys.stdout.write(format_runs_csv(listing, parsed.columns))
    elif listing.rows:
        print_runs(listing, names=parsed.columns, now_ms=now_ms())
    elif parsed.filter:
        sys.stdout.write(f"no run has {parsed.filter}\n")
    else:
        sys.stdout.write("no runs yet: python -m runner makes the first\n")
    return 0


def _build_parser() -> VerbParser:
    parser = VerbParser(
        "runs",
        "List runs: what each measured in its test and the params in which they "
        "differ, the newest first, jobs under their sweeps.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--filter", default="", help="what the runs have in common")
    parser.add_argument(
        "--sort",
        metavar="NAME [asc|desc]",
        help="what to sort by, the best first; sweeps are not kept together then",
    )
    parser.add_argument(
        "--limit", type=int, default=_LIMIT, help="the most, 0 for all; default: %(default)s"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--experiment", metavar="NAME", help="default: that of the newest run")
    which.add_argument("--all", action="store_true", help="those of all experiments")
    parser.add_argument("--fold", action="store_true", help="leave the jobs of sweeps out")
    parser.add_argument(
        "--columns", metavar="NAME,...", help="in place of what was tested and what differs"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="as CSV, with all that differs")
    form.add_argument("--json", action="store_true", help="as JSON, with all that is known")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    return parser
