"""Training steps: Feedfetch's Session step beside Keras's own ways to train.

The same model, initial weights, batches, optimizer and precision on each side; the peers take
turns, and each ratio is of two neighbours in time, because a shared machine's speed drifts. The
losses of the last steps are compared to show that the work was the same.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from models.factory import build_model
from runner.composition import compose_config
from runner.config import ExperimentConfig
from runner.data.sources import load_dataset
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.engine.steps import BATCH_LOSS

STEPS = 200
ROUNDS = 7
MODELS = ("mlp", "cnn")
BATCH_SIZE = 32


@dataclass(frozen=True)
class Batches:
    """Images and digits, (steps, batch, ...) each."""

    images: np.ndarray
    digits: np.ndarray


Train = Callable[[], float]
"""Takes the steps over all batches and returns the mean loss of the last round's steps."""


def main() -> list[str]:
    """Returns the lines of the table."""
    lines = [
        f"training, batch {BATCH_SIZE}: microseconds a step, median of {ROUNDS} rounds of {STEPS} "
        "steps; ratio to Feedfetch, median [least to most]",
        f"{'model':6} {'what':22} {'us a step':>10} {'ratio':>22}",
    ]
    for model in MODELS:
        lines += measure(model)
    return lines


def measure(model: str) -> Iterator[str]:
    """Yields a line for each way to train `model`."""
    # Dropout draws other masks on each side; without it the losses can be compared.
    drop = ["~model.layers.drop"] if model == "cnn" else []
    config = compose_config([f"model={model}", "tracking=off", *drop])
    batches = draw_batches(config)
    with open_peers(config, batches) as peers:
        losses = {name: train() for name, train in peers.items()}
        check_losses(losses)
        rounds = [{name: seconds_of(train) for name, train in peers.items()} for _ in range(ROUNDS)]
    for name in peers:
        microseconds = statistics.median(each[name] for each in rounds) / STEPS * 1e6
        ratios = sorted(each[name] / each["feedfetch"] for each in rounds)
        spread = f"{statistics.median(ratios):.1f} [{ratios[0]:.1f} to {ratios[-1]:.1f}]"
        yield f"{model:6} {name:22} {microseconds:10.0f} {spread:>22}"


@contextmanager
def open_peers(config: ExperimentConfig, batches: Batches) -> Iterator[dict[str, Train]]:
    """Yields each way to train by name, all from the same initial weights."""
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = session.read(
            {weight.path: weight.value for weight in graph.model.keras_model.weights}
        )
        if graph.training is None:
            raise ValueError("the configuration does not train")
        step = session.callable(graph.training.train)

        def train_in_session() -> float:
            losses = [
                step({"image": images, "digit": digits})[BATCH_LOSS]
                for images, digits in zip(batches.images, batches.digits, strict=True)
            ]
            return float(np.mean(losses))

        initial = list(weights.values())
        yield {
            "feedfetch": train_in_session,
            "keras train_on_batch": train_on_batch(build_eager(config, initial), batches),
            "keras fit": fit(build_eager(config, initial), batches),
        }


def build_eager(config: ExperimentConfig, weights: list[np.ndarray]) -> keras.Model:
    """Returns the model outside of any graph, compiled as Keras compiles it by default."""
    model = build_model(config.model).keras_model
    model.set_weights(weights)
    model.compile(
        keras.optimizers.Adam(config.optimizer["learning_rate"]),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model


def train_on_batch(model: keras.Model, batches: Batches) -> Train:
    """Returns a round of ``train_on_batch``."""

    def train() -> float:
        losses = []
        for images, digits in zip(batches.images, batches.digits, strict=True):
            loss, _ = model.train_on_batch({"image": images}, digits)
            losses.append(loss)
        return float(np.mean(losses))

    return train


def fit(model: keras.Model, batches: Batches) -> Train:
    """Returns a round of ``fit`` over arrays in memory."""
    images = batches.images.reshape(-1, *batches.images.shape[2:])
    digits = batches.digits.reshape(-1)

    def train() -> float:
        history = model.fit(
            {"image": images}, digits, batch_size=BATCH_SIZE, shuffle=False, verbose=0
        )
        return float(history.history["loss"][0])

    return train


def draw_batches(config: ExperimentConfig) -> Batches:
    """Returns batches of digits in a fixed order."""
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    rows = np.random.default_rng(0).integers(0, len(train), (STEPS, BATCH_SIZE))
    return Batches(train.features["image"][rows], train.labels["digit"][rows])


def check_losses(losses: dict[str, float]) -> None:
    """Raises ``ValueError`` unless all sides trained alike."""
    for name, loss in losses.items():
        if abs(loss - losses["feedfetch"]) > 1e-3 * losses["feedfetch"]:
            raise ValueError(f"{name} did other work: mean losses are {losses}")


def seconds_of(train: Train) -> float:
    """Returns the wall time of one round."""
    start = time.perf_counter()
    train()
    return time.perf_counter() - start
