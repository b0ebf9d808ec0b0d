"""Traces an experiment into one ``tf.Graph``: placeholders, model, steps."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from models.config import TensorConfig
from models.factory import build_model, build_object, call_layers
from models.problems import ConfigError, expected
from runner.config import ExperimentConfig, ForwardConfig, TrainConfig
from runner.engine.fetches import resolve_fetches
from runner.engine.steps import Step, TrainingSteps, trace_function, trace_training
from runner.results import LayerSummary


@dataclass(frozen=True)
class ExperimentGraph:
    """A finalized graph, ready for a Session.

    Attributes:
        graph: The graph, of which nothing can be changed.
        model: The Keras model; its variables live in `graph`.
        layers: The table of the model's layers.
        initialize: The operation that gives every variable its initial value.
        features: The placeholders of the model's inputs, by name.
        labels: The placeholders of the labels, by name; none where the task does not train.
        predict: Features to the configured fetches.
        training: The steps of training and evaluation; None where the task does not train.
    """

    graph: tf.Graph
    model: keras.Model
    layers: tuple[LayerSummary, ...]
    initialize: tf.Operation
    features: Mapping[str, tf.Tensor]
    labels: Mapping[str, tf.Tensor]
    predict: Step
    training: TrainingSteps | None


def build_graph(config: ExperimentConfig) -> ExperimentGraph:
    """Returns the graph of the experiment, built from the seed.

    Raises:
        ConfigError: If Keras refuses a layer, a loss or a metric, or a fetch is not in the graph.
    """
    # Keras counts names over the process, and seeds its initializers from Python's generator.
    keras.utils.clear_session()
    keras.utils.set_random_seed(config.seed)
    graph = tf.Graph()
    with graph.as_default(), tf.device(config.session.device):
        tf.compat.v1.set_random_seed(config.seed)
        features = {
            name: open_placeholder(name, tensor) for name, tensor in config.model.inputs.items()
        }
        with tf.name_scope("variables"):
            model = build_model(config.model)
        predict = _trace_predict(config, model, features)
        labels: dict[str, tf.Tensor] = {}
        training = None
        if isinstance(config.task, TrainConfig):
            labels = {
                name: open_placeholder(name, tensor) for name, tensor in config.data.labels.items()
            }
            training = _trace_training(config, model, features, labels)
        initialize = tf.group(
            tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()
        )
    graph.finalize()
    return ExperimentGraph(
        graph=graph,
        model=model,
        layers=tuple(_summarize_layers(model)),
        initialize=initialize,
        features=features,
        labels=labels,
        predict=predict,
        training=training,
    )


def open_placeholder(name: str, tensor: TensorConfig) -> tf.Tensor:
    """Returns a placeholder of the declared shape, with a batch axis of any length in front."""
    return tf.compat.v1.placeholder(tensor.dtype, [None, *tensor.shape], name=name)


def _trace_predict(
    config: ExperimentConfig, model: keras.Model, features: Mapping[str, tf.Tensor]
) -> Step:
    task = config.task
    is_training = isinstance(task, ForwardConfig) and task.training
    mask = None
    if isinstance(task, ForwardConfig) and task.mask is not None:
        mask = _repeat_mask(task.mask, model, features)

    def call(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return call_layers(model, features, training=is_training, mask=mask)

    # Only in training do layers assign to variables, which only a function is sure to run; outside
    # of one, every tensor has a name.
    outputs = trace_function(call, features) if is_training else call(features)
    fetches = resolve_fetches(config.fetches, outputs, tf.compat.v1.get_default_graph())
    return Step(name="predict", feeds=features, fetches=fetches)


def _repeat_mask(
    mask: list[bool], model: keras.Model, features: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    (feature,) = features.values()
    first = model.layers[1]
    if not first.supports_masking:
        what = f"null, since {first.name} ({type(first).__name__}) takes no mask"
        raise ConfigError([expected("task.mask", what, mask)])
    return tf.tile(tf.constant([mask]), [tf.shape(feature)[0], 1], name="mask")


def _trace_training(
    config: ExperimentConfig,
    model: keras.Model,
    features: Mapping[str, tf.Tensor],
    labels: Mapping[str, tf.Tensor],
) -> TrainingSteps:
    if not model.trainable_variables:
        what = "a layer with weights to train"
        raise ConfigError([expected("model.layers", what, list(config.model.layers))])
    with tf.name_scope("variables"):
        optimizer = build_object("optimizer", "optimizers", config.optimizer)
        optimizer.build(model.trainable_variables)
    return trace_training(
        model=model, optimizer=optimizer, config=config.model, features=features, labels=labels
    )


def _summarize_layers(model: keras.Model) -> list[LayerSummary]:
    return [
        LayerSummary(
            name=layer.name,
            type=type(layer).__name__,
            output_shape=tuple(layer.output.shape),
            parameters=layer.count_params(),
        )
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
