"""Hydra's side of the configuration: its schemas, its resolvers, and the typed result.

Only this module and the entry know Hydra; the untyped ``cfg`` goes no further.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.conf import HydraConf
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from models.config import TensorConfig
from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.arithmetic import ARITHMETIC
from runner.changes import find_changes
from runner.config import (
    SCHEMAS,
    DataConfig,
    DescribedDataConfig,
    ExperimentConfig,
    PadConfig,
    RecordConfig,
    SyntheticDataConfig,
    TableDataConfig,
)
from runner.data.describing import describe
from runner.data.labels import describe_labels
from runner.preprocessing import lay_preprocessing
from runner.resolved import expand_home

PROJECT = Path(__file__).resolve().parent.parent
CONF = PROJECT / "conf"

# A group of sets of overrides, which are no defaults.
_EXPERIMENT = "experiment"

# Mappings whose keys are the user's own or Keras's: a key can be set without Hydra's "+", and our
# checks, which know the valid names, say what is wrong with it.
_OPEN_MAPPINGS = (
    "model.inputs",
    "model.layers",
    "model.loss",
    "model.metrics",
    "data.features",
    "data.labels",
    "data.pad",
    "data.preprocess",
    "optimizer",
    "session.device_count",
    "feeds",
    "fetches",
    "tracking.tags",
)
# As these, of some kinds of a group.
_OPEN_IN_SCHEMAS = ("columns", "features", "labels", "records", "pad", "preprocess", "source")
# What stands under each key of them. Hydra adds a key as a plain mapping, so they are typed later.
_ENTRIES = {
    "features": TensorConfig,
    "labels": TensorConfig,
    "pad": PadConfig,
    "records": RecordConfig,
}


def register() -> None:
    """Registers the schemas and the resolvers with Hydra and OmegaConf."""
    OmegaConf.register_new_resolver("project", lambda path: str(PROJECT / path), replace=True)
    OmegaConf.register_new_resolver("folder", lambda path: str(Path(path).parent), replace=True)
    for name, resolve in ARITHMETIC.items():
        OmegaConf.register_new_resolver(name, resolve, replace=True)
    schema = OmegaConf.structured(ExperimentConfig)
    for path in _OPEN_MAPPINGS:
        parent, _, key = path.rpartition(".")
        node = OmegaConf.select(schema, parent) if parent else schema
        _open_mapping(node, key)
    store = ConfigStore.instance()
    store.store(name="experiment_schema", node=schema)
    for group, schemas in SCHEMAS.items():
        for name, node in schemas.items():
            schema = OmegaConf.structured(node)
            for key in _OPEN_IN_SCHEMAS:
                if key in schema:
                    _open_mapping(schema, key)
            store.store(name=f"schema_{group}_{name}", node=schema)


def _open_mapping(schema: Any, key: str) -> None:
    node = schema._get_node(key)
    OmegaConf.set_struct(node, False)
    if key in _ENTRIES:
        node._metadata.element_type = Any


def to_config(cfg: DictConfig) -> ExperimentConfig:
    """Returns the typed configuration that Hydra's `cfg` holds, every interpolation resolved.

    Raises:
        ConfigError: If there is a key that the schema does not have, or a file of the data cannot
            be read.
        omegaconf.errors.OmegaConfBaseException: If a value is missing, of the wrong type, or
            interpolates what is not there.
    """
    expand_home(cfg)
    describe_data(cfg)
    _describe_padding(cfg)
    config = cast(ExperimentConfig, OmegaConf.to_object(cfg))
    problems = list(_unknown_keys("", config))
    if problems:
        raise ConfigError(problems)
    return lay_preprocessing(config)


def describe_data(cfg: DictConfig) -> None:
    """Writes what the files of the data hold to `cfg`, where the models' YAML takes it from.

    Of a table also what becomes of each column, so that another file is encoded in the same way.

    Raises:
        ConfigError: If a file cannot be read, or has not what is declared, or an entry of an open
            mapping has a key that there is not.
    """
    _type_entries(cfg)
    kind = OmegaConf.get_type(cfg, "data")
    if kind is None or not issubclass(kind, DataConfig):
        return
    if not issubclass(kind, DescribedDataConfig):
        if cfg.data.label_format == "one_hot":
            labels = describe_labels("one_hot", dict(cfg.data.labels), cfg.data.classes)
            cfg.data.labels = labels
        return
    data = cast(DescribedDataConfig, OmegaConf.to_object(cfg.data))
    described = describe(data, cfg.seed, list(cfg.trusted_modules))
    cfg.data.features = {**described.features, **data.features}
    cfg.data.labels = {**described.labels, **data.labels}
    if data.classes is None or isinstance(data, SyntheticDataConfig):
        cfg.data.classes = described.classes
    if not data.class_names:
        cfg.data.class_names = list(described.class_names)
    if isinstance(data, TableDataConfig) and described.columns:
        cfg.data.columns = {**data.columns, **described.columns}
        cfg.data.undeclared = "ignore"


def _type_entries(cfg: DictConfig) -> None:
    """Makes what stands under the keys of open mappings of the data what it is declared to be.

    Raises:
        ConfigError: If it has a key that there is not.
    """
    problems = []
    for key, kind in _ENTRIES.items():
        known = [one.name for one in fields(kind)]
        for name, entry in cfg.data[key].items() if key in cfg.data else ():
            place = f"data.{key}.{name}"
            if not isinstance(entry, DictConfig):
                what = f"a mapping of {', '.join(known)}"
                problems.append(expected(place, what, entry))
                continue
            unknown = [one for one in map(str, entry) if one not in known]
            problems += [
                expected(f"{place}.{one}", f"a key of data.{key}", one, did_you_mean(one, known))
                for one in unknown
            ]
            if not unknown:
                # Merged where it stands, so that an error names the place.
                cfg.data[key][name] = kind
                cfg.data[key][name].merge_with(entry)
    if problems:
        raise ConfigError(problems)


def _describe_padding(cfg: DictConfig) -> None:
    """Writes the lengths that features are padded to where the models' YAML takes shapes from."""
    problems = []
    for name, pad in cfg.data.pad.items():
        if pad.length is None or name not in cfg.data.features:
            continue
        shape = cfg.data.features[name].shape
        if not shape or shape[0] not in (None, pad.length):
            what = f"null, since the shape of {name} is {list(shape)} in every example"
            problems.append(expected(f"data.pad.{name}.length", what, pad.length))
        else:
            shape[0] = pad.length
    if problems:
        raise ConfigError(problems)


