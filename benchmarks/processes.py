"""Whole processes, their wall time and their peak of memory."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.composition import PROJECT

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Finished:
    """What a process took.

    Attributes:
        seconds: Its wall time.
        peak_bytes: The most that was resident at once, of the largest of its processes.
        output: What it wrote to standard output.
    """

    seconds: float
    peak_bytes: int
    output: str


def run_process(command: Sequence[str]) -> Finished:
    """Runs a command in the project's folder to its end.

    Raises:
        RuntimeError: If it fails; the message holds what it wrote.
    """
    environment = {name: text for name, text in os.environ.items() if not _slows(name)}
    with tempfile.TemporaryFile() as written, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdout=written, stderr=errors
        )
        usage = _wait(process)
        seconds = time.perf_counter() - start
        written.seek(0)
        errors.seek(0)
        output = written.read().decode()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{output}{errors.read().decode()}")
    return Finished(seconds, usage.ru_maxrss * _RSS_UNIT, output)


def take_process_turns(
    commands: Mapping[str, Sequence[str]], rounds: int
) -> dict[str, list[Finished]]:
    """Returns what each command took in each round; one round before warms up."""
    finished: dict[str, list[Finished]] = {name: [] for name in commands}
    order = list(commands)
    for index in range(rounds + 1):
        for name in order:
            one = run_process(commands[name])
            if index > 0:
                finished[name].append(one)
        order.reverse()
    return finished


def runner_command(folder: Path, *overrides: str) -> list[str]:
    """Returns the command of a run that keeps all it writes in `folder`."""
    return [
        sys.executable,
        "-m",
        "runner",
        *overrides,
        f"hydra.run.dir={folder}/run",
        f"tracking.database={folder}/mlflow.db",
        f"tracking.artifacts={folder}/artifacts",
    ]


def _wait(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Waits for `process` and returns what it used, which ``Popen`` does not tell."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _slows(name: str) -> bool:
    """Whether a variable of the environment makes each start compile all modules anew."""
    return name == "PYTHONDONTWRITEBYTECODE"
