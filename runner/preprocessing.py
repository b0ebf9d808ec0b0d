"""Lays the data's preprocessing behind the inputs of the model. No TensorFlow."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from models.config import ModelConfig
from models.preprocessing import stand_in
from models.problems import Problem, did_you_mean, expected
from runner.config import ExperimentConfig, RandomDataConfig


def lay_preprocessing(config: ExperimentConfig) -> ExperimentConfig:
    """Returns `config` whose model has the data's stacks behind the inputs that it takes.

    Such an input has the shape and dtype of the data, since what the model takes of it comes from
    the stack. Random examples are drawn as the model takes them.
    """
    model, data = config.model, config.data
    stacks = {
        name: stack
        for name, stack in data.preprocess.items()
        if name in model.inputs and _is_stack(stack)
    }
    inputs = dict(model.inputs)
    if not isinstance(data, RandomDataConfig):
        for name in stacks:
            if name in data.features:
                feature = data.features[name]
                inputs[name] = replace(inputs[name], shape=feature.shape, dtype=feature.dtype)
    return replace(config, model=replace(model, inputs=inputs, preprocess=stacks))


def replace_stacks(config: ExperimentConfig, model: ModelConfig) -> ExperimentConfig:
    """Returns `config` with `model`, whose stacks are the data's too."""
    stacks = {**config.data.preprocess, **model.preprocess}
    return replace(config, model=model, data=replace(config.data, preprocess=stacks))


def stand_in_statistics(config: ExperimentConfig) -> ExperimentConfig:
    """Returns `config` with made-up statistics for what no data is read to adapt."""
    return replace_stacks(config, stand_in(config.model))


def validate_features(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields the stacks that stand behind no feature."""
    data = config.data
    features = list(data.features)
    if isinstance(data, RandomDataConfig):
        features = list(dict.fromkeys([*features, *config.model.inputs]))
    for name, stack in data.preprocess.items():
        path = f"data.preprocess.{name}"
        if name not in features:
            what = f"a feature of data {data.name!r}"
            yield expected(path, what, name, did_you_mean(name, features))
        elif not _is_stack(stack):
            yield expected(path, "a mapping of names to layers", stack)


def _is_stack(stack: object) -> bool:
    return isinstance(stack, Mapping) and bool(stack)
