"""What is said of the packages and the machine."""

import os
import platform
from importlib.metadata import version

import numpy as np
import yaml
from packaging.requirements import Requirement

from runner.tracking import environment
from runner.tracking.environment import format_machine, format_requirements


def test_each_package_is_pinned_as_pip_takes_it():
    lines = format_requirements().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    assert f"numpy=={np.__version__}" in lines
    assert f"tensorflow=={version('tensorflow')}" in lines
    assert all(str(pin.specifier).startswith("==") for pin in pins)
    assert "://" not in format_requirements()


def test_what_no_index_has_is_a_comment():
    assert f"# feedfetch=={version('feedfetch')} (from no package index)\n" in format_requirements()


def test_the_machine_is_told(monkeypatch):
    given = {
        "OMP_NUM_THREADS": "2",
        "CUDA_VISIBLE_DEVICES": "0",
        "TF_MIRROR": "https://example.org/tf",
        "USER": "ada",
    }
    monkeypatch.setattr(environment, "_STARTED_WITH", given)
    machine = yaml.safe_load(format_machine())
    assert machine["python"] == f"CPython {platform.python_version()}"
    assert machine["cores"]["logical"] == os.cpu_count()
    assert machine["cpu"]
    assert machine["variables"] == {"CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "2"}


def test_gpus_are_those_that_the_driver_names(monkeypatch, tmp_path):
    for place, name in (("0000:01", "NVIDIA A"), ("0000:02", "NVIDIA B")):
        (tmp_path / place).mkdir()
        text = f"Model: \t\t {name}\nIRQ:   \t\t 42\n"
        (tmp_path / place / "information").write_text(text, encoding="utf-8")
    monkeypatch.setattr(environment, "_GPUS", tmp_path)
    assert yaml.safe_load(format_machine())["gpus"] == ["NVIDIA A", "NVIDIA B"]
