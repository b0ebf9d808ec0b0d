"""Puts a command on top of the run that its ``from_run`` names.

The run's model and data become files of conf/ and are chosen in the place of the command's own; so
all that can be set of a model or of data can be set of a run's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from models.problems import ConfigError, Problem, expected
from runner.composition import compose_open, open_hydra, to_config
from runner.config import SPLIT_COLUMNS, ExperimentConfig, ImagesDataConfig, TrackingConfig
from runner.resolved import expand_home, format_group
from runner.tracking.finding import WHAT
from runner.tracking.runs import read_run
from runner.validation import validate_tracking

OPTION = "from_run"

_GROUPS = ("model", "data")
# A number, as an id of digits and an e is one, or a word that is no text.
_READS_OTHERWISE = re.compile(r"[\d.]+(e[+-]?\d+)?|null|true|false|inf|nan", re.IGNORECASE)
_SEARCH_PATH = "hydra.searchpath"


@dataclass(frozen=True)
class Inherited:
    """What a command takes over from an earlier run.

    Attributes:
        run: The run's id, or its folder, however the command names it.
        added: Overrides that choose the run's model, data and seed, but for what the user set.
        search_path: The override by which Hydra finds them; it holds the user's own folders too.
        data: The run's data, as it was.
        weights: The values that the run's variables ended with, by name.
    """

    run: str
    added: Sequence[str]
    search_path: str
    data: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]

    def extend(self, overrides: Sequence[str]) -> list[str]:
        """Returns the user's overrides, flags among them, with those that the run adds."""
        kept = [text for text in overrides if not text.startswith(f"{_SEARCH_PATH}=")]
        # Hydra takes overrides in one row, before or after its flags.
        place = next(i for i, text in enumerate(kept) if text.startswith(f"{OPTION}="))
        return self.pin([*kept[:place], *self.added, self.search_path, *kept[place:]])

    def pin(self, overrides: Sequence[str]) -> list[str]:
        """Returns the user's overrides with the run by its id, however they name it.

        Of what was the last run when it was named, nothing is to be known later.
        """
        named = f"{OPTION}={_quote(self.run)}"
        return [named if text.startswith(f"{OPTION}=") else text for text in overrides]

    def settle(self, cfg: DictConfig) -> None:
        """Takes back what the run found of labels that the command, in `cfg`, does without.

        New data need not have them; where they are there, they are no features. Nor need they have
        weights, or what splits are made by, where all rows are predicted.
        """
        if "data=" + OPTION not in self.added:
            return
        with open_dict(cfg):
            if cfg.task.name == "predict" and cfg.task.split == "all" and "targets" in cfg.data:
                cfg.data.sample_weight = cfg.data.class_weight = None
                cfg.data.split.update(dict.fromkeys(SPLIT_COLUMNS))
            for name in self._left_out(cfg):
                cfg.data.labels.pop(name, None)
                if "columns" in self.data:
                    cfg.data.columns[name] = {"type": "ignore"}

    def _left_out(self, cfg: DictConfig) -> list[str]:
        kind = OmegaConf.get_type(cfg, "data")
        if kind is not None and issubclass(kind, ImagesDataConfig):
            is_sorted = any(path.is_dir() for path in Path(cfg.data.file).expanduser().glob("*"))
            return [] if is_sorted else list(self.data["labels"])
        labels = [*self.data.get("targets", ()), self.data.get("sample_weight")]
        kept = [*cfg.data.get("targets", ()), cfg.data.get("sample_weight")]
        return [name for name in labels if name not in kept]


def inherit(overrides: Sequence[str], folder: Path) -> Inherited | None:
    """Returns what the command of `overrides` takes over; None where it names no run.

    Args:
        overrides: What the user set; flags among them are left alone.
        folder: Where the run's model and data are written to as files of conf/.

    Raises:
        ConfigError: If there is no such run, or it kept no weights.
    """
    given = {override.key_or_group: override for override in parse_overrides(overrides)}
    if OPTION not in given or given[OPTION].value() is None:
        return None
    received = str(given[OPTION].input_line).partition("=")[2]
    value = given[OPTION].value()
    # The beginning of an id may read as a number.
    run = value if isinstance(value, str) else received
    if given[OPTION].is_sweep_override() or not isinstance(value, str | int | float):
        raise ConfigError([expected(OPTION, WHAT, received)])
    logged = read_run(read_tracking(overrides), run, OPTION)
    config = logged.resolved["config"]
    added = [f"{group}={OPTION}" for group in _GROUPS if group not in given]
    if "seed" not in given:
        added.append(f"seed={config['seed']}")
    for group in _GROUPS:
        (folder / group).mkdir(parents=True, exist_ok=True)
        text = format_group(logged.resolved, group)
        (folder / group / f"{OPTION}.yaml").write_text(text, encoding="utf-8")
    places = [f"file://{folder.resolve()}"]
    if _SEARCH_PATH in given:
        value = given[_SEARCH_PATH].value()
        places += map(str, value if isinstance(value, list) else [value])
    search_path = f"{_SEARCH_PATH}=[{','.join(places)}]"
    return Inherited(logged.run, added, search_path, config["data"], logged.weights)


def settle_config(cfg: DictConfig, inherited: Inherited | None) -> ExperimentConfig:
    """Returns the configuration that `cfg` holds on top of the run that it names.

    Raises:
        ConfigError: If a file names a run, or what ``to_config`` raises it for.
    """
    if inherited is not None:
        inherited.settle(cfg)
    elif cfg.from_run is not None:
        message = "expected on the command line, not in a file, since it changes what is composed."
        raise ConfigError([Problem(OPTION, message)])
    return to_config(cfg)


def _quote(text: str) -> str:
    """Returns `text` as Hydra takes it, whatever is in it."""
    if re.fullmatch(r"[\w/.-]+", text) and not _READS_OTHERWISE.fullmatch(text):
        return text
    # A backslash is one but before a quote.
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f"'{escaped}'"


def parse_overrides(overrides: Sequence[str]) -> Iterator[Override]:
    """Yields what can be read of `overrides`, flags left out; Hydra tells of the rest."""
    parser = OverridesParser.create()
    for text in overrides:
        if text.startswith("-"):
            continue
        try:
            yield parser.parse_override(text)
        except HydraException:
            continue


def read_tracking(overrides: Sequence[str]) -> TrackingConfig:
    """Returns the store that `overrides` choose.

    Raises:
        ConfigError: If it cannot be one, as with user information in its address.
    """
    chosen = [text for text in overrides if text.startswith(("tracking", _SEARCH_PATH))]
    with open_hydra():
        cfg = compose_open(chosen)
        expand_home(cfg)
        tracking = cast(TrackingConfig, OmegaConf.to_object(cfg.tracking))
    if problems := list(validate_tracking(tracking)):
        raise ConfigError(problems)
    return tracking


def require_tracking(overrides: Sequence[str]) -> TrackingConfig:
    """Returns the store that `overrides`, which set nothing else, choose.

    Raises:
        ConfigError: If one of them sets something else, or what ``read_tracking`` raises it for.
    """
    others = [text for text in overrides if not text.startswith(("tracking", _SEARCH_PATH))]
    if others:
        what = "what chooses a store, such as tracking.database=PATH"
        hint = "Put a name that has spaces in quotes."
        raise ConfigError([expected("overrides", what, others[0], hint)])
    return read_tracking(overrides)
