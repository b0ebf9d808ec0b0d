"""Composes a run anew from what it logged, whatever has become of the files under conf/ since.

Its configuration becomes a folder like conf/, in which each group has an option ``rerun``, the
run's; the options of conf/ can be chosen beside it. What a run chose for itself is in there as it
was chosen, so that it is the same again: the plan, the threads, the steps after which time was up.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from models.problems import ConfigError, expected
from runner.composition import CONF
from runner.config import ExperimentConfig, TrackingConfig
from runner.differences import OVERRIDE, Difference
from runner.inheritance import OPTION, Inherited, parse_overrides
from runner.paths import expand_path
from runner.plan_choice import PlanChoice
from runner.resolved import format_group
from runner.tracking.origin import PLACE, Origin
from runner.tracking.runs import read_run

NAME = "rerun"

_TASKS = ("train", "evaluate", "predict", "forward")
_GROUPS = ("model", "data", "task", "optimizer", "plan", "session")
_TRACKING = "tracking"
# Overrides that say where a run is kept.
_IRRELEVANT = (_TRACKING, "+tracking", "hydra.")
# Keys whose values are paths of files, or may be.
_FILES = ("file", "validation_file", "test_file", "vocabulary", "source", OPTION)
# Arrays are fed from such a file under any key.
_ARRAYS = ".npz"
_STEPS = "step/loss"


def write_conf(
    origin: Origin, folder: Path, overrides: Sequence[str], *, config_dir: Path | None = None
) -> None:
    """Writes the configuration of a run to `folder`, as conf/ has it.

    Args:
        origin: The run.
        folder: An empty folder.
        overrides: What is set beside it; the new run is named for it.
        config_dir: A folder of the user's own YAML; None for none.

    Raises:
        ConfigError: If it is not of a task that can be repeated.
    """
    kind = origin.resolved["kinds"]["task"]
    if kind not in _TASKS:
        what = f"a run of task={', '.join(_TASKS)}"
        raise ConfigError([expected(PLACE, what, kind)])
    resolved = {**origin.resolved, "config": _pin(origin)}
    groups = list(_GROUPS)
    if kind_of_tracking(origin) == "off":
        groups.append(_TRACKING)
    for group in groups:
        (folder / group).mkdir()
        text = format_group(resolved, group)
        (folder / group / f"{NAME}.yaml").write_text(text, encoding="utf-8")
    main = _describe_main(origin, resolved["config"], groups, overrides)
    searched = [CONF, *([] if config_dir is None else [config_dir.resolve()])]
    main["hydra"]["searchpath"] = [f"file://{path}" for path in searched]
    text = yaml.safe_dump(main, sort_keys=False, allow_unicode=True)
    (folder / f"{NAME}.yaml").write_text(text, encoding="utf-8")


def kind_of_tracking(origin: Origin) -> str:
    """Returns how a run was tracked: ``sqlite``, ``off`` and so on."""
    kind: str = origin.resolved["kinds"][_TRACKING]
    return kind


def read_weights(
    origin: Origin, overrides: Sequence[str], tracking: TrackingConfig
) -> Inherited | None:
    """Returns the weights that a run took over from an earlier one; None where it took none.

    Args:
        origin: The run.
        overrides: What is set beside it, which may name another.
        tracking: The store that the earlier run is in.

    Raises:
        ConfigError: If it is not there any more, or it kept no weights.
    """
    given = {one.key_or_group: one.value() for one in parse_overrides(overrides)}
    source = given.get(OPTION, _resolve_path(origin, OPTION, origin.resolved["config"][OPTION]))
    if source is None:
        return None
    source = _read_environment(str(source))
    try:
        logged = read_run(tracking, source, OPTION)
    except ConfigError as error:
        why = f"Run {origin.run} took its weights from it, and cannot be repeated without."
        problems = [replace(one, message=f"{one.message} {why}") for one in error.problems]
        raise ConfigError(problems) from error
    return Inherited(logged.run, [], "", {}, logged.weights)


def list_overrides(origin: Origin, overrides: Sequence[str]) -> Iterator[Difference]:
    """Yields what is set beside a run and is not as it was, each with what it was."""
    for text, parsed in zip(overrides, parse_overrides(overrides), strict=False):
        if text.startswith(_IRRELEVANT):
            continue
        is_there, was = _look_up(origin.resolved["config"], parsed.key_or_group)
        if is_there and not parsed.is_delete() and parsed.value() == was:
            continue
        is_shown = is_there and not isinstance(was, Mapping)
        yield Difference(OVERRIDE, f"{text}, was {_show(was)}" if is_shown else text)


def _show(value: Any) -> str:
    """Returns a value as it is written in YAML, in a line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=sys.maxsize)
    return text.removesuffix("...\n").strip()


