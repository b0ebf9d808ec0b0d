"""Runs the experiment, or the sweep, that a command line declares: Hydra composes it."""

import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from runner.tracking.selection import select_store
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext, Witness
from runner.validation import validate

# Hydra's name for the flag --config-dir.
_CONFIG_DIR = "command-line"
_STARTED = time.perf_counter()


@dataclass(frozen=True)
class Declaration:
    """How a run is declared that is not by overrides of conf/ alone.

    Attributes:
        conf: A folder as conf/ is.
        main: The file in it that is composed.
        inherited: What the run takes over from an earlier one; None for nothing.
        verb: What stands before the overrides on the command line.
        tags: Labels of the run.
        witness: Who sees what it does; None for none.
    """

    conf: Path = CONF
    main: str = "config"
    inherited: Inherited | None = None
    verb: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    witness: Witness | None = None


def run_command(arguments: Sequence[str]) -> None:
    """Runs what `arguments`, overrides and flags of Hydra, declare."""
    with tempfile.TemporaryDirectory(prefix="feedfetch-") as folder:
        inherited = inherit(arguments, Path(folder))
        declaration = Declaration(inherited=inherited)
        extended = arguments if inherited is None else inherited.extend(arguments)
        with Sweep(_ui_command, lambda overrides: _repeat_command(["-m", *overrides])) as sweep:

            def run(cfg: DictConfig) -> RunOutcome:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    return _run_job_of(sweep, cfg, declaration)
                return _run(cfg, declaration)

            _compose(run, extended, declaration)


def run_declared(overrides: Sequence[str], declaration: Declaration) -> None:
    """Runs a single run that `overrides` of a declaration declare."""
    _compose(lambda cfg: _run(cfg, declaration), overrides, declaration)


def _compose(
    run: Callable[[DictConfig], RunOutcome], arguments: Sequence[str], declaration: Declaration
) -> None:
    """Has Hydra compose what `arguments` declare, and calls `run` with it."""
    # Otherwise Hydra prints errors itself and exits with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # From where Hydra reads them.
    sys.argv[1:] = arguments
    hydra.main(version_base="1.3", config_path=str(declaration.conf), config_name=declaration.main)(
        run
    )()


def _run(cfg: DictConfig, declaration: Declaration) -> RunOutcome:
    """Runs a single run, which ends the process with its message where it fails."""
    try:
        return _run_job(cfg, declaration)
    except ConfigError as error:
        overrides = _given_overrides()
        if declaration.inherited is not None and declaration.inherited.search_path:
            overrides.append(declaration.inherited.search_path)
        _exit(format_problems(error.problems, overrides, declaration.main), BAD_CONFIG)
    except Exception as error:
        if (known := describe_known(error)) is not None:
            _exit(*known)
        raise


def _run_job_of(sweep: Sweep, cfg: DictConfig, declaration: Declaration) -> RunOutcome:
    """Runs a job of a sweep: Hydra takes an error, runs the others, and raises the first one."""
    overrides = _user_overrides(declaration.inherited)
    return sweep.run_job(overrides, lambda: _run_job(cfg, declaration, sweep))


def _user_overrides(inherited: Inherited | None) -> list[str]:
    """Returns what the user set, without what an earlier run added to it."""
    added = () if inherited is None else inherited.added
    return [text for text in _given_overrides() if text not in added]


def _given_overrides() -> list[str]:
    """Returns the overrides as they were typed, with what they refer to."""
    given = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return [str(text) for text in cast(list[str], given)]


def _run_job(cfg: DictConfig, declaration: Declaration, sweep: Sweep | None = None) -> RunOutcome:
    """Checks all that can be checked before TensorFlow is imported, then runs the experiment."""
    inherited = declaration.inherited
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
        tags=declaration.tags,
        verb=declaration.verb,
        witness=declaration.witness,
        changes=changes,
        hidden=hidden,
        command=shlex.join(_repeat_command([*declaration.verb, *overrides])),
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
    """Returns the command that opens the store of a run of `overrides`, quoted for a shell."""
    words = [_python(), "-m", "runner", "ui", *select_store(overrides)]
    return [shlex.quote(word) for word in words]


def _python() -> str:
    """Returns what runs this Python, as typed from here."""
    found = shutil.which("python")
    python = "python" if found and Path(found).samefile(sys.executable) else sys.executable
    return python.removeprefix(f"{Path.cwd()}/")


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{redact(message)}\n")
    sys.exit(status)
