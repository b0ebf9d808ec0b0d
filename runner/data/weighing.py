"""What the examples that were read count in the loss."""

from dataclasses import replace

import numpy as np

from models.problems import ConfigError, expected
from runner.config import ExperimentConfig
from runner.data.examples import Examples
from runner.data.labels import decode_classes
from runner.example_weights import BALANCED, find_weighed_label, weighs_classes


def resolve_class_weight(config: ExperimentConfig, train: Examples) -> ExperimentConfig:
    """Returns `config` with numbers for balanced class weights, and none where nothing is trained.

    Args:
        config: A configuration in which ``validate`` found nothing.
        train: The examples to train on, which are counted.

    Source: scikit-learn, ``compute_class_weight``: rows / (classes * rows of the class).
    """
    if not weighs_classes(config.task):
        return replace(config, data=replace(config.data, class_weight=None))
    if config.data.class_weight != BALANCED:
        return config
    labels = decode_classes(train.labels[find_weighed_label(config)][:])
    classes, counts = np.unique(labels, return_counts=True)
    weights = len(labels) / (len(classes) * counts)
    by_class = dict(zip(classes.tolist(), weights.tolist(), strict=True))
    return replace(config, data=replace(config.data, class_weight=by_class))


def check_sample_weight(examples: Examples, name: str) -> None:
    """Checks the weights of examples.

    Args:
        examples: All that a source gave.
        name: The label that holds them.

    Raises:
        ConfigError: If one is below 0 or not finite.
    """
    weights = examples.labels[name][:].astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if wrong.size:
        row = int(examples.rows[wrong[0]])
        what = f"weights of 0 or more in {name!r}, such as in row {row}"
        raise ConfigError([expected("data.sample_weight", what, float(weights[wrong[0]]))])
