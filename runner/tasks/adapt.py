"""Adapts the layers behind a model's inputs to the training split alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from models.preprocessing import needs_adapting
from runner.config import ExperimentConfig
from runner.data.examples import Examples
from runner.data.streams import iterate_features
from runner.engine.adaptation import adapt_layers
from runner.preprocessing import replace_stacks

_BATCH_BYTES = 2**26


def adapt(config: ExperimentConfig, train: Examples) -> ExperimentConfig:
    """Returns `config` whose layers of ``data.preprocess`` have their statistics.

    Args:
        config: A configuration in which ``validate`` found nothing.
        train: The training split; it is not read where nothing is to be adapted.

    Raises:
        ConfigError: If a layer cannot be adapted to it.
    """
    if not needs_adapting(config.model):
        return config

    def read(names: Sequence[str]) -> Iterator[Mapping[str, np.ndarray]]:
        return iterate_features(train, names, _BATCH_BYTES)

    return replace_stacks(config, adapt_layers(config.model, read))
