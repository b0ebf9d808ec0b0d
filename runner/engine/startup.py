"""Imports TensorFlow without its start-up noise."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d"  # absl's lines
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "  # TensorFlow's own
    rb"|To enable the following instructions"
)

_PYTHON_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


# Keras looks whether they are there, for its scikit-learn wrappers, its galleries and DataFrames,
# none of which a run uses. To import them takes 1.3 of 3.3 s.
_UNUSED_BY_KERAS = ("matplotlib", "pandas", "sklearn")


def import_tensorflow(log_level: int) -> None:
    """Imports TensorFlow, which then prints no more than `log_level` asks for.

    Args:
        log_level: 0 prints all, 1 no information, 2 no warnings, 3 nothing; the environment's
            ``TF_CPP_MIN_LOG_LEVEL``, where set, goes before it.
    """
    # Each Session gets threads of its own, which end with it, rather than those of the first.
    os.environ.setdefault("TF_OVERRIDE_GLOBAL_THREADPOOL", "1")
    level = int(os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", str(log_level)))
    if level == 0:
        with _hide(_UNUSED_BY_KERAS):
            import tensorflow

        return
    with _drop_noise():
        with _hide(_UNUSED_BY_KERAS):
            import tensorflow

        # The first look for devices prints too.
        tensorflow.config.list_physical_devices()
    tensorflow.get_logger().setLevel(_PYTHON_LEVELS[min(level, 3)])


@contextmanager
def _hide(packages: Iterable[str]) -> Iterator[None]:
    """Makes imports of `packages` that were not imported before fail within the block."""
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextmanager
def _drop_noise() -> Iterator[None]:
    """Holds back what is written to file descriptor 2, and drops TensorFlow's log lines of it.

    TensorFlow 2.21 writes some lines before its log level is read, so the environment cannot
    silence them. All other lines are written when the block ends, also by an error.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _NOISE.match(line):
                    os.write(2, line)
