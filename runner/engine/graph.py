"""Traces an experiment into one ``tf.Graph``: placeholders, model, steps."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

import keras
import numpy as np
import tensorflow as tf

from models.classifiers import read_classifiers
from models.factory import BuiltModel, build_model, find_output, iterate_layers
from models.objectives import Objectives, read_objectives
from models.objects import build_object
from models.problems import ConfigError, Problem, expected
from models.regressors import read_regressors
from runner.config import EvaluateConfig, ExperimentConfig, ForwardConfig, TrainConfig
from runner.engine.feeds import Placeholder, feed_tensors, fit_value, open_placeholder
from runner.engine.fetches import (
    Fetched,
    FetchScope,
    find_batched,
    find_value,
    name_optimizer_variables,
    name_variables,
    resolve_fetches,
)
from runner.engine.gradients import forget_gradients
from runner.engine.kernels import fuse_layers, fuse_optimizer
from runner.engine.losses import Comparison, Tensors
from runner.engine.steps import (
    EvaluationSteps,
    Step,
    TrainingSteps,
    trace_evaluation,
    trace_training,
)
from runner.engine.tracing import trace_function
from runner.engine.variables import VariableValue
from runner.example_weights import list_targets, read_weights
from runner.feeds import FeedValue
from runner.fetches import LEARNING_RATE, flatten_fetches, parse_fetch
from runner.results import LayerSummary

# The tasks that compare outputs with labels, whatever is fetched.
COMPARING = (TrainConfig, EvaluateConfig)


@dataclass(frozen=True)
class ExperimentGraph:
    """A finalized graph, ready for a Session.

    Attributes:
        graph: The graph, of which nothing can be changed.
        model: The model; its variables live in `graph`.
        layers: The table of the model's layers.
        initialize: The operation that gives every variable its initial value.
        assignments: The variables that came with values, or are fed them.
        state: Every variable of a run.
        features: The placeholders of the model's inputs, by name.
        labels: The placeholders of the labels, by name; none where nothing is compared with them.
        predict: Features to the configured fetches.
        judge: Features to the outputs that are compared with classes or numbers, by the
            output's name; None where none is, or layers behave as in training.
        answer: Features to the model's outputs, by name; None where layers behave as in training.
        training: The steps of training; None where the task does not train.
        evaluation: Those of evaluation; None where the task does not evaluate.
        fed: The values that are fed to ``predict`` in place of the data's, by name.
        fed_variables: The names of the variables that are fed their values.
        weights: Weights, statistics and seeds by name.
        variables: These and the optimizer's variables by name.
        learning_rate: The optimizer's, a variable or, of a schedule, computed; None where the task
            does not train.
    """

    graph: tf.Graph
    model: BuiltModel
    layers: tuple[LayerSummary, ...]
    initialize: tf.Operation
    assignments: tuple[VariableValue, ...]
    features: Mapping[str, Placeholder]
    labels: Mapping[str, Placeholder]
    predict: Step
    judge: Step | None
    answer: Step | None
    training: TrainingSteps | None
    evaluation: EvaluationSteps | None
    state: tuple[tf.Variable, ...]
    fed: Mapping[str, FeedValue]
    fed_variables: frozenset[str]
    weights: Mapping[str, tf.Variable]
    variables: Mapping[str, tf.Variable]
    learning_rate: tf.Variable | tf.Tensor | None

    def with_weights(self, values: Mapping[str, np.ndarray]) -> "ExperimentGraph":
        """Returns the graph with `values` for its weights by name, but for those that are fed."""
        given = (
            (self.weights[name], value)
            for name, value in values.items()
            if name not in self.fed_variables
        )
        return replace(self, assignments=(*self.assignments, *given))


def build_graph(
    config: ExperimentConfig, feeds: Mapping[str, FeedValue] = MappingProxyType({})
) -> ExperimentGraph:
    """Returns the graph of the experiment, built from the seed.

    Args:
        config: A configuration in which ``validate`` found nothing.
        feeds: The values that it feeds in place of the data, by name.

    Raises:
        ConfigError: If Keras refuses a layer, a loss or a metric, or a fetch or a feed is not in
            the graph.
    """
    task = config.task
    with open_graph(config) as graph:
        features = {
            name: open_placeholder(name, tensor) for name, tensor in config.model.inputs.items()
        }
        with tf.name_scope("variables"):
            model = build_model(config.model)
        objectives = read_compared(config)
        _require_outputs(config, model, objectives)
        labels = open_labels(config, objectives, features)
        optimizer = _build_optimizer(config, model) if isinstance(task, TrainConfig) else None
        if config.plan.fused_kernels:
            fuse_layers(model, unrolls=not tf.config.list_physical_devices("GPU"))
            if optimizer is not None:
                fuse_optimizer(optimizer)
        variables = name_variables(model)
        if optimizer is not None:
            variables |= name_optimizer_variables(optimizer)
        fed_variables = {name: value for name, value in feeds.items() if name in variables}
        known = {*fed_variables, *config.data.labels}
        overridden = [name for name in feeds if name not in known]
        predict, judge, answer = _trace_predict(
            config, model, variables, objectives, features, labels, overridden
        )
        training = evaluation = None
        if optimizer is not None:
            training = trace_training(
                model=model,
                optimizer=optimizer,
                objectives=objectives,
                features=features,
                labels=labels,
            )
        if isinstance(task, COMPARING):
            evaluation = trace_evaluation(
                model=model, objectives=objectives, features=features, labels=labels
            )
        weights = ((variable.value, value) for variable, value in model.weights)
        assignments = (*weights, *assign_fed(fed_variables, variables))
        initialize = tf.group(
            tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()
        )
    graph.finalize()
    return ExperimentGraph(
        graph=graph,
        model=model,
        layers=tuple(_summarize_layers(model)),
        initialize=initialize,
        assignments=assignments,
        features=features,
        labels=labels,
        predict=predict,
        judge=judge,
        answer=answer,
        training=training,
        evaluation=evaluation,
        state=tuple(graph.get_collection(tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)),
        fed={name: value for name, value in feeds.items() if name not in fed_variables},
        fed_variables=frozenset(fed_variables),
        weights=_only_variables(name_variables(model)),
        variables=_only_variables(variables),
        learning_rate=variables.get(LEARNING_RATE),
    )


def _require_outputs(config: ExperimentConfig, model: BuiltModel, objectives: Objectives) -> None:
    """Checks that outputs have a value for each class, which TensorFlow finds out in a step alone.

    Raises:
        ConfigError: If there are more classes than values.
    """
    targets, classes = list_targets(config.data), config.data.classes
    for loss in objectives.losses:
        is_of_classes = loss.spec.get("type") == "SparseCategoricalCrossentropy"
        if not is_of_classes or classes is None or loss.label != targets[0]:
            continue
        reference = model.outputs[loss.output]
        values = find_output(model.symbols, reference).shape[-1]
        if values is not None and values < classes:
            (place,) = (call.path for call in model.calls if call.name == reference.name)
            message = (
                f"expected {classes} values or more, as many as data.classes; it gives {values}."
            )
            raise ConfigError([Problem(place, message)])


def _only_variables(named: Mapping[str, tf.Variable | tf.Tensor]) -> dict[str, tf.Variable]:
    return {name: value for name, value in named.items() if isinstance(value, tf.Variable)}


@contextmanager
def open_graph(config: ExperimentConfig) -> Iterator[tf.Graph]:
    """Yields a new graph that the block builds in, on the configured device and from the seed."""
    # Keras counts names over the process, and seeds its initializers from Python's generator.
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    graph = tf.Graph()
    with forget_gradients(), graph.as_default(), tf.device(config.session.device):
        tf.compat.v1.set_random_seed(config.seed)
        yield graph


def assign_fed(
    values: Mapping[str, FeedValue], variables: Mapping[str, tf.Variable | tf.Tensor]
) -> Iterator[VariableValue]:
    """Yields the named variables with their values."""
    for name, value in values.items():
        path, variable = f"feeds.{name}", variables[name]
        if not isinstance(variable, tf.Variable):
            raise ConfigError([Problem(path, "it is computed; feed what it is made of.")])
        fitted = fit_value(path, value, variable)
        yield variable, np.asarray(fitted)


def read_compared(config: ExperimentConfig) -> Objectives:
    """Returns what outputs are compared with; nothing where neither task nor fetch compares."""
    if isinstance(config.task, COMPARING) or _fetches_compare(config):
        targets = list_targets(config.data)
        return read_objectives(config.model, targets, weights=read_weights(config.data))
    return Objectives((), ())


def _fetches_compare(config: ExperimentConfig) -> bool:
    texts = flatten_fetches(config.fetches).values()
    return any(parse_fetch(str(text)).needs_labels for text in texts)


def open_labels(
    config: ExperimentConfig, objectives: Objectives, features: Mapping[str, Placeholder]
) -> dict[str, Placeholder]:
    """Returns a placeholder for each label that is compared with and is not fed as a feature."""
    declared = {**config.data.features, **config.data.labels}
    return {
        name: open_placeholder(name, declared[name])
        for name in objectives.labels
        if name not in features
    }


def _build_optimizer(config: ExperimentConfig, model: BuiltModel) -> keras.optimizers.Optimizer:
    variables = model.keras_model.trainable_variables
    if not variables:
        what = "a layer with weights to train"
        raise ConfigError([expected("model.layers", what, list(config.model.layers))])
    with tf.name_scope("variables"):
        optimizer = build_object("optimizer", "optimizers", config.optimizer)
        optimizer.build(variables)
    return optimizer


def _trace_predict(
    config: ExperimentConfig,
    model: BuiltModel,
    variables: Mapping[str, tf.Variable | tf.Tensor],
    objectives: Objectives,
    features: Mapping[str, Placeholder],
    labels: Mapping[str, Placeholder],
    fed: Sequence[str],
) -> tuple[Step, Step | None, Step | None]:
    """Returns the steps that give the configured fetches, outputs to be judged, and all outputs."""
    task = config.task
    is_training = isinstance(task, ForwardConfig) and task.training
    mask = None
    if isinstance(task, ForwardConfig) and task.mask is not None:
        mask = _repeat_mask(task.mask, model, features)
    graph = tf.compat.v1.get_default_graph()
    with tf.name_scope("variables"):
        comparison = Comparison(model, objectives)
    overridden: dict[str, Placeholder] = {}
    judged: dict[str, Fetched] = {}
    outputs: dict[str, Fetched] = {}

    def call(features: Tensors, labels: Tensors) -> dict[str, Fetched]:
        if mask is not None:
            (feature,) = features.values()
            feature._keras_mask = mask
        values = model.call_layers(features, training=is_training)
        if not is_training:
            outputs.update(_find_outputs(model, values))
            judged.update(_find_judged(config, outputs))
        comparison.open(values, {**features, **labels}, is_training=is_training)
        scope = FetchScope(
            model=model,
            values=values,
            variables=variables,
            comparison=comparison,
            graph=graph,
        )
        for name in fed:
            if name not in features:
                overridden[name] = _find_override(name, scope, is_training=is_training)
        names = {tensor.name for value in overridden.values() for tensor in feed_tensors(value)}
        return resolve_fetches(config.fetches, replace(scope, fed=names))

    # Only in training do layers assign to variables, which only a function is sure to run; outside
    # of one, every tensor has a name.
    fetches = trace_function(call, features, labels) if is_training else call(features, labels)
    sizes = [tensor.batch_size for tensor in config.model.inputs.values() if tensor.batch_size]
    predict = Step(
        name="predict",
        feeds={**features, **(labels if _fetches_compare(config) else {}), **overridden},
        fetches=fetches,
        batched=find_batched(fetches, sizes[0] if sizes else None),
    )
    judge = Step(name="judge", feeds=features, fetches=judged) if judged else None
    answer = Step(name="answer", feeds=features, fetches=outputs) if outputs else None
    return predict, judge, answer


def _find_outputs(
    model: BuiltModel, values: Mapping[str, object]
) -> Iterator[tuple[str, tf.Tensor]]:
    """Yields the name and the tensor of each output of the model."""
    for name, reference in model.outputs.items():
        output = find_output(values, reference)
        # A Session refuses to fetch the very tensor that it feeds.
        if isinstance(output, tf.Tensor) and output.op.type != "Placeholder":
            yield name, output


def _find_judged(
    config: ExperimentConfig, outputs: Mapping[str, Fetched]
) -> Iterator[tuple[str, Fetched]]:
    """Yields the name and the tensor of each output that is compared with classes or numbers."""
    targets = list_targets(config.data)
    names = [one.output for one in read_classifiers(config.model, targets)]
    names += [one.output for one in read_regressors(config.model, targets)]
    for name in names:
        if name in outputs:
            yield name, outputs[name]


def _find_override(name: str, scope: FetchScope, *, is_training: bool) -> Placeholder:
    """Returns the tensor within the graph that `name` stands for, to be fed."""
    path = f"feeds.{name}"
    if is_training:
        what = "an input, a label or a weight where task.training is true"
        raise ConfigError([expected(path, what, name)])
    found = find_value(path, name, scope)
    if not isinstance(found, tf.Tensor | tf.SparseTensor):
        raise ConfigError([expected(path, "a tensor; an operation takes no value", name)])
    return found


def _repeat_mask(
    mask: list[bool], model: BuiltModel, features: Mapping[str, Placeholder]
) -> tf.Tensor:
    (feature,) = features.values()
    first = model.layers[model.calls[0].layer]
    if not first.supports_masking:
        what = f"null, since {first.name} ({type(first).__name__}) takes no mask"
        raise ConfigError([expected("task.mask", what, mask)])
    return tf.tile(tf.constant([mask]), [tf.shape(feature)[0], 1], name="mask")


def _summarize_layers(model: BuiltModel) -> Iterator[LayerSummary]:
    seen: set[str] = set()
    for call, layer, symbol in iterate_layers(model):
        yield LayerSummary(
            name=call.name,
            type=type(layer).__name__,
            output_shapes=tuple(tuple(output.shape) for output in keras.tree.flatten(symbol)),
            parameters=0 if call.layer in seen else layer.count_params(),
        )
        seen.add(call.layer)