def _unknown_keys(path: str, config: Any) -> Iterator[Problem]:
    """Yields the keys that were added with ``+`` to a dataclass that does not have them."""
    hidden = [one.name for one in fields(config) if one.metadata.get("omegaconf_ignore")]
    known = [one.name for one in fields(config) if one.name not in hidden]
    for name, value in vars(config).items():
        place = f"{path}{name}"
        if name in hidden and not value:
            continue
        if name not in known:
            what = f"a key of {path.rstrip('.') or 'the configuration'}"
            yield expected(place, what, name, did_you_mean(name, known))
        elif is_dataclass(value):
            yield from _unknown_keys(f"{place}.", value)


def compose_config(overrides: list[str]) -> ExperimentConfig:
    """Returns the configuration of `overrides`, as the command line composes it."""
    with open_hydra():
        return to_config(compose_open(overrides))


@contextmanager
def open_hydra() -> Iterator[None]:
    """Initializes Hydra with conf/ for the block, in which ``compose_open`` composes."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def compose_open(overrides: Sequence[str]) -> DictConfig:
    """Returns what Hydra composes of `overrides`; call it where Hydra is initialized."""
    return compose("config", list(overrides))


def compare_with_defaults(cfg: DictConfig, job: HydraConf) -> dict[str, str | None]:
    """Returns what `cfg` has otherwise than the defaults of its groups; see ``find_changes``.

    Where groups alone were chosen, nothing is composed anew, which takes 0.1 s.

    Args:
        cfg: What Hydra composed, before anything is written to it.
        job: How it did so.
    """
    groups = {
        group: option
        for group, option in job.runtime.choices.items()
        if option is not None and not group.startswith("hydra/") and group != _EXPERIMENT
    }
    given = OmegaConf.to_container(job.overrides.task, resolve=False)
    set_keys = [str(text).partition("=")[0] for text in cast(list[str], given)]
    if all(key in groups for key in set_keys):
        return {}
    found_by = [text for text in job.overrides.hydra if text.startswith("hydra.searchpath")]
    chosen = [f"{group}={option}" for group, option in groups.items()]
    defaults = compose(job.job.config_name, [*chosen, *found_by])
    ours, theirs = (
        cast(dict[str, Any], OmegaConf.to_container(one, resolve=False)) for one in (cfg, defaults)
    )
    return find_changes(ours, theirs)
