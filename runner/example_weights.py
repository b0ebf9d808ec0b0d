"""What each example counts in the loss, as the configuration declares it. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence

from models.objectives import ExampleWeights, read_objectives
from models.problems import Problem, did_you_mean, expected
from runner.config import (
    ColumnsDataConfig,
    DataConfig,
    ExperimentConfig,
    ForwardConfig,
    TaskConfig,
    TrainConfig,
)

BALANCED = "balanced"


def list_targets(data: DataConfig) -> list[str]:
    """Returns the labels that outputs are compared with where nothing else is declared."""
    return [name for name in data.labels if name != data.sample_weight]


def list_labels(data: ColumnsDataConfig) -> list[str]:
    """Returns the columns or arrays that are labels, the main one first."""
    return list(dict.fromkeys(filter(None, [*data.targets, data.sample_weight])))


def weighs_classes(task: TaskConfig) -> bool:
    """Returns whether the weights of classes count in a task: where the loss is training's."""
    return isinstance(task, TrainConfig) or (isinstance(task, ForwardConfig) and task.training)


def read_weights(data: DataConfig) -> ExampleWeights:
    """Returns what is declared of the examples' weights; of classes, the numbers."""
    declared = data.class_weight
    by_class = declared if isinstance(declared, Mapping) else {}
    return ExampleWeights(data.sample_weight, by_class)


def find_weighed_label(config: ExperimentConfig) -> str:
    """Returns the label whose classes have weights: that of the model's only loss."""
    (loss,) = read_objectives(config.model, list_targets(config.data)).losses
    return loss.label


def validate_example_weights(config: ExperimentConfig, *, trains: bool) -> Iterator[Problem]:
    """Yields what is wrong with the weights of examples.

    Args:
        config: A configuration.
        trains: Whether the task does.
    """
    yield from _validate_sample_weight(config.data)
    declared = config.data.class_weight
    if declared is None:
        return
    problems = list(_validate_weights_of_classes(declared, config.data.class_names))
    yield from problems
    if trains and not problems:
        yield from _validate_weighed_label(config)


def _validate_sample_weight(data: DataConfig) -> Iterator[Problem]:
    name = data.sample_weight
    if name is None:
        return
    if name not in data.labels:
        hint = did_you_mean(name, list(data.labels))
        yield expected("data.sample_weight", f"a label of data {data.name!r}", name, hint)
        return
    label = data.labels[name]
    if list(label.shape) or label.dtype.startswith(("string", "complex")):
        what = f"a label of one number an example; {name!r} is {label.dtype} {list(label.shape)}"
        yield expected("data.sample_weight", what, name)


def _validate_weights_of_classes(declared: object, names: Sequence[str]) -> Iterator[Problem]:
    path = "data.class_weight"
    if declared == BALANCED:
        return
    if not isinstance(declared, Mapping):
        yield expected(path, f"{BALANCED}, or a mapping of classes to weights", declared)
        return
    for index, weight in declared.items():
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            counted = ", ".join(f"{number} is {name}" for number, name in enumerate(names))
            hint = f"Of the names, {counted}." if counted else ""
            yield expected(path, "classes counted from 0 as keys", index, hint)
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            yield expected(f"{path}.{index}", "a number of 0 or more", weight)


def _validate_weighed_label(config: ExperimentConfig) -> Iterator[Problem]:
    data, path = config.data, "data.class_weight"
    objectives = read_objectives(config.model, list_targets(data) or [""])
    if len(objectives.losses) != 1:
        what = f"null for a model of {len(objectives.losses)} losses, as in Keras"
        yield expected(path, what, data.class_weight, "Use data.sample_weight.")
        return
    name = objectives.losses[0].label
    label = data.labels.get(name)
    if label is None or len(label.shape) > 1 or label.dtype == "string":
        what = f"null, since what the loss compares with, {name!r}, is no class"
        yield expected(path, what, data.class_weight)
    elif isinstance(data.class_weight, Mapping) and name == next(iter(data.labels)):
        for index in data.class_weight:
            if data.classes is not None and index >= data.classes:
                yield expected(path, f"classes from 0 to {data.classes - 1} as keys", index)
