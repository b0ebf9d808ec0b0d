"""Times the checks of every model of conf/ that need no TensorFlow."""

import re
import statistics
import time
from pathlib import Path

from runner.composition import CONF, compose_config
from runner.validation import validate

_ROUNDS = 5
_COMMAND = re.compile(r"python -m runner(.*)$", re.MULTILINE)


def main() -> list[str]:
    """Returns the line to print: the seconds of all models, median and spread of rounds."""
    files = sorted((CONF / "model").glob("*.yaml"))
    rounds = [[_times(file) for file in files] for _ in range(_ROUNDS)]
    composing = [sum(composed for composed, _ in times) for times in rounds]
    checking = [sum(checked for _, checked in times) for times in rounds]
    return [
        f"{len(files)} models without TensorFlow: checking {_describe(checking)}; before it, "
        f"composing them with Hydra {_describe(composing)}"
    ]


def _times(file: Path) -> tuple[float, float]:
    """Returns the seconds of composing what a file's header commands, and of checking it."""
    command = _COMMAND.search(file.read_text(encoding="utf-8"))
    overrides = command[1].split() if command else []
    start = time.perf_counter()
    config = compose_config(overrides)
    composed = time.perf_counter()
    validate(config)
    return composed - start, time.perf_counter() - composed


def _describe(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"
