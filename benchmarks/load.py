"""What other processes did to the figures."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATISTICS = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, interrupts, soft interrupts, stolen


class OtherLoad:
    """How many cores others used, on average, while something was measured."""

    cores: float | None = None

    def describe(self) -> str:
        """Returns a line for the end of a table."""
        if self.cores is None:
            return "how busy other processes were is not known"
        return f"other processes used {self.cores:.2f} of {os.cpu_count()} cores meanwhile"


@contextmanager
def watch_load() -> Iterator[OtherLoad]:
    """Yields what is known at the block's end, when all processes started in it have ended."""
    load = OtherLoad()
    start, busy, own = time.perf_counter(), _read_busy(), _own_seconds()
    yield load
    if busy is not None:
        others = (_read_busy() or 0.0) - busy - (_own_seconds() - own)
        load.cores = max(0.0, others / (time.perf_counter() - start))


def _read_busy() -> float | None:
    """Returns the seconds that all cores have been busy; None where Linux does not tell."""
    if not _STATISTICS.exists():
        return None
    ticks = [int(field) for field in _STATISTICS.read_text().split("\n", 1)[0].split()[1:]]
    return sum(ticks[index] for index in _BUSY) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Returns the processor time of this process and of those it started that have ended."""
    return sum(os.times()[:4])
