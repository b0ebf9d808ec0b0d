"""The whole configuration of a run as a file: typed, resolved, with what its data was found to be.

From it a later command takes a run's model and data over as they were, whatever has become of the
files under conf/ since. What was read from the environment stays ``${oc.env:NAME}`` in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf

from models.config import ModelConfig
from runner.config import SCHEMAS, ExperimentConfig, name_kind

FILE = "resolved.yaml"

_ENVIRONMENT = "oc.env"
_Path = tuple[str | int, ...]


def format_resolved(config: ExperimentConfig, cfg: DictConfig) -> str:
    """Returns `config` as YAML, with the kinds of its groups.

    Args:
        config: A configuration.
        cfg: What it was made of, in which values from the environment are still to be told.
    """
    tree = asdict(config)
    del tree["model"]["preprocess"]  # which is the data's
    for path, text in _find_environment(OmegaConf.to_container(cfg, resolve=False)):
        _replace(tree, path, text)
    kinds = {group: name_kind(group, getattr(config, group)) for group in SCHEMAS}
    resolved = {"folder": _name_folder(), "kinds": kinds, "config": tree}
    return yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)


def format_group(resolved: Mapping[str, Any], group: str) -> str:
    """Returns a group of a run as a file of conf/.

    Args:
        resolved: What ``format_resolved`` gave, parsed.
        group: ``model``, ``data`` or another.
    """
    kind = resolved["kinds"].get(group)
    defaults = {} if kind is None else {"defaults": [f"/schema_{group}_{kind}@_here_", "_self_"]}
    tree = {**defaults, **resolved["config"][group]}
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)


def read_model(resolved: Mapping[str, Any]) -> ModelConfig:
    """Returns the model of a run, its layers adapted; what the environment held is read from it.

    Args:
        resolved: What ``format_resolved`` gave, parsed.
    """
    tree = OmegaConf.create({"model": resolved["config"]["model"]})
    schema = OmegaConf.structured(ModelConfig)
    model = cast(ModelConfig, OmegaConf.to_object(OmegaConf.merge(schema, tree.model)))
    stacks = resolved["config"]["data"]["preprocess"]
    # Those of inputs that a model does not take are the data's alone.
    return replace(
        model, preprocess={name: stacks[name] for name in model.inputs if stacks.get(name)}
    )


def settle_statistics(text: str, config: ExperimentConfig) -> str:
    """Returns `text`, what ``format_resolved`` gave, with what layers were adapted to."""
    if not config.data.preprocess:
        return text
    resolved = yaml.safe_load(text)
    resolved["config"]["data"]["preprocess"] = config.data.preprocess
    return yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)


def _name_folder() -> str:
    """Returns where the command was given, which paths are relative to; home is ``~``."""
    here, home = Path.cwd(), Path.home()
    is_within = home != Path(home.root) and here.is_relative_to(home)
    return f"~/{here.relative_to(home)}" if is_within else str(here)


def _find_environment(tree: Any, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """Yields the place and the text of each value that comes from the environment."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _find_environment(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _find_environment(value, (*path, index))
    elif isinstance(tree, str) and _ENVIRONMENT in tree:
        yield path, tree


def _replace(tree: Any, path: _Path, text: str) -> None:
    *parents, last = path
    for key in parents:
        tree = tree[key]
    tree[last] = text
