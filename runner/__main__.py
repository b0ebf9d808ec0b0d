"""The entry: Hydra composes and runs an experiment, or a verb does something with runs."""

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from models.problems import ConfigError
from runner.composition import CONF, compose_config, register, to_config
from runner.composition_errors import explain

_STARTED = time.perf_counter()

_FAILED = 1
_BAD_CONFIG = 2


class Terminated(BaseException):
    """The process was asked to end."""


def main() -> None:
    """Runs the command line; exits with 0, 1 for a failed run, 2 for a wrong configuration."""
    register()
    # Otherwise Hydra prints errors itself and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if sys.argv[1:2] == ["ui"]:
            _serve_ui(sys.argv[2:])
        _run_hydra()
    except ConfigError as error:
        _exit(str(error), _BAD_CONFIG)
    except KeyboardInterrupt:
        _exit("interrupted", 128 + signal.SIGINT)
    except Terminated:
        _exit("terminated", 128 + signal.SIGTERM)
    except Exception as error:
        problem = explain(error)
        if problem is None:
            raise
        _exit(str(problem), _BAD_CONFIG)


def _run_hydra() -> None:
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(_run)()


def _run(cfg: DictConfig) -> None:
    """Runs one job: checks all that can be checked before TensorFlow is imported, then runs."""
    from rich.console import Console

    from runner.clock import PhaseClock
    from runner.engine.startup import import_tensorflow
    from runner.tracking.store import prepare_store
    from runner.tracking.tracker import RunContext
    from runner.validation import validate

    config = to_config(cfg)
    validate(config)
    prepare_store(config.tracking)
    clock = PhaseClock()
    clock.add("start", time.perf_counter() - _STARTED)
    with clock.phase("import"):
        import_tensorflow(config.session.tensorflow_log_level)
        from runner.console import Reporter
        from runner.engine.session import StepError
        from runner.experiment import run_experiment

    job = HydraConfig.get()
    overrides = list(job.overrides.task)
    reporter = Reporter(Console(), _ui_command(overrides))
    context = RunContext(overrides=overrides, output_dir=Path(job.runtime.output_dir))
    try:
        run_experiment(config, context, reporter, clock)
    except StepError as error:
        reporter.close()
        _exit(str(error), _FAILED)
    finally:
        reporter.close()


def _ui_command(overrides: list[str]) -> list[str]:
    """Returns the command that opens the store of a run of `overrides`, as typed from here."""
    found = shutil.which("python")
    python = "python" if found and Path(found).samefile(sys.executable) else sys.executable
    here = f"{Path.cwd()}/"
    store = [text for text in overrides if text.startswith("tracking")]
    return [python.removeprefix(here), "-m", "runner", "ui", *store]


def _serve_ui(arguments: list[str]) -> NoReturn:
    from runner.tracking.ui import serve_ui

    parser = argparse.ArgumentParser(prog="python -m runner ui", description="Serve the MLflow UI.")
    parser.add_argument("--run", help="id of the run to open")
    parser.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    parsed = parser.parse_args(arguments)
    serve_ui(compose_config(parsed.overrides).tracking, parsed.run, parsed.port)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
