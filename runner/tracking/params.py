"""Flattens a configuration into MLflow's params."""

from dataclasses import asdict

from runner.changes import flatten_tree, format_value
from runner.config import ExperimentConfig

_MOST_CHARACTERS = 6000


def flatten_params(config: ExperimentConfig) -> dict[str, str]:
    """Returns every value of `config` but the tracking's by its dotted path, as YAML writes it.

    A list stays whole; a value longer than MLflow's 6,000 characters is cut. Of the Session's many
    options those that keep TensorFlow's default are left out.
    """
    tree = asdict(config)
    del tree["tracking"]
    del tree["model"]["preprocess"]  # it is that of the data
    return {
        path: format_value(value)[:_MOST_CHARACTERS]
        for path, value in flatten_tree(tree).items()
        if not _is_default(path, value)
    }


def _is_default(path: str, value: object) -> bool:
    is_empty = value is None or value == [] or value == {}
    return is_empty and path.startswith("session.") and path != "session.device"
