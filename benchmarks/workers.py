"""Processes that take turns: each holds one framework, its threads and its memory."""

import multiprocessing
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.work import Noted, Skipped

_END_SECONDS = 10.0


@dataclass(frozen=True)
class Turn:
    """What came of a peer's turn.

    Attributes:
        seconds: Its wall time.
        value: The losses or outputs of the last round.
    """

    seconds: float
    value: np.ndarray


class WorkerError(RuntimeError):
    """A worker failed; the message holds its traceback."""


class Worker:
    """A process that imports a module of peers, and does nothing between two turns."""

    def __init__(self, module: str) -> None:
        """Starts the process.

        Args:
            module: The module's name within ``benchmarks.peers``.
        """
        self.module = module
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(module, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def open(self, function: str, *arguments: Any) -> Mapping[str, Skipped | str]:
        """Closes the peers that are open, opens others, and returns their names.

        Args:
            function: The module's context manager that yields them by name.
            *arguments: What it takes.

        Returns:
            Why it is skipped, or a note, "" for none, by name.

        Raises:
            WorkerError: If it raises.
        """
        peers: Mapping[str, Skipped | str] = self._ask("open", function, arguments)
        return peers

    def call(self, function: str, *arguments: Any) -> Any:
        """Returns what a function of the module returns.

        Raises:
            WorkerError: If it raises.
        """
        return self._ask("call", function, arguments)

    def run(self, peer: str, rounds: int = 1) -> Turn:
        """Has an open peer do some rounds, one after another.

        Raises:
            WorkerError: If it raises.
        """
        turn: Turn = self._ask("run", peer, rounds)
        return turn

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()

    def _ask(self, *request: Any) -> Any:
        try:
            self._pipe.send(request)
            is_right, answer = self._pipe.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join(_END_SECONDS)
            message = f"{self.module}: the process ended with {self._process.exitcode}."
            raise WorkerError(message) from error
        if not is_right:
            raise WorkerError(f"{self.module}: {answer}")
        return answer


@contextmanager
def open_workers(*modules: str) -> Iterator[dict[str, Worker]]:
    """Yields a worker for each module of ``benchmarks.peers``, by its name."""
    with ExitStack() as stack:
        workers = {}
        for module in modules:
            workers[module] = Worker(module)
            stack.callback(workers[module].close)
        yield workers


def _serve(module: str, pipe: Connection) -> None:
    """Does what comes through `pipe`, until it is closed."""
    with _Desk(module) as desk:
        while True:
            try:
                kind, *arguments = pipe.recv()
            except EOFError:
                return
            try:
                answer = (True, getattr(desk, kind)(*arguments))
            except Exception:  # noqa: BLE001  the one who asked raises it
                answer = (False, traceback.format_exc())
            pipe.send(answer)


class _Desk(ExitStack):
    """A worker's side of the pipe."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._name = f"benchmarks.peers.{module}"
        self._peers: dict[str, Any] = {}

    def open(self, function: str, arguments: tuple[Any, ...]) -> dict[str, Skipped | str]:
        self._peers = {}
        self.close()
        opened = self.enter_context(self.call(function, arguments))
        answer: dict[str, Skipped | str] = {}
        for name, peer in opened.items():
            self._peers[name] = peer.do_round if isinstance(peer, Noted) else peer
            noted = peer.note if isinstance(peer, Noted) else ""
            answer[name] = peer if isinstance(peer, Skipped) else noted
        return answer

    def call(self, function: str, arguments: tuple[Any, ...]) -> Any:
        return getattr(import_module(self._name), function)(*arguments)

    def run(self, peer: str, rounds: int) -> Turn:
        train = self._peers[peer]
        start = time.perf_counter()
        for _ in range(rounds):
            value = train()
        seconds = time.perf_counter() - start
        return Turn(seconds, np.asarray(value))


def report_progress(text: str) -> None:
    """Says what is being measured, where somebody looks."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
