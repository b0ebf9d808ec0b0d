"""How fast each side answers: one image at a time, and many at once; arrays in, arrays out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measuring import Measured, Opened, describe_ratio, open_peers, take_turns
from benchmarks.work import Skipped, Task, Work, check_logits
from benchmarks.workers import open_workers, report_progress

PEERS = ("feedfetch", "keras_peers", "torch_peers", "jax_peers", "onnx_peers")
MODELS = ("mlp", "cnn")
BATCH_SIZES = (1, 256)

_TURN_SECONDS = 0.3
_MOST_CALLS = 5000


@dataclass(frozen=True)
class Forward:
    """The times of a call.

    Attributes:
        task: What was called.
        measured: A peer each, Feedfetch's first.
        skipped: The peers that could not be measured.
    """

    task: Task
    measured: Sequence[Measured]
    skipped: Mapping[str, Skipped]


def measure(
    models: Sequence[str], batch_sizes: Sequence[int], rounds: int, peers: Sequence[str] = PEERS
) -> Iterator[Forward]:
    """Yields the times of each model at each batch size.

    Args:
        models: Names in conf/model.
        batch_sizes: Images in a call.
        rounds: How often each side takes its turn.
        peers: The modules of ``benchmarks.peers``.

    Raises:
        ValueError: If a side gives other outputs.
    """
    with open_workers(*peers) as workers:
        for model in models:
            for batch_size in batch_sizes:
                report_progress(f"forward {model}, batch {batch_size}")
                task = Task(model, batch_size, 1)
                work = workers["feedfetch"].call("create_work", task)
                opened, skipped = open_peers(workers.values(), "open_forward", work)
                repeats = {name: _count_calls(name, peer, work) for name, peer in opened.items()}
                measured = take_turns(opened, rounds, repeats=repeats, steps=1)
                yield Forward(task, measured, skipped)


def format_forward(forwards: Sequence[Forward], rounds: int) -> Iterator[str]:
    """Yields the lines of the table."""
    yield (
        f"forward: microseconds a call, median of {rounds} rounds; its ratio to Feedfetch, "
        "median [least to most]"
    )
    yield f"{'model':12}{'batch':>6}  {'side':44}{'us a call':>10}{'images/s':>12}  ratio"
    for forward in forwards:
        task = forward.task
        for one in forward.measured:
            yield (
                f"{task.model:12}{task.batch_size:6}  {one.label:44}{one.microseconds:10.1f}"
                f"{task.batch_size * 1e6 / one.microseconds:12.0f}  {describe_ratio(one.ratios)}"
            )
        for name, skipped in forward.skipped.items():
            yield f"{task.model:12}{task.batch_size:6}  {name:44}left out: {skipped.reason}"


def _count_calls(name: str, peer: Opened, work: Work) -> int:
    """Warms a peer up, checks what it gives, and returns how many calls make a turn."""
    check_logits(name, peer.worker.run(name).value, work)
    seconds = peer.worker.run(name, 3).seconds / 3
    return min(_MOST_CALLS, max(1, int(_TURN_SECONDS / seconds)))
