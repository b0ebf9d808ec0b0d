"""Keras's own ways to train and to predict."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.work import BETAS, EPSILON, LEARNING_RATE, Peers, Round, Work, check_logits
from runner.composition import compose_config
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

import keras
import tensorflow as tf

from models.factory import build_model


@contextmanager
def open_training(work: Work) -> Iterator[Peers]:
    """Yields ``fit`` as it comes, with all of a round's steps in one call, and a written loop."""
    plain, several, written = (_build(work) for _ in range(3))
    _compile(plain, 1)
    _compile(several, work.task.steps)
    yield {
        "keras fit": _fit(plain, work),
        "keras fit, steps_per_execution": _fit(several, work),
        "tf.function": _loop(written, work),
    }
    keras.utils.clear_session()


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields Keras's calls for a batch of images, arrays in and out."""
    model = _build(work)
    features = {"image": work.images[0]}
    call = tf.function(lambda image: model({"image": image}, training=False), autograph=False)
    yield {
        "keras predict": lambda: model.predict(features, work.task.batch_size, verbose=0),
        "keras predict_on_batch": lambda: model.predict_on_batch(features),
        "tf.function": lambda: call(tf.constant(work.images[0])).numpy(),
    }
    keras.utils.clear_session()


def _build(work: Work) -> keras.Model:
    model = build_model(compose_config(work.task.overrides).model).keras_model
    # In order, since Keras numbers the names of further models.
    model.set_weights(list(work.weights.values()))
    check_logits("keras", np.asarray(model({"image": work.images[0]}, training=False)), work)
    return model


def _optimizer() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(LEARNING_RATE, *BETAS, epsilon=EPSILON)


def _compile(model: keras.Model, steps_per_execution: int) -> None:
    model.compile(
        _optimizer(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        steps_per_execution=steps_per_execution,
    )


def _fit(model: keras.Model, work: Work) -> Round:
    """Returns a round of ``fit`` over arrays in memory, whose loss is the mean of the steps'."""
    images = {"image": work.images.reshape(-1, *work.images.shape[2:])}
    digits = work.digits.reshape(-1)

    def train() -> np.ndarray:
        history = model.fit(
            images, digits, batch_size=work.task.batch_size, shuffle=False, verbose=0
        )
        return np.array(history.history["loss"])

    return train


def _loop(model: keras.Model, work: Work) -> Round:
    """Returns a round of one ``tf.function`` a step, its batches made tensors beforehand."""
    images = [tf.constant(batch) for batch in work.images]
    digits = [tf.constant(batch) for batch in work.digits]
    step = _step(model)

    def train() -> np.ndarray:
        losses = [step(*batch) for batch in zip(images, digits, strict=True)]
        return np.array(losses)

    return train


def _step(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    optimizer = _optimizer()
    optimizer.build(model.trainable_variables)
    compute_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    accuracy = keras.metrics.SparseCategoricalAccuracy()

    @tf.function(autograph=False, jit_compile=False)
    def step(images: tf.Tensor, digits: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = model({"image": images}, training=True)
            loss = compute_loss(digits, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        accuracy.update_state(digits, logits)
        return loss

    return step
