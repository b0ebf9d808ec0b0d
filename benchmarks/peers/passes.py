"""What the sides of the loading benchmark share: their arguments and the taking of time."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Loading:
    """What is to be loaded.

    Attributes:
        folder: The pictures, a folder a class.
        size: Height and width that they are read in.
        batch_size: Pictures in a batch.
    """

    folder: Path
    size: tuple[int, int]
    batch_size: int


def read_arguments() -> Loading:
    """Returns what the command line asks for."""
    folder, height, width, batch_size = sys.argv[1:]
    return Loading(Path(folder), (int(height), int(width)), int(batch_size))


def print_second_pass(open_pass: Callable[[int], Iterable[Any]]) -> None:
    """Prints the seconds of the second pass over all pictures; the first warms up.

    Args:
        open_pass: Returns the batches of a pass, counted from 1; each has a length.
    """
    for number in (1, 2):
        start = time.perf_counter()
        count = sum(len(batch) for batch in open_pass(number))
        seconds = time.perf_counter() - start
    sys.stderr.write(f"{count} pictures\n")
    sys.stdout.write(f"{seconds}\n")
