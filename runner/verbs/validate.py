"""Says all that is wrong with a configuration, and runs nothing."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from models.problems import ConfigError
from runner.composition import compose_open, open_hydra
from runner.config import ExperimentConfig
from runner.engine.startup import import_tensorflow
from runner.exits import BAD_CONFIG
from runner.feeds import read_feeds
from runner.inheritance import inherit, settle_config
from runner.places import format_problems
from runner.preprocessing import stand_in_statistics
from runner.validation import validate
from runner.verbs.parser import VerbParser


def run(arguments: list[str]) -> int:
    """Shows the shapes of what is right, or every problem with its place."""
    parser = VerbParser(
        "validate",
        "Say all that is wrong with a configuration; run nothing.",
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
        inherited = inherit(overrides, Path(folder))
        if inherited is not None:
            overrides = inherited.extend(overrides)
        stack.enter_context(open_hydra())
        try:
            config = settle_config(compose_open(overrides), inherited)
            _check(config, with_shapes=not parsed.no_shapes)
        except ConfigError as error:
            sys.stderr.write(f"{format_problems(error.problems, overrides)}\n")
            return BAD_CONFIG
    return 0


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
