"""Repeats a run from what it logged, and says whether it came to the same."""

import argparse
import sys
import tempfile
from pathlib import Path

from models.problems import ConfigError, expected
from runner.command import Declaration, run_declared
from runner.comparison_report import describe_comparison, is_explained
from runner.exits import FAILED
from runner.inheritance import read_tracking
from runner.repetition import NAME, list_overrides, read_weights, write_conf
from runner.tracking.finding import WHAT
from runner.tracking.origin import read_origin
from runner.tracking.records import RERUN_OF
from runner.tracking.repeating import Repetition
from runner.verbs.parser import VerbParser

_SOURCE = Path(__file__).parent
_TOLERANCE = 1e-6


def run(arguments: list[str]) -> int:
    """Returns 0 where the runs agree, or why they do not is known; 1 where nothing explains it."""
    parsed = _parse(arguments)
    if not parsed.tolerance >= 0:
        raise ConfigError([expected("--tolerance", "a number of 0 or more", parsed.tolerance)])
    overrides: list[str] = parsed.overrides
    # The store in which the run is, also where the new one is not to be kept.
    tracking = read_tracking([text for text in overrides if text != "tracking=off"])
    origin = read_origin(tracking, parsed.run)
    inherited = read_weights(origin, overrides, tracking)
    if inherited is not None:
        overrides = inherited.pin(overrides)
    intended = list(list_overrides(origin, overrides))
    repetition = Repetition(
        origin, intended, _SOURCE, tolerance=parsed.tolerance, is_strict=parsed.strict
    )
    # Where modules of the user's own were found.
    sys.path.append(str(Path(origin.resolved["folder"]).expanduser()))
    with tempfile.TemporaryDirectory(prefix="feedfetch-") as name:
        write_conf(origin, Path(name), overrides, config_dir=parsed.config_dir)
        declaration = Declaration(
            conf=Path(name),
            main=NAME,
            inherited=inherited,
            verb=[NAME, origin.run],
            tags={RERUN_OF: origin.run},
            witness=repetition,
        )
        try:
            run_declared(overrides, declaration)
        finally:
            _show(repetition, parsed.tolerance)
    return _judge(repetition)


def _show(repetition: Repetition, tolerance: float) -> None:
    if repetition.comparison is None:
        return
    lines = describe_comparison(
        repetition.comparison,
        repetition.differences,
        run=repetition.origin.run,
        status=repetition.origin.status,
        tolerance=tolerance,
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _judge(repetition: Repetition) -> int:
    compared = repetition.comparison
    is_good = compared is not None and is_explained(compared, repetition.differences)
    return 0 if is_good else FAILED


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = VerbParser(
        "rerun",
        "Repeat a run from what it logged, and say whether it came to the same.",
    )
    parser.add_argument("run", metavar="RUN", help=WHAT)
    parser.add_argument(
        "--strict", action="store_true", help="refuse data that are not those of the run"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=_TOLERANCE,
        help="largest relative difference of values that count as the same (default: %(default)s)",
    )
    parser.add_argument("--config-dir", type=Path, help="a folder of your own YAML")
    parser.add_argument("overrides", nargs="*", help="what is to be otherwise, such as seed=1")
    return parser.parse_intermixed_args(arguments)
