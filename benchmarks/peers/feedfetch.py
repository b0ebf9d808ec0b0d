"""Feedfetch's side, and the work that all sides are given."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.work import Peers, Task, Work
from runner.composition import compose_config
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

from runner.data.sources import load_dataset
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.engine.steps import BATCH_LOSS


def create_work(task: Task) -> Work:
    """Returns `task` with weights drawn from the seed and batches of digits in a fixed order."""
    config = compose_config(task.overrides)
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    rows = np.random.default_rng(0).integers(0, len(train), (task.steps, task.batch_size))
    images, digits = train.features["image"][rows], train.labels["digit"][rows]
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = {one.path: one.value for one in graph.model.keras_model.weights}
        return Work(
            task=task,
            weights=session.read(weights),
            images=images,
            digits=digits,
            logits=session.callable(graph.predict)({"image": images[0]})["outputs"],
        )


@contextmanager
def open_training(work: Work) -> Iterator[Peers]:
    """Yields a step a call of the Session; it draws the weights of `work` from the same seed."""
    config = compose_config(work.task.overrides)
    graph = build_graph(config)
    if graph.training is None:
        raise ValueError("the configuration does not train")
    with open_session(graph, config.session) as session:
        step = session.callable(graph.training.train)

        def train() -> np.ndarray:
            losses = [
                step({"image": images, "digit": digits})[BATCH_LOSS]
                for images, digits in zip(work.images, work.digits, strict=True)
            ]
            return np.array(losses)

        yield {"feedfetch": train}


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields a call of the Session for a batch of images."""
    config = compose_config([*work.task.overrides, "task=forward"])
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        predict = session.callable(graph.predict)
        images = work.images[0]
        yield {"feedfetch": lambda: predict({"image": images})["outputs"]}
