"""How fast each side trains the same model.

The same model, initial weights, batches, optimizer and precision on each side. The losses of all
steps of the first round are compared to show that the work was the same; that round also warms up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measuring import (
    OURS,
    Measured,
    Opened,
    describe_ratio,
    geometric_mean,
    open_peers,
    take_turns,
)
from benchmarks.work import Skipped, Task
from benchmarks.workers import open_workers, report_progress

PEERS = ("feedfetch", "keras_peers", "torch_peers", "jax_peers")
BATCH_SIZES = (32, 256)

# Float32 sums in other orders differ, and training drives the differences apart.
TOLERANCE = 0.02
_FIRST_TOLERANCE = 1e-4

# Batches of a round by model: about a second for the slowest side at batch 32.
_STEPS = {"mlp": 400, "cnn": 120, "resnet": 20, "lstm": 120, "transformer": 120}
_EXAMPLES_PER_STEP = 32
_LEAST_STEPS = 10


@dataclass(frozen=True)
class Training:
    """The times of a step.

    Attributes:
        task: What was trained.
        measured: A peer each, Feedfetch's first.
        difference: The most by which a side's mean loss is off Feedfetch's, a share of it.
        skipped: The peers that could not be measured.
    """

    task: Task
    measured: Sequence[Measured]
    difference: float
    skipped: Mapping[str, Skipped]

    @property
    def best_ratio(self) -> float:
        """The best peer's time divided by Feedfetch's."""
        return min(one.ratio for one in self.measured if one.name != OURS)


def measure(
    models: Sequence[str], batch_sizes: Sequence[int], rounds: int, peers: Sequence[str] = PEERS
) -> Iterator[Training]:
    """Yields the times of each model at each batch size.

    Args:
        models: Names in conf/model.
        batch_sizes: Examples in a batch.
        rounds: How often each side takes its turn.
        peers: The modules of ``benchmarks.peers``.

    Raises:
        ValueError: If a side did other work.
    """
    with open_workers(*peers) as workers:
        for model in models:
            for batch_size in batch_sizes:
                report_progress(f"training {model}, batch {batch_size}")
                task = Task(model, batch_size, _count_steps(model, batch_size))
                work = workers["feedfetch"].call("create_work", task)
                opened, skipped = open_peers(workers.values(), "open_training", work)
                difference = check_losses(opened)
                measured = take_turns(
                    opened, rounds, repeats=dict.fromkeys(opened, 1), steps=task.steps
                )
                yield Training(task, measured, difference, skipped)


def check_losses(peers: Mapping[str, Opened]) -> float:
    """Has all sides train a round, and returns the most by which a mean loss is off Feedfetch's.

    Raises:
        ValueError: If a side's first loss, or its mean, is another.
    """
    losses = {name: peer.worker.run(name).value for name, peer in peers.items()}
    ours = losses[OURS]
    difference = 0.0
    for name, theirs in losses.items():
        # Keras's fit tells the mean alone.
        first = abs(theirs[0] - ours[0]) / ours[0] if len(theirs) == len(ours) else 0.0
        mean = float(abs(np.mean(theirs) - np.mean(ours)) / np.mean(ours))
        if not (first <= _FIRST_TOLERANCE and mean <= TOLERANCE):
            raise ValueError(
                f"{name} did other work: its losses begin with {theirs[:5]}, mean "
                f"{np.mean(theirs)}; Feedfetch's with {ours[:5]}, mean {np.mean(ours)}."
            )
        difference = max(difference, mean)
    return difference


def format_training(trainings: Sequence[Training], rounds: int) -> Iterator[str]:
    """Yields the lines of the table."""
    yield (
        f"training: microseconds a step, median of {rounds} rounds; its ratio to Feedfetch, "
        f"median [least to most]"
    )
    yield f"{'model':12}{'batch':>6}  {'side':44}{'us a step':>10}{'steps/s':>10}  ratio"
    for training in trainings:
        task = training.task
        for one in training.measured:
            yield (
                f"{task.model:12}{task.batch_size:6}  {one.label:44}{one.microseconds:10.0f}"
                f"{1e6 / one.microseconds:10.0f}  {describe_ratio(one.ratios)}"
            )
        for name, skipped in training.skipped.items():
            yield f"{task.model:12}{task.batch_size:6}  {name:44}left out: {skipped.reason}"
    worst = max(training.difference for training in trainings)
    yield f"mean losses of a round differ by {worst:.2%} at the most ({TOLERANCE:.0%} is refused)"
    best = [training.best_ratio for training in trainings]
    yield (
        f"the best peer's time divided by Feedfetch's: geometric mean {geometric_mean(best):.2f}, "
        f"least {min(best):.2f}"
    )


def _count_steps(model: str, batch_size: int) -> int:
    return max(_LEAST_STEPS, _STEPS[model] * _EXAMPLES_PER_STEP // batch_size)
