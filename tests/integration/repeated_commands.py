"""Runs one command after another in this process; each a line of JSON, a list of arguments."""

import json
import os
import sys
from pathlib import Path

import pytest

from runner.__main__ import main
from tests.keras_cache import fill_cache, point_to


def run_all(lines, keras_home):
    with pytest.MonkeyPatch.context() as patch:
        (point_to if (keras_home / "datasets").exists() else fill_cache)(patch, keras_home)
        patch.setattr("keras.src.utils.file_utils.validate_file", lambda *_, **__: True)
        for line in lines:
            sys.argv = ["runner", *json.loads(line)]
            try:
                main()
            except SystemExit as end:
                if end.code:
                    sys.stdout.write(f"{line.strip()} ended with {end.code}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    run_all(sys.stdin.readlines(), Path(sys.argv[1]))
