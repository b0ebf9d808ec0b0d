"""What the import of TensorFlow prints."""

import subprocess
import sys

import pytest

IMPORT = "from runner.engine.startup import import_tensorflow; import_tensorflow({level})"


def stderr_of(code):
    environment = {"PATH": "/usr/bin:/bin"}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return finished.stderr


@pytest.mark.integration
def test_the_noise_is_silenced_unless_asked_for():
    assert stderr_of(IMPORT.format(level=3)) == ""
    assert stderr_of(IMPORT.format(level=0)) != ""


@pytest.mark.integration
@pytest.mark.parametrize(("level", "shown"), [(1, True), (2, False), (3, False)])
def test_warnings_of_its_python_side_are_silenced_too(level, shown):
    code = f"{IMPORT.format(level=level)}; import tensorflow; tensorflow.get_logger().warning('so')"
    assert ("WARNING:tensorflow:so" in stderr_of(code)) == shown


@pytest.mark.integration
def test_what_others_write_meanwhile_is_not_lost():
    code = (
        "import os, sys, runner.engine.startup as startup\n"
        "with startup._drop_noise():\n"
        "    os.write(2, b'I0000 00:00:1795428657.821573    3394 port.cc:153] noise\\nnews\\n')\n"
        "    print('more', file=sys.stderr)\n"
    )
    assert stderr_of(code) == "news\nmore\n"
