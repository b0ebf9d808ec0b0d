"""Whether memory stays as it is over many runs in one process."""

from collections.abc import Iterator

from benchmarks.workers import open_workers, report_progress

RUNS = 200
WARM_UP = 20
OVERRIDES = ["model=mlp", "task.epochs=1", "tracking=off", "trace.steps=[]"]

_MEBIBYTE = 2**20


def measure(runs: int = RUNS, warm_up: int = WARM_UP) -> Iterator[str]:
    """Yields the line to print: resident memory after the first runs and after all."""
    report_progress(f"memory over {runs} runs")
    with open_workers("runs") as workers:
        resident = workers["runs"].call("measure_resident", OVERRIDES, runs)
    start, end = int(resident[warm_up - 1]), int(resident[-1])
    yield (
        f"memory: {start / _MEBIBYTE:.0f} MiB resident after {warm_up} runs, "
        f"{end / _MEBIBYTE:.0f} MiB after {runs} in one process; {end / start:.3f} times"
    )
