"""Reads what a model's outputs are compared with: its losses and metrics. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.config import ModelConfig
from models.declarations import check_call, is_declaration
from models.problems import Problem, did_you_mean, expected
from models.wiring import NAME, NAMED_BY, output_names

LOSS = "loss"
BATCH_LOSS = "batch_loss"

LOSS_KEYS = ("label", "weight")
METRIC_KEYS = ("label", "output", "weighted")


@dataclass(frozen=True)
class Objective:
    """A loss or a metric of one output.

    Attributes:
        name: The metric's name, or the output's for a loss.
        path: Its place in the configuration.
        spec: Its ``type`` and arguments.
        output: The output that it looks at.
        label: What the output is compared with: a label, or a feature by name.
        weight: The loss's share in the sum of losses.
        weighted: Whether a metric counts each example as often as the example's weight says, as a
            loss always does.
    """

    name: str
    path: str
    spec: Mapping[str, Any]
    output: str
    label: str
    weight: float = 1.0
    weighted: bool = False


@dataclass(frozen=True)
class ExampleWeights:
    """What each example counts in a loss.

    Attributes:
        label: The label that holds a weight for each example; None where there is none.
        by_class: The weight of each class in training; 1 for one that is not there.
    """

    label: str | None = None
    by_class: Mapping[int, float] = field(default_factory=dict)


UNWEIGHTED = ExampleWeights()


@dataclass(frozen=True)
class Objectives:
    """All losses and metrics of a model, and what each example counts in them."""

    losses: tuple[Objective, ...]
    metrics: tuple[Objective, ...]
    weights: ExampleWeights = UNWEIGHTED

    @property
    def labels(self) -> list[str]:
        """The labels that they need, each once."""
        named = [one.label for one in (*self.losses, *self.metrics)]
        if named and self.weights.label is not None:
            named.append(self.weights.label)
        return list(dict.fromkeys(named))


def read_objectives(
    config: ModelConfig,
    labels: Sequence[str],
    path: str = "model",
    weights: ExampleWeights = UNWEIGHTED,
) -> Objectives:
    """Returns the losses and metrics of `config`.

    An output's label is the one that its loss names, else the one of the output's name, else the
    first.

    Args:
        config: A configuration in which ``validate_objectives`` found nothing.
        labels: What the data has to compare with.
        path: The place of `config`.
        weights: What each example counts.
    """
    outputs = output_names(config.outputs)
    return Objectives(
        weights=weights,
        losses=tuple(
            Objective(
                name=output,
                path=place,
                spec=_without(spec, LOSS_KEYS),
                output=output,
                label=_label(spec, output, labels),
                weight=spec.get("weight", 1.0),
            )
            for output, place, spec in _loss_specs(config, outputs, path)
        ),
        metrics=tuple(
            Objective(
                name=str(name),
                path=f"{path}.metrics.{name}",
                spec=_without(spec, METRIC_KEYS),
                output=spec.get("output", outputs[0]),
                label=_label(spec, spec.get("output", outputs[0]), labels),
                weighted=spec.get("weighted", False),
            )
            for name, spec in config.metrics.items()
        ),
    )


def validate_objectives(
    config: ModelConfig, path: str = "model", trusted: Sequence[str] = ()
) -> list[Problem]:
    """Returns what is wrong with the losses and metrics of `config`, but for their labels."""
    outputs = output_names(config.outputs)
    return [
        *_validate_losses(config, outputs, path, trusted),
        *_validate_metrics(config, outputs, path, trusted),
    ]


def validate_labels(
    config: ModelConfig, labels: Sequence[str], features: Sequence[str], path: str = "model"
) -> Iterator[Problem]:
    """Yields the losses and metrics whose label the data does not have.

    Args:
        config: A configuration in which ``validate_objectives`` found nothing.
        labels: The labels of the data.
        features: Its features, which a label may name too.
        path: The place of `config`.
    """
    specs = [(place, spec) for _, place, spec in _loss_specs(config, [], path)]
    specs += [(f"{path}.metrics.{name}", spec) for name, spec in config.metrics.items()]
    for place, spec in specs:
        known = [*labels, *features]
        if not isinstance(spec, Mapping):
            continue
        if "label" in spec and spec["label"] not in known:
            what = "a label or a feature of the data"
            hint = did_you_mean(spec["label"], known)
            yield expected(f"{place}.label", what, spec["label"], hint)
        elif "label" not in spec and not labels:
            what = "label, since the data has no labels of its own"
            yield expected(f"{place}.label", what, None, f"Choose from {', '.join(features)}.")


def _loss_specs(
    config: ModelConfig, outputs: Sequence[str], path: str
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields the output, the place and the declaration of each loss."""
    if config.loss is None:
        return
    if is_declaration(config.loss) or not config.loss:
        yield (outputs[0] if outputs else ""), f"{path}.loss", config.loss
        return
    for output, spec in config.loss.items():
        yield str(output), f"{path}.loss.{output}", spec


def _validate_losses(
    config: ModelConfig, outputs: Sequence[str], path: str, trusted: Sequence[str]
) -> Iterator[Problem]:
    if config.loss is None:
        return
    if is_declaration(config.loss) and len(outputs) > 1:
        what = f"a loss for each output that is to be trained ({', '.join(outputs)})"
        yield expected(f"{path}.loss", what, dict(config.loss), "Put it under the output's name.")
        return
    is_by_output = bool(config.loss) and all(
        isinstance(spec, Mapping) for spec in config.loss.values()
    )
    if not is_by_output:
        yield from check_call(
            f"{path}.loss", "losses", config.loss, ignored=LOSS_KEYS, trusted=trusted
        )
        yield from _validate_weight(f"{path}.loss", config.loss)
        return
    for output, place, spec in _loss_specs(config, outputs, path):
        if output not in outputs:
            yield expected(place, "an output of the model", output, did_you_mean(output, outputs))
        yield from check_call(place, "losses", spec, ignored=LOSS_KEYS, trusted=trusted)
        yield from _validate_weight(place, spec)


def _validate_weight(place: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    weight = spec.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        yield expected(f"{place}.weight", "a number", weight)


def _validate_metrics(
    config: ModelConfig, outputs: Sequence[str], path: str, trusted: Sequence[str]
) -> Iterator[Problem]:
    taken = (LOSS, BATCH_LOSS, *(f"{output}_{LOSS}" for output in outputs if len(outputs) > 1))
    for name, spec in config.metrics.items():
        place = f"{path}.metrics.{name}"
        if name in taken:
            yield Problem(place, "the name is taken by the loss; choose another.")
        elif not NAME.fullmatch(str(name)):
            yield expected(place, f"a metric named by {NAMED_BY}", name)
        yield from check_call(
            place, "metrics", spec, named=True, ignored=METRIC_KEYS, trusted=trusted
        )
        if not isinstance(spec, Mapping):
            continue
        if not isinstance(spec.get("weighted", False), bool):
            yield expected(f"{place}.weighted", "true or false", spec["weighted"])
        if "output" in spec and spec["output"] not in outputs:
            hint = did_you_mean(spec["output"], outputs)
            yield expected(f"{place}.output", "an output of the model", spec["output"], hint)
        elif "output" not in spec and len(outputs) > 1:
            what = "output, since the model has several"
            yield expected(f"{place}.output", what, None, f"Choose from {', '.join(outputs)}.")


def _label(spec: Mapping[str, Any], output: str, labels: Sequence[str]) -> str:
    if "label" in spec:
        return str(spec["label"])
    return output if output in labels else labels[0]


def _without(spec: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in keys}
