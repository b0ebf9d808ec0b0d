"""What a run was made in, as files: the distributions that were installed, and the machine."""

import os
import platform
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import psutil
import yaml

_VARIABLES = re.compile(
    r"(TF|OMP|MKL|KMP|XLA|CUDA|NVIDIA|PYTHON)_[A-Z\d_]+|OPENBLAS_NUM_THREADS|PYTHONHASHSEED"
)
# Where packages come from is of no use elsewhere, and may hold a password.
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MODEL_NAMES = ("model name", "Hardware", "Model")
_GPUS = Path("/proc/driver/nvidia/gpus")


@cache
def format_requirements() -> str:
    """Returns all installed distributions as pip's requirements, each with its version.

    What was installed from a folder, a file or an address is there as a comment, since no package
    index has it.
    """
    lines = sorted({_pin(one) for one in distributions() if one.name}, key=str.lower)
    return "\n".join(lines) + "\n"


def format_machine() -> str:
    """Returns as YAML Python, system, CPU, memory, GPUs, and variables that libraries read."""
    machine = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "cpu": _read_cpu_model(),
        "cores": {
            "logical": psutil.cpu_count(),
            "physical": psutil.cpu_count(logical=False),
            "usable": _count_usable_cores(),
        },
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": list(_read_gpu_models()),
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if _VARIABLES.fullmatch(name) and not _ADDRESS.search(value)
        },
    }
    return yaml.safe_dump(machine, sort_keys=False, allow_unicode=True)


def _pin(distribution: Distribution) -> str:
    pin = f"{distribution.name}=={distribution.version}"
    # PEP 610: who installed it from elsewhere left a note.
    if distribution.read_text("direct_url.json") is None:
        return pin
    return f"# {pin} (from no package index)"


def _count_usable_cores() -> int | None:
    """Returns on how many cores this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _read_cpu_model() -> str:
    """Returns what Linux calls the CPU, or what Python does."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    return next(_read_fields(text, _MODEL_NAMES), platform.machine())


def _read_gpu_models() -> Iterator[str]:
    """Yields the name of each GPU that NVIDIA's driver has, in the order of their places."""
    for file in sorted(_GPUS.glob("*/information")):
        yield from _read_fields(file.read_text(encoding="utf-8"), _MODEL_NAMES)


def _read_fields(text: str, names: tuple[str, ...]) -> Iterator[str]:
    pairs: Iterator[Any] = (line.partition(":") for line in text.splitlines())
    return (value.strip() for name, _, value in pairs if name.strip() in names)
