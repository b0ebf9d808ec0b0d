"""Peers that take turns, and the ratios of neighbours in time.

A shared machine's speed drifts, so each round gives every peer a turn, each second round in the
opposite order, and a ratio is of two turns of one round.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.work import Skipped
from benchmarks.workers import Worker

OURS = "feedfetch"

_LONG_SECONDS = 4.0


@dataclass(frozen=True)
class Measured:
    """The times of one peer.

    Attributes:
        name: The peer.
        note: How it goes about its work; "" for nothing to say.
        seconds: The time of a step or a call in each round.
        ratios: The time divided by Feedfetch's in the same round.
    """

    name: str
    note: str
    seconds: Sequence[float]
    ratios: Sequence[float]

    @property
    def label(self) -> str:
        """The name with the note."""
        return f"{self.name}: {self.note}" if self.note else self.name

    @property
    def microseconds(self) -> float:
        """The median time."""
        return statistics.median(self.seconds) * 1e6

    @property
    def ratio(self) -> float:
        """The median ratio."""
        return statistics.median(self.ratios)


@dataclass(frozen=True)
class Opened:
    """A peer that is ready.

    Attributes:
        worker: The process that it runs in.
        name: Its name there.
        note: How it goes about its work; "" for nothing to say.
    """

    worker: Worker
    name: str
    note: str = ""


def open_peers(
    workers: Iterable[Worker], function: str, *arguments: object
) -> tuple[dict[str, Opened], dict[str, Skipped]]:
    """Returns the peers that `workers` open with `function`, and those that are skipped."""
    opened: dict[str, Opened] = {}
    skipped: dict[str, Skipped] = {}
    for worker in workers:
        for name, answer in worker.open(function, *arguments).items():
            if isinstance(answer, Skipped):
                skipped[name] = answer
            else:
                opened[name] = Opened(worker, name, answer)
    return opened, skipped


def take_turns(
    peers: Mapping[str, Opened], rounds: int, *, repeats: Mapping[str, int], steps: int
) -> list[Measured]:
    """Returns the times of all peers over some rounds.

    A peer both of whose first turns take many seconds has no third one.

    Args:
        peers: The peers, Feedfetch's among them, each warmed up.
        rounds: How often each takes its turn.
        repeats: How often each repeats its work in a turn.
        steps: The steps or calls that the work is made of.
    """
    turns: dict[str, list[float]] = {name: [] for name in peers}
    order = list(peers)
    for _ in range(rounds):
        for name in order:
            if name == OURS or not _is_long(turns[name]):
                turns[name].append(peers[name].worker.run(name, repeats[name]).seconds)
        order.reverse()
    seconds = {
        name: [one / repeats[name] / steps for one in times] for name, times in turns.items()
    }
    return [
        Measured(
            name,
            peers[name].note,
            times,
            [one / our for one, our in zip(times, seconds[OURS], strict=False)],
        )
        for name, times in seconds.items()
    ]


def _is_long(turns: Sequence[float]) -> bool:
    """Whether a peer had two turns, both of them long; one alone may have been disturbed."""
    return len(turns) > 1 and min(turns) > _LONG_SECONDS


def describe_ratio(ratios: Sequence[float]) -> str:
    """Returns the median and the spread, such as ``1.9 [1.8 to 2.2]``."""
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f} to {max(ratios):.2f}]"


def geometric_mean(values: Iterable[float]) -> float:
    """Returns the geometric mean."""
    return float(np.exp(np.mean(np.log(list(values)))))
