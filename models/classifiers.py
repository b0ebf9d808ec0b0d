"""Tells which outputs of a model are classes, by their losses and metrics. No TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.config import ModelConfig
from models.objectives import Objective, read_objectives

Coding = Literal["index", "one_hot", "binary"]

# How a loss or a metric takes its labels.
_CODINGS: dict[str, Coding] = {
    "SparseCategoricalCrossentropy": "index",
    "SparseCategoricalAccuracy": "index",
    "SparseTopKCategoricalAccuracy": "index",
    "CategoricalCrossentropy": "one_hot",
    "CategoricalFocalCrossentropy": "one_hot",
    "CategoricalAccuracy": "one_hot",
    "TopKCategoricalAccuracy": "one_hot",
    "BinaryCrossentropy": "binary",
    "BinaryFocalCrossentropy": "binary",
    "BinaryAccuracy": "binary",
}


@dataclass(frozen=True)
class Classifier:
    """An output that gives the class of an example.

    Attributes:
        output: The output's name.
        label: What it is compared with.
        coding: ``index`` for one value a class and a label that is its number, ``one_hot`` for a
            label of one value a class, ``binary`` for one value and a label of 0 or 1.
        from_logits: Whether the values are logits rather than probabilities; None if not told.
        ignored: A label that means no class; None for none.
    """

    output: str
    label: str
    coding: Coding
    from_logits: bool | None
    ignored: int | None = None


def read_classifiers(config: ModelConfig, labels: Sequence[str]) -> tuple[Classifier, ...]:
    """Returns the outputs of `config` that are compared with classes, by loss, else by metric.

    Args:
        config: A configuration in which ``validate_objectives`` found nothing.
        labels: What the data has to compare with; none where there is nothing to tell.
    """
    if not labels:
        return ()
    objectives = read_objectives(config, labels)
    found: dict[str, Classifier] = {}
    for objective in (*objectives.losses, *objectives.metrics):
        classifier = _read(objective, is_loss=objective in objectives.losses)
        if classifier is not None:
            found.setdefault(objective.output, classifier)
    return tuple(found.values())


def _read(objective: Objective, *, is_loss: bool) -> Classifier | None:
    spec = objective.spec
    coding = _CODINGS.get(str(spec.get("type")))
    if coding is None or spec.get("axis", -1) != -1:
        return None
    from_logits = None
    if "from_logits" in spec or is_loss:
        from_logits = bool(spec.get("from_logits", False))
    elif coding == "binary":
        # A threshold of 0 halves logits; any other one is meant for probabilities.
        from_logits = spec.get("threshold", 0.5) == 0
    ignored = spec.get("ignore_class")
    return Classifier(objective.output, objective.label, coding, from_logits, ignored)
