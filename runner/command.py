"""Runs the experiment, or the sweep, that a command line declares: Hydra composes it."""

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from models.problems import ConfigError
from runner.clock import PhaseClock
from runner.composition import CONF, compare_with_defaults
from runner.config import StoreTrackingConfig
from runner.engine.startup import import_tensorflow
from runner.exits import BAD_CONFIG, describe_known
from runner.inheritance import Inherited, inherit, settle_config
from runner.places import format_problems
from runner.resolved import find_hidden, format_resolved
from runner.results import RunOutcome
from runner.secrets import redact, redact_files
from runner.sweep.parent import Sweep
from runner.tracking.courier import start_courier
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext
from runner.validation import validate

# Hydra's name for the flag --config-dir.
_CONFIG_DIR = "command-line"
_STARTED = time.perf_counter()


def run_command(arguments: Sequence[str]) -> None:
    """Runs what `arguments`, overrides and flags of Hydra, declare."""
    # Otherwise Hydra prints errors itself and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    with tempfile.TemporaryDirectory(prefix="feedfetch-") as folder:
        inherited = inherit(arguments, Path(folder))
        # From where Hydra reads them.
        sys.argv[1:] = arguments if inherited is None else inherited.extend(arguments)
        with Sweep(_ui_command, lambda overrides: _repeat_command(["-m", *overrides])) as sweep:

            def run(cfg: DictConfig) -> RunOutcome:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return _run_job_of(sweep, cfg, inherited)
                return _run(cfg, inherited)

            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run)()


def _run(cfg: DictConfig, inherited: Inherited | None) -> RunOutcome:
    """Runs a single run, which ends the process with its message where it fails."""
    try:
        return _run_job(cfg, inherited)
    except ConfigError as error:
        overrides = _given_overrides()
        if inherited is not None:
            overrides.append(inherited.search_path)
        _exit(format_problems(error.problems, overrides), BAD_CONFIG)
    except Exception as error:
        if (known := describe_known(error)) is not None:
            _exit(*known)
        raise


def _run_job_of(sweep: Sweep, cfg: DictConfig, inherited: Inherited | None) -> RunOutcome:
    """Runs a job of a sweep: Hydra takes an error, runs the others, and raises the first one."""
    overrides = _user_overrides(inherited)
    return sweep.run_job(overrides, lambda: _run_job(cfg, inherited, sweep))


def _user_overrides(inherited: Inherited | None) -> list[str]:
    """Returns what the user set, without what an earlier run added to it."""
    added = () if inherited is None else inherited.added
    return [text for text in _given_overrides() if text not in added]


def _given_overrides() -> list[str]:
    """Returns the overrides as they were typed, with what they refer to."""
    given = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return [str(text) for text in cast(list[str], given)]


def _run_job(
    cfg: DictConfig, inherited: Inherited | None, sweep: Sweep | None = None
) -> RunOutcome:
    """Checks all that can be checked before TensorFlow is imported, then runs the experiment."""
    is_first = "tensorflow" not in sys.modules
    started = _STARTED if is_first else time.perf_counter()
    job = HydraConfig.get()
    hidden = find_hidden(cfg)
    if sweep is not None:
        sweep.read(Path(job.sweep.dir))
    _redact_folders(Path(job.runtime.output_dir), Path(job.sweep.dir))
    changes = compare_with_defaults(cfg, job)
    config = settle_config(cfg, inherited)
    validate(config)
    prepare_store(config.tracking)
    if isinstance(config.tracking, StoreTrackingConfig):
        start_courier(config.tracking)
    clock = PhaseClock()
    clock.add("start", time.perf_counter() - started)
    with clock.phase("import"):
        import_tensorflow(config.session.tensorflow_log_level)
        from runner.console import Reporter
        from runner.experiment import run_experiment

    overrides = _user_overrides(inherited)
    parent = None if sweep is None else sweep.open_run(config, Path(job.sweep.dir))
    context = RunContext(
        overrides,
        Path(job.runtime.output_dir),
        parent,
        resolved=format_resolved(config, hidden),
        weights={} if inherited is None else inherited.weights,
        changes=changes,
        hidden=hidden,
        command=shlex.join(_repeat_command(overrides)),
        number=job.job.num if job.mode == RunMode.MULTIRUN else None,
    )
    with Reporter(_ui_command(overrides)) as reporter:
        return run_experiment(config, context, reporter, clock)


def _redact_folders(*folders: Path) -> None:
    """Takes secrets out of what Hydra wrote before it called this program."""
    for folder in folders:
        redact_files([*folder.glob(".hydra/*.yaml"), *folder.glob("multirun.yaml")])


def _repeat_command(overrides: Sequence[str]) -> list[str]:
    """Returns the command that repeats a run of `overrides`, or, of a job in a sweep, it alone."""
    job = HydraConfig.get()
    added = [one.path for one in job.runtime.config_sources if one.provider == _CONFIG_DIR]
    flags = [text for path in added for text in ("--config-dir", path)]
    return [_python(), "-m", "runner", *flags, *overrides]


def _ui_command(overrides: Sequence[str]) -> list[str]:
    """Returns the command that opens the store of a run of `overrides`, as typed from here."""
    store = [text for text in overrides if text.startswith("tracking")]
    return [_python(), "-m", "runner", "ui", *store]


def _python() -> str:
    """Returns what runs this Python, as typed from here."""
    found = shutil.which("python")
    python = "python" if found and Path(found).samefile(sys.executable) else sys.executable
    return python.removeprefix(f"{Path.cwd()}/")


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{redact(message)}\n")
    sys.exit(status)
