"""Serves the MLflow UI on the configured store."""

from models.problems import ConfigError, expected
from runner.inheritance import require_tracking
from runner.tracking.finding import WHAT
from runner.tracking.ui import open_ui
from runner.verbs.parser import VerbParser

_LAST_PORT = 65535
_EXPERIMENT = "tracking.experiment="


def run(arguments: list[str]) -> int:
    """Serves until it is interrupted."""
    parser = VerbParser(
        "ui",
        "Serve the MLflow UI and open the experiment of the newest run, or a run.",
    )
    parser.add_argument("--run", help=f"the run to open: {WHAT}")
    parser.add_argument("--port", type=int, help="default: 5000, or the next that is free")
    parser.add_argument("--no-open", action="store_true", help="open no browser, print the address")
    parser.add_argument("overrides", nargs="*", help="such as tracking.experiment=NAME")
    parsed = parser.parse_intermixed_args(arguments)
    if parsed.port is not None and not 0 < parsed.port <= _LAST_PORT:
        raise ConfigError([expected("--port", f"a number from 1 to {_LAST_PORT}", parsed.port)])
    tracking = require_tracking(parsed.overrides)
    has_chosen = any(text.startswith(_EXPERIMENT) for text in parsed.overrides)
    open_ui(
        tracking,
        run=parsed.run,
        experiment=tracking.experiment if has_chosen else None,
        port=parsed.port,
        opens=not parsed.no_open,
    )
    return 0
