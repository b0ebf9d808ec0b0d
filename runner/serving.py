"""Opens a model, or what a run has trained, to be called from Python."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.preprocessing import needs_adapting
from models.problems import ConfigError, expected
from runner.composition import compose_config
from runner.config import ExperimentConfig, SqliteTrackingConfig
from runner.data.sources import read_examples
from runner.data.splits import split_examples
from runner.engine.process import open_process
from runner.engine.service import ForwardService
from runner.preprocessing import lay_preprocessing
from runner.tasks.adapt import adapt
from runner.tracking.runs import read_run
from runner.validation import validate

# What a run was started with that says nothing of its model.
_OTHER_GROUPS = ("task", "feeds", "trace", "tracking", "hydra", "plan")


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
        run_id: The run's id in MLflow.
        overrides: Further ones, such as ``fetches.features=conv1``; ``tracking`` ones say in which
            store the run is.

    Raises:
        ConfigError: If there is no such run, it kept no weights, or its configuration is refused.
    """
    tracking = compose_config([text for text in overrides if text.startswith("tracking")]).tracking
    if not isinstance(tracking, SqliteTrackingConfig):
        raise ConfigError([expected("tracking", "a store", tracking.__class__.__name__)])
    run = read_run(tracking, run_id)
    kept = [text for text in run.overrides if not text.startswith(_OTHER_GROUPS)]
    config = compose_config(
        [*kept, *(text for text in overrides if text[:8] != "tracking"), "task=forward"]
    )
    stacks = {**config.data.preprocess, **run.preprocess}
    data = replace(config.data, preprocess=stacks)
    return _open(lay_preprocessing(replace(config, data=data)), run.weights)


def _open(config: ExperimentConfig, weights: Mapping[str, np.ndarray] | None) -> ForwardService:
    validate(config)
    open_process(config.session)
    if needs_adapting(config.model):
        examples = read_examples(config.data, config.model.inputs, config.seed)
        config = adapt(config, split_examples(examples, config.data, config.seed).train)
    return ForwardService(config, weights)
