"""How fast pictures come from their files, beside Keras and PyTorch."""

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import OURS, describe_ratio
from benchmarks.pictures import write_pictures
from benchmarks.processes import Finished, take_process_turns

BATCH_SIZE = 64


@dataclass(frozen=True)
class Pictures:
    """A folder of pictures.

    Attributes:
        name: What the table calls it.
        count: How many there are.
        size: Height and width of the files.
        suffix: Their kind.
        read_size: Height and width that they are read in.
    """

    name: str
    count: int
    size: tuple[int, int]
    suffix: str
    read_size: tuple[int, int]


FOLDERS = (
    Pictures("JPEG 375x500 to 224x224", 2_000, (375, 500), ".jpg", (224, 224)),
    Pictures("PNG 64x64", 10_000, (64, 64), ".png", (64, 64)),
)


def measure(rounds: int) -> Iterator[str]:
    """Yields the lines of the table: pictures a second, and the times of the peers over ours."""
    yield (
        f"loading: batches of {BATCH_SIZE} shuffled pictures, the second pass over the files, "
        f"median of {rounds} rounds; time over Feedfetch's, median [least to most]"
    )
    yield f"{'pictures':26}{'side':36}{'a second':>9}  ratio"
    for pictures in FOLDERS:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), pictures.count, pictures.size, pictures.suffix)
            finished = take_process_turns(_list_sides(folder, pictures), rounds)
        yield from _format(pictures, finished)


def _list_sides(folder: str, pictures: Pictures) -> dict[str, list[str]]:
    sides = {
        OURS: "feedfetch_loading",
        "keras image_dataset_from_directory": "keras_loading",
        "torch DataLoader, Pillow": "torch_loading",
    }
    arguments = [folder, *map(str, pictures.read_size), str(BATCH_SIZE)]
    return {
        side: [sys.executable, "-m", f"benchmarks.peers.{module}", *arguments]
        for side, module in sides.items()
    }


def _format(pictures: Pictures, finished: dict[str, list[Finished]]) -> Iterator[str]:
    for side, runs in finished.items():
        times = [_read_seconds(one) for one in runs]
        ours = [_read_seconds(one) for one in finished[OURS]]
        ratios = [one / our for one, our in zip(times, ours, strict=True)]
        rate = pictures.count / statistics.median(times)
        yield f"{pictures.name:26}{side:36}{rate:9,.0f}  {describe_ratio(ratios)}"


def _read_seconds(finished: Finished) -> float:
    lines: Sequence[str] = finished.output.split()
    return float(lines[-1])
