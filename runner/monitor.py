"""What training may look at to decide when to end. No TensorFlow."""

from collections.abc import Iterator, Mapping

from models.config import ModelConfig
from models.objectives import LOSS
from models.problems import Problem, did_you_mean, expected
from models.wiring import output_names
from runner.config import StopConfig

STEP_LOSS = "step/loss"
_SPLITS = ("train", "validation")

# In the names of metrics and of their classes.
_LOWER_IS_BETTER = ("loss", "error", "crossentropy", "divergence", "poisson", "hinge", "logcosh")


def is_higher_better(config: StopConfig, metrics: Mapping[str, Mapping[str, object]]) -> bool:
    """Returns whether of two values of the monitored metric the higher is the better.

    Args:
        config: What is looked at.
        metrics: The declarations of the model's metrics by name.
    """
    if config.mode is not None:
        return config.mode == "max"
    name = config.monitor.partition("/")[2]
    kind = str(metrics.get(name, {}).get("type", ""))
    return not any(part in f"{name} {kind}".lower() for part in _LOWER_IS_BETTER)


def validate_stop(config: StopConfig, model: ModelConfig, *, validates: bool) -> Iterator[Problem]:
    """Yields what is wrong with `config`.

    Args:
        config: When training ends.
        model: The model, whose losses and metrics can be looked at.
        validates: Whether there is a validation split.
    """
    if config.mode not in (None, "min", "max"):
        yield expected("task.stop.mode", "min, max or null", config.mode)
    if config.target is None and config.patience is None:
        return
    known = list(_find_monitors(model))
    if config.monitor not in known:
        what = "what is measured in training"
        hint = did_you_mean(config.monitor, known)
        yield expected("task.stop.monitor", what, config.monitor, hint)
    elif config.monitor.startswith("validation/") and not validates:
        hint = "Set data.split.validation, or look at train/loss."
        what = "something that is measured; data.split.validation is 0"
        yield expected("task.stop.monitor", what, config.monitor, hint)


def _find_monitors(model: ModelConfig) -> Iterator[str]:
    names = [LOSS, *map(str, model.metrics)]
    outputs = output_names(model.outputs)
    if len(outputs) > 1:
        names += [f"{output}_{LOSS}" for output in outputs if output in (model.loss or {})]
    for split in _SPLITS:
        yield from (f"{split}/{name}" for name in names)
    yield STEP_LOSS
