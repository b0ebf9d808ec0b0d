"""What ``rerun`` refuses before it looks for the run."""

import pytest

from models.problems import ConfigError
from runner.verbs import rerun


@pytest.mark.parametrize("value", ["-1", "nan"])
def test_a_tolerance_is_no_less_than_0(value):
    message = rf"--tolerance: expected a number of 0 or more; received {float(value)} \(float\)"
    with pytest.raises(ConfigError, match=message):
        rerun.run(["last", f"--tolerance={value}"])
