"""Remembers what plans were measured to cost, for the same model, shapes and machine."""

import hashlib
import json
import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from runner.config import ExperimentConfig

_MOST_ENTRIES = 500
_CPU_INFO = Path("/proc/cpuinfo")
_LOCK_SECONDS = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cost:
    """What a plan takes.

    Attributes:
        prepare_seconds: To trace it, compile it and take its first step.
        step_seconds: A step, after that.
    """

    prepare_seconds: float
    step_seconds: float

    def total(self, steps: int) -> float:
        """Returns the seconds of a run of `steps`."""
        return self.prepare_seconds + steps * self.step_seconds


@dataclass
class Measured:
    """What is known of the plans of one kind of run.

    Attributes:
        costs: Of those that were measured, by plan.
        passed_over: Why others cannot run, by plan.
    """

    costs: dict[str, Cost] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)


def describe_run(
    config: ExperimentConfig, examples: Mapping[str, np.ndarray], devices: tuple[str, ...]
) -> str:
    """Returns a digest of what the speed of a run's steps depends on.

    Args:
        config: The experiment; the values of numbers of its optimizer make no difference.
        examples: (examples, ...) by the name of each feed.
        devices: Those of the Session.
    """
    described = {
        "model": asdict(config.model),
        "batch_size": config.data.batch_size,
        "examples": {name: [array.shape, str(array.dtype)] for name, array in examples.items()},
        "optimizer": {
            key: None if isinstance(value, float) else value
            for key, value in config.optimizer.items()
        },
        "session": asdict(config.session),
        "fused_kernels": config.plan.fused_kernels,
        "versions": [version(package) for package in ("tensorflow", "keras", "feedfetch")],
        "machine": [_cpu_model(), os.cpu_count(), devices],
    }
    text = json.dumps(described, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def recall(file: Path, run: str) -> Measured:
    """Returns what `file` remembers of a run; nothing where there is none, or it cannot be read."""
    entry = _read(file).get(run, {})
    try:
        costs = {plan: Cost(**cost) for plan, cost in entry.get("costs", {}).items()}
        return Measured(costs, dict(entry.get("passed_over", {})))
    except (TypeError, AttributeError):
        return Measured()


def remember(file: Path, run: str, measured: Measured) -> None:
    """Writes what was measured of a run to `file`; what was written first goes first."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{file}.lock", timeout=_LOCK_SECONDS):
            entries = _read(file)
            entries.pop(run, None)
            entries[run] = asdict(measured)
            kept = dict(list(entries.items())[-_MOST_ENTRIES:])
            written = file.with_suffix(".new")
            written.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            written.replace(file)
    except OSError as error:
        log.warning("plan.measurements: %s cannot be written: %s", file, error)


def _read(file: Path) -> dict[str, Any]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("plan.measurements: %s cannot be read, so plans are measured: %s", file, error)
        return {}
    return entries if isinstance(entries, dict) else {}


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
