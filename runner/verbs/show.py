"""Shows all of a run on a page."""

import sys
from pathlib import Path

from runner.clock import now_ms
from runner.inheritance import require_tracking
from runner.review.page import format_page_json, print_page
from runner.tracking.finding import WHAT, find_run
from runner.tracking.pages import read_page
from runner.tracking.store import open_client, require_store
from runner.verbs.parser import VerbParser


def run(arguments: list[str]) -> int:
    """Writes the page."""
    parser = VerbParser("show", "Show all of a run on a page.")
    parser.add_argument("run", metavar="RUN", nargs="?", default="last", help=f"{WHAT} (default)")
    parser.add_argument("--params", action="store_true", help="show all params too")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    parsed = parser.parse_intermixed_args(arguments)
    name, overrides = parsed.run, parsed.overrides
    if name.startswith("tracking"):
        name, overrides = "last", [name, *overrides]
    tracking = require_store(require_tracking(overrides))
    client = open_client(tracking)
    page = read_page(client, find_run(client, name), Path(tracking.spool))
    if parsed.json:
        sys.stdout.write(f"{format_page_json(page)}\n")
    else:
        print_page(page, with_params=parsed.params, now_ms=now_ms())
    return 0
