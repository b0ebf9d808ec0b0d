"""Feedfetch's side, and the work that all sides are given."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.work import Noted, Peers, Task, Work
from runner.composition import compose_config
from runner.config import ExperimentConfig
from runner.data.examples import Examples
from runner.data.reading import read_examples
from runner.data.splits import split_examples
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

from runner.engine.feeders import ArrayFeeder
from runner.engine.graph import build_graph
from runner.engine.planning import choose_plan
from runner.engine.plans import TrainingPlans
from runner.engine.service import ForwardService
from runner.engine.session import open_session
from runner.engine.steps import BATCH_LOSS

# Of a run long enough for each plan to be worth measuring.
_STEPS_OF_A_RUN = 100_000


def create_work(task: Task) -> Work:
    """Returns `task` with weights drawn from the seed and batches of digits in a fixed order."""
    config = compose_config(task.overrides)
    train = _read_train(config)
    rows = np.random.default_rng(0).integers(0, len(train), (task.steps, task.batch_size))
    images, digits = train.features["image"][rows], train.labels["digit"][rows]
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = {one.path: one.value for one in graph.model.keras_model.weights}
        return Work(
            task=task,
            weights=session.read(weights),
            rows=rows,
            images=images,
            digits=digits,
            logits=session.callable(graph.predict)({"image": images[0]})["outputs"],
        )


@contextmanager
def open_training(work: Work) -> Iterator[Peers]:
    """Yields the plan that a long run takes; it draws the weights of `work` from the same seed."""
    config = compose_config([*work.task.overrides, "plan.measurements=null"])
    examples = _read_train(config)
    graph = build_graph(config)
    if graph.training is None:
        raise ValueError("the configuration does not train")
    with open_session(graph, config.session) as session:
        plans = TrainingPlans(
            graph,
            graph.training,
            ArrayFeeder({**examples.features, **examples.labels}),
            config.data.batch_size,
            config.session.device,
        )
        plan, chosen = choose_plan(config, session, plans, _STEPS_OF_A_RUN)
        rows = work.rows.reshape(-1)
        yield {"feedfetch": Noted(lambda: plan.take(rows, 0, len(rows))[BATCH_LOSS], chosen.plan)}


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields the forward service's call for a batch of images, in the way that it chooses."""
    config = compose_config([*work.task.overrides, "task=forward"])
    images = work.images[0]
    with ForwardService(config) as service:
        plan = service.prepare(len(images))
        yield {"feedfetch": Noted(lambda: service(image=images)["outputs"], str(plan))}


def _read_train(config: ExperimentConfig) -> Examples:
    examples = read_examples(config.data, config.model.inputs, config.seed)
    return split_examples(examples, config.data, config.seed).train
