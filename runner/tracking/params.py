"""Flattens a configuration into MLflow's params."""

from dataclasses import asdict

from runner.changes import flatten_tree, format_value
from runner.config import ExperimentConfig
from runner.resolved import Hidden, hide
from runner.tracking.limits import fit_name, fit_param


def flatten_params(config: ExperimentConfig, hidden: Hidden) -> dict[str, str]:
    """Returns every value of `config` but the tracking's by its dotted path, as YAML writes it.

    Values are resolved, so that those of two runs can be compared. A list stays whole, except one
    of mappings, whose places are in the path. Of the Session's many options those that keep
    TensorFlow's default are left out.

    Args:
        config: A configuration.
        hidden: What of it is not shown; see ``runner.resolved``.
    """
    tree = asdict(config)
    hide(tree, hidden)
    del tree["tracking"]
    del tree["model"]["preprocess"]  # it is that of the data
    params: dict[str, str] = {}
    for path, value in flatten_tree(tree).items():
        if not _is_default(path, value):
            params[fit_name(path, params)] = fit_param(format_value(value))
    return params


def _is_default(path: str, value: object) -> bool:
    is_empty = value is None or value == [] or value == {}
    return is_empty and path.startswith("session.") and path != "session.device"
