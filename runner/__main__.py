"""The entry: Hydra composes and runs an experiment, or a verb does something with runs."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from models.problems import ConfigError, Problem
from runner.clock import PhaseClock
from runner.composition import (
    CONF,
    PROJECT,
    compose_config,
    compose_open,
    open_hydra,
    register,
    to_config,
)
from runner.composition_errors import explain
from runner.config import ExperimentConfig, SqliteTrackingConfig
from runner.engine.errors import StepError
from runner.engine.startup import import_tensorflow
from runner.feeds import read_feeds
from runner.places import format_problems
from runner.preprocessing import stand_in_statistics
from runner.resolved import format_resolved
from runner.results import RunOutcome
from runner.sweep.parent import Sweep
from runner.tracking.courier import start_courier
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext, TrackingError
from runner.validation import validate

if TYPE_CHECKING:
    from runner.inheritance import Inherited

_STARTED = time.perf_counter()

SCHEMA_FOLDER = PROJECT / "docs" / "schema"

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
        if sys.argv[1:2] == ["validate"]:
            _validate(sys.argv[2:])
        if sys.argv[1:2] == ["schema"]:
            _write_schemas(sys.argv[2:])
        with tempfile.TemporaryDirectory(prefix="feedfetch-") as folder:
            _run_hydra(_inherit(sys.argv[1:], Path(folder)))
    except KeyboardInterrupt:
        _exit("interrupted", 128 + signal.SIGINT)
    except Terminated:
        _exit("terminated", 128 + signal.SIGTERM)
    except Exception as error:
        _exit_if_known(error)
        raise


def _inherit(arguments: Sequence[str], folder: Path) -> "Inherited | None":
    """Returns what the command takes over from the run that it names; None where it names none."""
    if not any(text.startswith("from_run=") for text in arguments):
        return None
    # This may import MLflow.
    from runner.inheritance import inherit

    return inherit(arguments, folder)


def _run_hydra(inherited: "Inherited | None") -> None:
    if inherited is not None:
        sys.argv[1:] = inherited.extend(sys.argv[1:])
    with Sweep(_ui_command) as sweep:

        def run(cfg: DictConfig) -> RunOutcome:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                return _run_job_of(sweep, cfg, inherited)
            return _run(cfg, inherited)

        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run)()


def _run(cfg: DictConfig, inherited: "Inherited | None") -> RunOutcome:
    """Runs a single run, which ends the process with its message where it fails."""
    try:
        return _run_job(cfg, inherited)
    except ConfigError as error:
        overrides = list(HydraConfig.get().overrides.task)
        if inherited is not None:
            overrides.append(inherited.search_path)
        _exit(format_problems(error.problems, overrides), _BAD_CONFIG)
    except Exception as error:
        _exit_if_known(error)
        raise


def _run_job_of(sweep: Sweep, cfg: DictConfig, inherited: "Inherited | None") -> RunOutcome:
    """Runs a job of a sweep: Hydra takes an error, runs the others, and raises the first one."""
    overrides = _user_overrides(inherited)
    return sweep.run_job(overrides, lambda: _run_job(cfg, inherited, sweep))


def _user_overrides(inherited: "Inherited | None") -> list[str]:
    """Returns what the user set, without what an earlier run added to it."""
    added = () if inherited is None else inherited.added
    return [text for text in HydraConfig.get().overrides.task if text not in added]


def _run_job(
    cfg: DictConfig, inherited: "Inherited | None", sweep: Sweep | None = None
) -> RunOutcome:
    """Checks all that can be checked before TensorFlow is imported, then runs the experiment."""
    is_first = "tensorflow" not in sys.modules
    started = _STARTED if is_first else time.perf_counter()
    config = _settle(cfg, inherited)
    validate(config)
    prepare_store(config.tracking)
    if isinstance(config.tracking, SqliteTrackingConfig):
        start_courier(config.tracking)
    clock = PhaseClock()
    clock.add("start", time.perf_counter() - started)
    with clock.phase("import"):
        import_tensorflow(config.session.tensorflow_log_level)
        from runner.console import Reporter
        from runner.experiment import run_experiment

    job = HydraConfig.get()
    overrides = _user_overrides(inherited)
    parent = None if sweep is None else sweep.open_run(config, Path(job.sweep.dir))
    context = RunContext(
        overrides,
        Path(job.runtime.output_dir),
        parent,
        resolved=format_resolved(config, cfg),
        weights={} if inherited is None else inherited.weights,
    )
    with Reporter(_ui_command(overrides)) as reporter:
        return run_experiment(config, context, reporter, clock)


def _settle(cfg: DictConfig, inherited: "Inherited | None") -> ExperimentConfig:
    """Returns the configuration that `cfg` holds on top of the run that it names."""
    if inherited is not None:
        inherited.settle(cfg)
    elif cfg.from_run is not None:
        message = "expected on the command line, not in a file, since it changes what is composed."
        raise ConfigError([Problem("from_run", message)])
    return to_config(cfg)


def _exit_if_known(error: Exception) -> None:
    """Turns a known error into its text and exit status."""
    if isinstance(error, ConfigError):
        _exit(str(error), _BAD_CONFIG)
    if isinstance(error, StepError | TrackingError):
        _exit(str(error), _FAILED)
    problem = explain(error)
    if problem is not None:
        _exit(str(problem), _BAD_CONFIG)


def _ui_command(overrides: Sequence[str]) -> list[str]:
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


def _validate(arguments: list[str]) -> NoReturn:
    parser = argparse.ArgumentParser(
        prog="python -m runner validate",
        description="Say all that is wrong with a configuration; run nothing.",
    )
    parser.add_argument(
        "--no-shapes", action="store_true", help="check without TensorFlow, and so no shapes"
    )
    parser.add_argument("--config-dir", type=Path, help="a folder of your own YAML")
    parser.add_argument("overrides", nargs="*", help="such as model=cnn")
    parsed = parser.parse_args(arguments)
    overrides = list(parsed.overrides)
    if parsed.config_dir is not None:
        overrides.append(f"hydra.searchpath=[file://{parsed.config_dir.resolve()}]")
    with tempfile.TemporaryDirectory(prefix="feedfetch-") as folder, ExitStack() as stack:
        inherited = _inherit(overrides, Path(folder))
        if inherited is not None:
            overrides = inherited.extend(overrides)
        stack.enter_context(open_hydra())
        try:
            config = _settle(compose_open(overrides), inherited)
            _check(config, with_shapes=not parsed.no_shapes)
        except ConfigError as error:
            _exit(format_problems(error.problems, overrides), _BAD_CONFIG)
    sys.exit(0)


def _write_schemas(arguments: list[str]) -> NoReturn:
    from runner.paths import show_path
    from runner.schema.files import write_schemas

    parser = argparse.ArgumentParser(
        prog="python -m runner schema",
        description="Write JSON Schema of the files under conf/, by which an editor with a YAML "
        "language server completes and checks them.",
    )
    parser.add_argument(
        "--output-dir", type=Path, default=SCHEMA_FOLDER, help="default: %(default)s"
    )
    for file in write_schemas(parser.parse_args(arguments).output_dir):
        sys.stdout.write(f"{show_path(file)}\n")
    sys.exit(0)


def _check(config: ExperimentConfig, *, with_shapes: bool) -> None:
    """Checks names and arguments without TensorFlow, then builds the graph without running it."""
    validate(config)
    if not with_shapes:
        sys.stdout.write(f"{config.model.name}: names, arguments and types are valid\n")
        return
    import_tensorflow(config.session.tensorflow_log_level)
    from runner.console import print_layers
    from runner.engine.graph import build_graph

    whole = stand_in_statistics(config)
    print_layers(build_graph(whole, read_feeds(config.feeds)).layers)
    sys.stdout.write(f"{config.model.name}: valid\n")


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
