"""Names a plan: how training steps are put to the Session, whether XLA compiles them, threads."""

from dataclasses import dataclass
from typing import Self

_XLA = "XLA"
_ONE_THREAD = "1 thread"


@dataclass(frozen=True)
class PlanChoice:
    """A plan and how it runs.

    Attributes:
        name: ``step``, ``pipeline`` or ``loop``.
        jit_compile: Whether XLA compiles it.
        threads: How many threads may run within an operation; 0 is one a core.
    """

    name: str
    jit_compile: bool
    threads: int

    def __str__(self) -> str:
        """Returns it as in ``loop, XLA, 1 thread``."""
        threads = {0: "", 1: _ONE_THREAD}.get(self.threads, f"{self.threads} threads")
        return ", ".join(filter(None, [self.name, _XLA if self.jit_compile else "", threads]))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the plan that is written as `text`, as ``str`` gives it."""
        name, *rest = text.split(", ")
        threads = next((part for part in rest if part != _XLA), "0").split()[0]
        return cls(name, _XLA in rest, int(threads))