def _describe_main(
    origin: Origin, config: Mapping[str, Any], groups: Sequence[str], overrides: Sequence[str]
) -> dict[str, Any]:
    """Returns conf/config.yaml with the run's options and values in the place of its own."""
    main: dict[str, Any] = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    main["defaults"] = [
        {key: NAME if key in groups else option for key, option in entry.items()}
        if isinstance(entry, Mapping)
        else entry
        for entry in main["defaults"]
    ]
    known = [one.name for one in fields(ExperimentConfig)]
    main |= {
        key: config[key] for key in known if key in config and key not in (*_GROUPS, _TRACKING)
    }
    shared = [one.name for one in fields(TrackingConfig)]
    main[_TRACKING] = {key: config[_TRACKING][key] for key in shared if key in config[_TRACKING]}
    main[_TRACKING]["run_name"] = _name_run(origin, overrides)
    # To see whether a run can be had again makes no version, and takes no alias from one.
    main[_TRACKING] |= {"register": None, "alias": None}
    return main


def _name_run(origin: Origin, overrides: Sequence[str]) -> str:
    """Returns the run's name, without what is set anew, and what is."""
    named = [text for text in overrides if not text.startswith(_IRRELEVANT)]
    keys = {_read_key(text) for text in named}
    words = [
        word for word in origin.name.split(" ") if "=" not in word or _read_key(word) not in keys
    ]
    return " ".join([*words, *named])


def _read_key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _pin(origin: Origin) -> dict[str, Any]:
    """Returns the configuration of a run with all that it chose for itself as it was chosen."""
    config: dict[str, Any] = _resolve_paths(origin, deepcopy(dict(origin.resolved["config"])))
    plan = origin.tags.get("plan")
    if plan is not None:
        chosen = PlanChoice.parse(plan)
        config["plan"] |= {"name": chosen.name, "jit_compile": chosen.jit_compile}
        config["plan"]["measurements"] = None
        if chosen.threads:
            config["session"]["intra_op_parallelism_threads"] = chosen.threads
    task = config["task"]
    has_clock = task.get("stop", {}).get("minutes") is not None
    if has_clock and origin.is_whole and _STEPS in origin.values:
        # One a step.
        task["stop"] |= {"minutes": None, "steps": len(origin.values[_STEPS].values)}
    if origin.resolved["kinds"]["task"] == "predict" and task["file"] is not None:
        # Not over the run's own.
        task["file"] = f"${{hydra:runtime.output_dir}}/{Path(task['file']).name}"
    return config


def _resolve_paths(origin: Origin, tree: Any, key: str = "") -> Any:
    """Returns a configuration whose paths lead where they led in the run's own folder."""
    if isinstance(tree, Mapping):
        return {name: _resolve_paths(origin, value, str(name)) for name, value in tree.items()}
    return _resolve_path(origin, key, tree)


def _resolve_path(origin: Origin, key: str, value: Any) -> Any:
    """Returns a path as it led; what comes from the environment is still to be read from it."""
    if not isinstance(value, str):
        return value
    read = _read_environment(value)
    if not (key in _FILES or read.endswith(_ARRAYS)):
        return value
    folder = Path(origin.resolved["folder"]).expanduser()
    if not (folder / expand_path(read)).exists():
        return value
    # Where it is read to be a whole path, no folder goes before it.
    is_whole = Path(expand_path(read)).is_absolute()
    return expand_path(value) if is_whole else str(folder / value)


def _read_environment(value: str) -> str:
    """Returns `value` with the variables it names as they are; as it is where one is not set."""
    try:
        return str(OmegaConf.create([value])[0])
    except OmegaConfBaseException:
        return value


def _look_up(tree: Any, path: str) -> tuple[bool, Any]:
    """Returns whether there is something at a dotted path of `tree`, and what."""
    for key in path.split("."):
        if not isinstance(tree, Mapping) or key not in tree:
            return False, None
        tree = tree[key]
    return True, tree
