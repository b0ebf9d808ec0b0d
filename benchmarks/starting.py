"""How long a run takes to start, beside the bare imports."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import OURS, describe_ratio
from benchmarks.processes import runner_command, take_process_turns

_BARE = "import tensorflow, mlflow"


def measure(rounds: int) -> Iterator[str]:
    """Yields the lines of the table: whole processes of a small run and of imports alone."""
    with tempfile.TemporaryDirectory() as name:
        run = runner_command(Path(name), "model=mlp", "task=forward", "data=random")
        commands = {
            OURS: run,
            _BARE: [sys.executable, "-c", _BARE],
            "import tensorflow": [sys.executable, "-c", "import tensorflow"],
        }
        finished = take_process_turns(commands, rounds)
    yield (
        f"starting: seconds of a whole process, median of {rounds} rounds; Feedfetch's ratio to "
        "it, median [least to most]"
    )
    yield f"{'side':32}{'seconds':>10}  ratio"
    ours = [one.seconds for one in finished[OURS]]
    for side, times in finished.items():
        seconds = [one.seconds for one in times]
        ratios = [our / their for our, their in zip(ours, seconds, strict=True)]
        yield f"{side:32}{statistics.median(seconds):10.2f}  {describe_ratio(ratios)}"
