"""Writes the model of a run for other programs."""

import sys
from collections.abc import Iterator
from pathlib import Path

from models.config import ModelConfig
from models.problems import ConfigError, Problem, expected
from models.validation import validate_model
from runner.composition import compose_config
from runner.config import ExperimentConfig
from runner.engine.startup import import_tensorflow
from runner.paths import show_path
from runner.resolved import read_model
from runner.tracking.finding import WHAT
from runner.tracking.runs import LoggedRun, read_run
from runner.verbs.parser import VerbParser

_SUFFIXES = {"keras": ".keras", "saved_model": "", "onnx": ".onnx"}


def run(arguments: list[str]) -> int:
    """Writes it and says where.

    Raises:
        ConfigError: If there is no such run, it kept no weights, or its model cannot be written so.
    """
    parser = VerbParser(
        "export",
        "Write the model that a run trained as a .keras file, a SavedModel or ONNX.",
    )
    parser.add_argument("run", metavar="RUN", help=WHAT)
    parser.add_argument("--format", choices=list(_SUFFIXES), default="keras", help="%(default)s")
    parser.add_argument("--output", type=Path, required=True, help="the file or folder to write")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    parsed = parser.parse_intermixed_args(arguments)
    config = compose_config(parsed.overrides)
    problems = list(_check_output(parsed.output, parsed.format))
    if problems:
        raise ConfigError(problems)
    logged = read_run(config.tracking, parsed.run, "RUN")
    model = read_model(logged.resolved)
    if problems := validate_model(model, trusted=config.trusted_modules):
        raise ConfigError(problems)
    _export(config, model, logged, parsed.output.resolve(), parsed.format)
    sys.stdout.write(f"{show_path(parsed.output.resolve())}\n")
    return 0


def _check_output(output: Path, form: str) -> Iterator[Problem]:
    suffix = _SUFFIXES[form]
    if suffix and output.suffix != suffix:
        yield expected("--output", f"a file that ends in {suffix}", str(output))
    if output.exists():
        hint = "There is something; remove it or choose another."
        yield expected("--output", "a path that is free", str(output), hint)
    elif not output.resolve().parent.is_dir():
        yield expected("--output", "a path in a folder that is there", str(output))


def _export(
    config: ExperimentConfig, model: ModelConfig, logged: LoggedRun, output: Path, form: str
) -> None:
    import_tensorflow(config.session.tensorflow_log_level)
    from runner.engine.exporting import export_model
    from runner.engine.twin import UnsavableError, build_twin

    try:
        export_model(build_twin(model, logged.weights), output, form)
    except UnsavableError as error:
        message = f"the model {model.name} cannot be written so: {error}"
        raise ConfigError([Problem(f"--format {form}", message)]) from error
