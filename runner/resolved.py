"""The whole configuration of a run as a file: typed, resolved, with what its data was found to be.

From it a later command takes a run's model and data over as they were, whatever has become of the
files under conf/ since. What was read from the environment stays ``${oc.env:NAME}`` in it, what is
set under a key of a secret is missing, so that it has to be given again, and a path in the home
folder begins with ``~``.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import MISSING, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from models.config import ModelConfig
from runner.config import SCHEMAS, ExperimentConfig, name_kind
from runner.paths import expand_path
from runner.secrets import (
    MASK,
    is_secret,
    learn_passwords,
    learn_secrets,
    redact_all,
    show_variable,
)

FILE = "resolved.yaml"

_ENVIRONMENT = "oc.env"
# A reference to another value, which may itself come from the environment.
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")

_ADDRESS = ("tracking", "uri")

Keys = tuple[str | int, ...]
# What is shown in the place of values, by the keys that lead to them.
Hidden = Mapping[Keys, str]


def find_hidden(cfg: DictConfig) -> Hidden:
    """Returns what of `cfg` is not shown, and learns the secrets in it.

    What comes from the environment is shown as it is written, also where it is taken from another
    place of the configuration; of what is set under a key of a secret nothing is.
    """
    tree = OmegaConf.to_container(cfg, resolve=False)
    hidden: dict[Keys, str] = {}
    with _noting_variables() as names:
        for keys, read in _find_read(cfg, names):
            hidden[keys] = _inline(_look_up(tree, keys), tree)
            # The address of a server, which may hold no password, is what messages have to name.
            if keys != _ADDRESS:
                learn_secrets({os.environ[name]: show_variable(name) for name in read})
    for keys, value in _find_leaves(tree):
        learn_passwords(str(value))
        is_set = value not in (None, "", MISSING) and not isinstance(value, bool)
        if keys not in hidden and is_set and is_secret(".".join(map(str, keys))):
            hidden[keys] = MASK
            learn_secrets({str(value): MASK})
    return hidden


def hide(tree: dict[str, Any], hidden: Hidden) -> None:
    """Replaces in `tree`, a configuration, what is not shown."""
    for keys, shown in hidden.items():
        *parents, last = keys
        place = _look_up(tree, parents)
        # What is taken over of an earlier run and done without is no longer there.
        if isinstance(place, dict | list) and _look_up(tree, keys) is not None:
            place[last] = shown  # type: ignore[index]


def format_resolved(config: ExperimentConfig, hidden: Hidden) -> str:
    """Returns `config` as YAML, with the kinds of its groups.

    Args:
        config: A configuration.
        hidden: What of it is not shown; see ``find_hidden``.
    """
    tree = asdict(config)
    del tree["model"]["preprocess"]  # which is the data's
    hide(tree, {keys: MISSING if shown == MASK else shown for keys, shown in hidden.items()})
    kinds = {group: name_kind(group, getattr(config, group)) for group in SCHEMAS}
    shown = {"folder": _name_folder(), "kinds": kinds, "config": redact_all(tree)}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


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
    expand_home(tree)
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


def expand_home(cfg: DictConfig) -> None:
    """Writes out the home folder where a path, or an address, in `cfg` begins with it."""
    for keys, value in _find_leaves(OmegaConf.to_container(cfg, resolve=False)):
        if isinstance(value, str) and (expanded := expand_path(value)) != value:
            *parents, last = keys
            place: Any = cfg
            for key in parents:
                place = place[key]
            place[last] = expanded


@contextmanager
def _noting_variables() -> Iterator[set[str]]:
    """Yields a set in which the environment variables are that are read in the block."""
    names: set[str] = set()

    def read(name: str, *default: str | None) -> str | None:
        if name in os.environ:
            names.add(name)
        return oc.env(name, *default)

    OmegaConf.register_new_resolver(_ENVIRONMENT, read, replace=True)
    try:
        yield names
    finally:
        OmegaConf.register_new_resolver(_ENVIRONMENT, oc.env, replace=True)


def _find_read(
    node: DictConfig | ListConfig, names: set[str], keys: Keys = ()
) -> Iterator[tuple[Keys, set[str]]]:
    """Yields the keys to each value that comes from the environment, and what it is read from.

    Args:
        node: Where to look.
        names: Where ``_noting_variables`` notes what is read.
        keys: What leads there.
    """
    for key in range(len(node)) if isinstance(node, ListConfig) else list(node):
        names.clear()
        try:
            value = None if OmegaConf.is_missing(node, key) else node[key]
        except OmegaConfBaseException:
            # It is told of where all is resolved.
            continue
        if names:
            yield (*keys, key), set(names)
        elif isinstance(value, DictConfig | ListConfig):
            yield from _find_read(value, names, (*keys, key))


def _inline(text: Any, tree: Any) -> str:
    """Returns `text` with what it refers to in `tree`, so that it says the same elsewhere."""

    def follow(match: re.Match[str]) -> str:
        found = _look_up(tree, match[1].split("."))
        return _inline(found, tree) if isinstance(found, str) else match[0]

    return _REFERENCE.sub(follow, str(text))


def _look_up(tree: Any, keys: Sequence[str | int]) -> Any:
    """Returns what is in `tree` under `keys`, or the text that refers to it; None for nothing."""
    for key in keys:
        if isinstance(tree, Mapping):
            tree = tree.get(key)
        elif isinstance(tree, list) and isinstance(key, int) and key < len(tree):
            tree = tree[key]
        else:
            # Such as a reference to a whole mapping.
            return tree if isinstance(tree, str) else None
    return tree


def _find_leaves(tree: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yields each value in `tree` and the keys that lead to it."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _find_leaves(value, (*keys, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _find_leaves(value, (*keys, index))
    else:
        yield keys, tree
