"""What tracking costs a run that logs every step."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.measuring import describe_ratio
from benchmarks.workers import Worker, open_workers, report_progress

MODELS = ("cnn", "mlp")

_EPOCHS = 50  # of 40 steps: 2,000


def measure(models: Sequence[str], rounds: int) -> Iterator[str]:
    """Yields the lines of the table: with SQLite beside without, of training and of the run."""
    yield (
        f"tracking: seconds of 2,000 steps, each logged, median of {rounds} rounds; with SQLite "
        "divided by without, median [least to most]"
    )
    yield f"{'model':12}{'what':20}{'off':>8}{'sqlite':>8}  ratio"
    with open_workers("runs") as workers, tempfile.TemporaryDirectory() as folder:
        for model in models:
            report_progress(f"tracking {model}")
            pairs = [
                _measure_pair(workers["runs"], model, Path(folder)) for _ in range(rounds + 1)
            ][1:]
            for index, what in enumerate(("training", "the whole run")):
                off, sqlite = ([run[index] for run in runs] for runs in zip(*pairs, strict=True))
                ratios = [one / other for one, other in zip(sqlite, off, strict=True)]
                yield (
                    f"{model:12}{what:20}{statistics.median(off):8.2f}"
                    f"{statistics.median(sqlite):8.2f}  {describe_ratio(ratios)}"
                )


def _measure_pair(
    worker: Worker, model: str, folder: Path
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns the seconds of training and of all, without tracking and with."""
    common = [f"model={model}", f"task.epochs={_EPOCHS}", "trace.steps=[]"]
    places = [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]
    return (
        worker.call("time_run", [*common, "tracking=off"], folder),
        worker.call("time_run", [*common, "tracking=sqlite", *places], folder),
    )
