"""The whole default job beside a plain Keras script that does the same."""

import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measuring import OURS, describe_ratio
from benchmarks.processes import Finished, runner_command, take_process_turns

_SCRIPT = "keras script with autolog"
_ACCURACY = re.compile(r"^test.*accuracy (\d\.\d+)", re.MULTILINE)
_MEBIBYTE = 2**20


def measure(rounds: int) -> Iterator[str]:
    """Yields the lines of the table: wall time, peak of memory and what was reached."""
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        commands = {
            OURS: runner_command(Path(ours)),
            _SCRIPT: [sys.executable, "-m", "benchmarks.peers.keras_script", theirs],
        }
        finished = take_process_turns(commands, rounds)
    yield (
        f"job: 20 epochs of the cnn on digits, median of {rounds} rounds; ratio to Feedfetch, "
        "median [least to most]; peak of resident memory"
    )
    yield f"{'side':32}{'seconds':>8}  {'ratio':22}{'MiB':>6}  {'ratio':22}test accuracy"
    for side, runs in finished.items():
        times, peaks = _ratios(runs, finished[OURS])
        yield (
            f"{side:32}{statistics.median(one.seconds for one in runs):8.1f}  "
            f"{describe_ratio(times):22}"
            f"{statistics.median(one.peak_bytes for one in runs) / _MEBIBYTE:6.0f}  "
            f"{describe_ratio(peaks):22}{_read_accuracy(runs[-1])}"
        )


def _ratios(runs: Sequence[Finished], ours: Sequence[Finished]) -> tuple[list[float], list[float]]:
    """Returns the ratios of time and of memory, round by round."""
    pairs = list(zip(runs, ours, strict=True))
    return (
        [one.seconds / our.seconds for one, our in pairs],
        [one.peak_bytes / our.peak_bytes for one, our in pairs],
    )


def _read_accuracy(finished: Finished) -> str:
    found = _ACCURACY.search(finished.output)
    if found is None:
        raise ValueError(f"no test accuracy in {finished.output!r}")
    return found[1]
