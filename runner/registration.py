"""Checks the names that a trained model is registered by. No TensorFlow and no MLflow."""

import re
from collections.abc import Iterator

from models.problems import Problem, expected
from runner.config import StoreTrackingConfig, TaskConfig, TrackingConfig, TrainConfig

_NAME = re.compile(r"\w([\w\-. ]*[\w\-.])?")
_ALIAS = re.compile(r"[\w\-]{1,255}")
_TAKEN = re.compile(r"latest|v\d+", re.IGNORECASE)


def validate_registration(tracking: TrackingConfig, task: TaskConfig) -> Iterator[Problem]:
    """Yields what of the registered model and its alias MLflow would refuse.

    Args:
        tracking: What names them.
        task: What is to make the model.
    """
    name, alias = tracking.register, tracking.alias
    if name is not None:
        reason = _why_none(tracking, task)
        if reason:
            yield expected("tracking.register", f"null, since {reason}", name)
        if not _NAME.fullmatch(name):
            what = "a name of letters, digits, _, -, . and spaces"
            yield expected("tracking.register", what, name)
    if alias is None:
        return
    if name is None:
        what = "null where tracking.register names no model"
        yield expected("tracking.alias", what, alias)
    if not _ALIAS.fullmatch(alias):
        what = "a name of letters, digits, _ and -, 255 at the most"
        yield expected("tracking.alias", what, alias)
    elif _TAKEN.fullmatch(alias):
        hint = "MLflow keeps latest, v1, v2 and so on for itself."
        yield expected("tracking.alias", "a name of your own", alias, hint)


def _why_none(tracking: TrackingConfig, task: TaskConfig) -> str:
    """Returns why there is no model to register; "" where there is one."""
    if not isinstance(tracking, StoreTrackingConfig):
        return "tracking=off has no registry"
    if not isinstance(task, TrainConfig):
        return "only task=train makes a model"
    return "" if tracking.model else "tracking.model=false keeps no model"
