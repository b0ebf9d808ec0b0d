"""Opens a model, or what a run has trained, to be called from Python."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.preprocessing import needs_adapting
from models.problems import ConfigError, expected
from runner.composition import compose_config, compose_open, open_hydra, to_config
from runner.config import ExperimentConfig
from runner.data.reading import read_examples
from runner.data.splits import split_examples
from runner.engine.process import open_process
from runner.engine.service import ForwardService
from runner.inheritance import inherit
from runner.tasks.adapt import adapt
from runner.validation import validate


def open_model(
    overrides: Sequence[str] = (), weights: Mapping[str, np.ndarray] | None = None
) -> ForwardService:
    """Returns the model that `overrides` compose, as the command line does.

    Args:
        overrides: Such as ``model=cnn`` or ``fetches.features=conv1``.
        weights: The values of weights by name, such as ``conv1.kernel``; others are initialized
            from the seed.

    Raises:
        ConfigError: If the configuration, a weight or the Session is refused.
    """
    return _open(compose_config([*overrides, "task=forward"]), weights)


def open_run(run_id: str, overrides: Sequence[str] = ()) -> ForwardService:
    """Returns the model of a training run, with the weights that it ended with.

    Args:
        run_id: The run's id in MLflow, or its folder.
        overrides: What holds besides its model, data and seed, such as ``fetches.features=conv1``;
            ``tracking`` ones say in which store the run is.

    Raises:
        ConfigError: If there is no such run, it kept no weights, or its configuration is refused.
    """
    given = [*overrides, f"from_run={run_id}", "task=forward"]
    with tempfile.TemporaryDirectory() as folder:
        inherited = inherit(given, Path(folder))
        if inherited is None:
            raise ConfigError([expected("from_run", "a run's id or its folder", run_id)])
        with open_hydra():
            cfg = compose_open(inherited.extend(given))
            inherited.settle(cfg)
            config = to_config(cfg)
    return _open(config, inherited.weights)


def _open(config: ExperimentConfig, weights: Mapping[str, np.ndarray] | None) -> ForwardService:
    validate(config)
    open_process(config.session)
    if needs_adapting(config.model):
        examples = read_examples(config.data, config.model.inputs, config.seed)
        config = adapt(config, split_examples(examples, config.data, config.seed).train)
    return ForwardService(config, weights)
