"""Whether memory stays as it is while far more is read than it holds."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.pictures import write_pictures
from benchmarks.processes import runner_command
from benchmarks.workers import report_progress
from runner.composition import PROJECT

GIBIBYTES = 20

_GIBIBYTE = 2**30
_MEBIBYTE = 2**20
_COLUMNS = 100
_ROWS = 250_000
_PICTURES = 500
_SAMPLE_SECONDS = 0.2
_COMMON = ("task.epochs=1", "trace.steps=[]", "data.batch_size=64")


@dataclass(frozen=True)
class Watched:
    """What was resident while a run went on.

    Attributes:
        seconds: The run's wall time.
        resident: Bytes, sampled five times a second.
        output: What the run wrote.
    """

    seconds: float
    resident: np.ndarray
    output: str


def measure(gibibytes: int = GIBIBYTES) -> Iterator[str]:
    """Yields the lines of the table: what is resident in an epoch over a source of this size."""
    yield (
        f"streaming: an epoch over {gibibytes} GiB, most of it links to the same files; resident "
        "memory at the most, over that of a run on a part that fits into memory, and its growth "
        "from the middle of the run to its end"
    )
    yield f"{'source':26}{'GiB':>6}{'examples':>10}{'seconds':>9}{'MiB':>7}{'over':>7}{'growth':>8}"
    with tempfile.TemporaryDirectory() as folder:
        size, rows = _write_table(Path(folder), gibibytes * _GIBIBYTE)
        overrides = ["model=tabular", "data=table", "data.targets=[target]", "data.classes=3"]
        overrides.append("data.columns.target.categories=[0,1,2]")
        yield _compare("Parquet, 100 columns", Path(folder), size, rows, overrides)
    with tempfile.TemporaryDirectory() as folder:
        size, pictures = _write_folder(Path(folder), gibibytes * _GIBIBYTE)
        overrides = ["model=cnn", "data=images", "data.size=[32,32]", "data.colors=rgb"]
        yield _compare("JPEG 400x600 to 32x32", Path(folder), size, pictures, overrides)


def _compare(name: str, folder: Path, size: int, examples: int, overrides: list[str]) -> str:
    report_progress(f"streaming {name}")
    small = _watch(folder, [f"data.file={folder / 'small'}", "data.stream=true", *overrides])
    large = _watch(folder, [f"data.file={folder / 'large'}", *overrides])
    most, base = large.resident.max(), small.resident.max()
    middle = large.resident[len(large.resident) // 2 :]
    growth = middle[-len(middle) // 4 :].max() - middle[: len(middle) // 4].max()
    return (
        f"{name:26}{size / _GIBIBYTE:6.1f}{examples:10,}{large.seconds:9.0f}"
        f"{most / _MEBIBYTE:7.0f}{(most - base) / _MEBIBYTE:7.0f}{growth / _MEBIBYTE:8.0f}"
    )


def _watch(folder: Path, overrides: list[str]) -> Watched:
    """Runs an experiment to its end, and looks at what is resident."""
    command = runner_command(folder, *_COMMON, *overrides)
    start = time.perf_counter()
    resident = []
    with tempfile.TemporaryFile() as written:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=written, stderr=subprocess.STDOUT)
        status = Path(f"/proc/{process.pid}/statm")
        while process.poll() is None:
            pages = int(status.read_text(encoding="ascii").split()[1])
            resident.append(pages * os.sysconf("SC_PAGE_SIZE"))
            time.sleep(_SAMPLE_SECONDS)
        written.seek(0)
        output = written.read().decode()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output}")
    return Watched(time.perf_counter() - start, np.array(resident), output)


def _write_table(folder: Path, size: int) -> tuple[int, int]:
    """Writes a table and links to it up to a size; returns the bytes and the rows."""
    random = np.random.default_rng(0)
    values = random.random((_COLUMNS, _ROWS))
    columns = {f"column{index}": values[index] for index in range(_COLUMNS)}
    target = (values[0] * 3).astype(int)
    file = folder / "small" / "0.parquet"
    file.parent.mkdir()
    parquet.write_table(pa.table({**columns, "target": target}), file, row_group_size=50_000)
    count = _link(file.parent, folder / "large", size)
    return count * file.stat().st_size, count * _ROWS


def _write_folder(folder: Path, size: int) -> tuple[int, int]:
    """Writes pictures and links to them up to a size; returns the bytes and the pictures."""
    written = write_pictures(folder / "small", _PICTURES, (400, 600), ".jpg")
    count = 0
    for one in sorted((folder / "small").iterdir()):
        count = _link(one, folder / "large" / one.name, size // 2, written // 2)
    return count * written, count * _PICTURES


def _link(source: Path, target: Path, size: int, of_source: int | None = None) -> int:
    """Links the files of a folder into another, again and again; returns how often."""
    files = sorted(source.iterdir())
    total = of_source or sum(file.stat().st_size for file in files)
    target.mkdir(parents=True)
    count = -(-size // total)
    for index in range(count):
        for file in files:
            os.link(file, target / f"{index:05}_{file.name}")
    return count
