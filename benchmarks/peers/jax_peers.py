"""JAX with optax: a step a call, and many steps a call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers.jax_models import Layers, Model, Weights, find_model
from benchmarks.work import BETAS, EPSILON, LEARNING_RATE, Peers, Round, Work, check_logits

_STATISTICS = ("/moving_mean", "/moving_variance")


class State(NamedTuple):
    """What a step changes."""

    trained: Weights
    statistics: Weights
    optimizer: optax.OptState


Step = Callable[[State, tuple[jax.Array, jax.Array]], tuple[State, jax.Array]]


@contextmanager
def open_training(work: Work) -> Iterator[Peers]:
    """Yields a jitted step called in a loop, and a jitted loop of all steps."""
    model = _check(work)
    yield {"jax jit": _loop(model, work), "jax scan": _scan(model, work)}
    jax.clear_caches()


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields a jitted call for a batch of images, arrays in and out."""
    model = _check(work)
    weights = {name: jnp.asarray(weight) for name, weight in work.weights.items()}
    call = jax.jit(lambda weights, images: model(Layers(weights, is_training=False), images))
    images = work.images[0]
    yield {"jax jit": lambda: np.asarray(call(weights, images))}
    jax.clear_caches()


def _check(work: Work) -> Model:
    model = find_model(work.task.model)
    logits = model(Layers(work.weights, is_training=False), jnp.asarray(work.images[0]))
    check_logits("jax", np.asarray(logits), work)
    return model


def _loop(model: Model, work: Work) -> Round:
    optimizer = _optimizer()
    step = jax.jit(_step(model, optimizer), donate_argnums=0)
    batches = [
        (jnp.asarray(images), jnp.asarray(digits))
        for images, digits in zip(work.images, work.digits, strict=True)
    ]
    state = _initial(work, optimizer)

    def train() -> np.ndarray:
        nonlocal state
        losses = []
        for batch in batches:
            state, loss = step(state, batch)
            losses.append(loss)
        return np.array(losses)

    return train


def _scan(model: Model, work: Work) -> Round:
    optimizer = _optimizer()
    step = _step(model, optimizer)
    scan = jax.jit(lambda state, batches: jax.lax.scan(step, state, batches), donate_argnums=0)
    batches = (jnp.asarray(work.images), jnp.asarray(work.digits))
    state = _initial(work, optimizer)

    def train() -> np.ndarray:
        nonlocal state
        state, losses = scan(state, batches)
        return np.asarray(losses)

    return train


def _optimizer() -> optax.GradientTransformation:
    return optax.adam(LEARNING_RATE, *BETAS, eps=EPSILON)


def _initial(work: Work, optimizer: optax.GradientTransformation) -> State:
    weights = {name: jnp.array(weight) for name, weight in work.weights.items()}
    statistics = {name: weights.pop(name) for name in work.weights if name.endswith(_STATISTICS)}
    return State(weights, statistics, optimizer.init(weights))


def _step(model: Model, optimizer: optax.GradientTransformation) -> Step:
    def compute_loss(
        trained: Weights, statistics: Weights, images: jax.Array, digits: jax.Array
    ) -> tuple[jax.Array, Weights]:
        layers = Layers({**trained, **statistics}, is_training=True)
        logits = model(layers, images)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, digits)
        return losses.mean(), layers.moved

    def step(state: State, batch: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
        differentiate = jax.value_and_grad(compute_loss, has_aux=True)
        (loss, moved), gradients = differentiate(state.trained, state.statistics, *batch)
        updates, optimizer_state = optimizer.update(gradients, state.optimizer)
        trained = optax.apply_updates(state.trained, updates)
        return State(trained, moved, optimizer_state), loss

    return step
