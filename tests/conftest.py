"""What all tests start from: TensorFlow imported without its noise, and composed configurations."""

import pytest

from runner.composition import compose_config
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)


@pytest.fixture(scope="session")
def compose():
    """Composes overrides as the command line does, without tracking and without measuring plans."""
    fixed = ["tracking=off", "plan.name=step", "plan.measurements=null"]
    return lambda *overrides: compose_config([*fixed, *overrides])
