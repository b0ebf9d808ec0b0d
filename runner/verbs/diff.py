"""Says in what two runs differ."""

import sys

from runner.clock import now_ms
from runner.inheritance import require_tracking
from runner.review.diff import format_diff_json, print_diff
from runner.review.differences import compare_runs
from runner.tracking.contents import read_contents
from runner.tracking.finding import WHAT, find_run
from runner.tracking.store import open_client
from runner.verbs.parser import VerbParser


def run(arguments: list[str]) -> int:
    """Writes what differs; returns 0, or 1 with ``--exit-code`` where something does."""
    parser = VerbParser(
        "diff",
        "Say in what two runs differ: configuration, code, environment, data, host, metrics.",
    )
    parser.add_argument("first", metavar="A", help=WHAT)
    parser.add_argument("second", metavar="B", help=WHAT)
    parser.add_argument("--exit-code", action="store_true", help="end with 1 if they differ")
    parser.add_argument("--times", action="store_true", help="compare times too, which all differ")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    parsed = parser.parse_intermixed_args(arguments)
    client = open_client(require_tracking(parsed.overrides))
    first, second = (
        read_contents(client, find_run(client, name, path))
        for name, path in ((parsed.first, "A"), (parsed.second, "B"))
    )
    differences = compare_runs(first, second, with_times=parsed.times)
    if parsed.json:
        sys.stdout.write(f"{format_diff_json(first.run, second.run, differences)}\n")
    else:
        print_diff(first.run, second.run, differences, now_ms=now_ms())
    return 1 if differences and parsed.exit_code else 0
