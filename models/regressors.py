"""Tells which outputs of a model are numbers, by their losses and metrics. No TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.classifiers import read_classifiers
from models.config import ModelConfig
from models.objectives import read_objectives

# Those that are least where an output is its label.
_COMPARING = frozenset(
    (
        "Huber",
        "LogCosh",
        "LogCoshError",
        "MeanAbsoluteError",
        "MeanAbsolutePercentageError",
        "MeanSquaredError",
        "MeanSquaredLogarithmicError",
        "Poisson",
        "R2Score",
        "RootMeanSquaredError",
    )
)


@dataclass(frozen=True)
class Regressor:
    """An output that gives numbers of an example.

    Attributes:
        output: The output's name.
        label: What it is compared with.
    """

    output: str
    label: str


def read_regressors(config: ModelConfig, labels: Sequence[str]) -> tuple[Regressor, ...]:
    """Returns the outputs of `config` that are compared with numbers, by loss, else by metric.

    Args:
        config: A configuration in which ``validate_objectives`` found nothing.
        labels: What the data has to compare with; what is compared with a feature is left out.
    """
    if not labels:
        return ()
    objectives = read_objectives(config, labels)
    classes = {classifier.output for classifier in read_classifiers(config, labels)}
    found: dict[str, Regressor] = {}
    for one in (*objectives.losses, *objectives.metrics):
        is_number = one.spec.get("type") in _COMPARING and one.label in labels
        if is_number and one.output not in classes:
            found.setdefault(one.output, Regressor(one.output, one.label))
    return tuple(found.values())
