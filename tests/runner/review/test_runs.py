"""The list of runs as it is written: in a terminal, in a pipe, as CSV and JSON."""

import csv
import io
import json

import pytest
from rich.console import Console

from runner.review.runs import format_runs_csv, format_runs_json, print_runs
from runner.tracking.listing import ListedRun, Listing
from runner.tracking.records import PARENT, RunRecord

NOW = 1_800_000_000_000


def record(number, name, *, age=60, seconds=30.0, status="FINISHED", parent=None, **has):
    start = NOW - age * 1000
    end = None if status == "RUNNING" else start + int(seconds * 1000)
    tags = {**has.pop("tags", {}), **({} if parent is None else {PARENT: parent})}
    key = f"{number:032x}"[::-1]
    return RunRecord(key, name, "digits", "1", status, start, end, tags=tags, **has)


RUNS = [
    record(1, "cnn [red]bold[/red] [conv1]", age=5, status="RUNNING", params={"seed": "0"}),
    record(2, "optimizer.learning_rate=0.1,0.01 with a very long name indeed", age=4000),
    record(
        3,
        "mlp",
        age=3900,
        seconds=200,
        parent=f"{2:032x}"[::-1],
        metrics={"test/accuracy": 0.5, "test/loss": 0.25, "train/loss": 3.0},
        params={"seed": "1", "optimizer.learning_rate": "0.1", "same": "[a]", "a.odd": "1"},
        tags={"overrides": "optimizer.learning_rate=0.1"},
    ),
    record(
        4,
        "mlp",
        age=3800,
        status="FAILED",
        metrics={"test/loss": float("nan"), "test/accuracy": 0.125},
        params={"seed": "0", "optimizer.learning_rate": "0.01", "same": "[a]"},
    ),
]


def listing(runs=RUNS, **given):
    rows = tuple(ListedRun(run, is_job=run.parent_id is not None) for run in runs)
    return Listing(rows, **{"experiments": ("digits",), "others": (), "has_more": False, **given})


def show(shown=None, *, width=None, names=None):
    """Returns the lines that are written: in a terminal `width` wide, or in a pipe."""
    text = io.StringIO()
    is_terminal = width is not None
    console = Console(
        file=text, force_terminal=is_terminal, width=width or 80, color_system=None, highlight=False
    )
    print_runs(shown or listing(), names=names, now_ms=NOW, console=console)
    return text.getvalue().splitlines()


def test_in_a_pipe_all_is_told_in_even_columns():
    header, *rows = show()
    names = ["run", "name", "age", "status", "time", "test/accuracy", "test/loss"]
    # What was set is first, then what most runs have.
    assert header.split() == [*names, "optimizer.learning_rate", "seed", "same", "a.odd"]
    assert rows[0].split() == [
        "10000000",
        "cnn",
        "[red]bold[/red]",
        "[conv1]",
        "5",
        "s",
        "RUNNING",
        "0",
    ]
    assert rows[2].split()[-7:] == ["s", "0.5000", "0.2500", "0.1", "1", "[a]", "1"]
    at = header.index("seed")
    assert [row[at : at + 1] for row in rows] == ["0", "", "1", "0"]
    end = header.index("test/loss") + len("test/loss")
    assert [row[:end].split()[-1] for row in rows[2:]] == ["0.2500", "nan"]
    assert all(line == line.rstrip() for line in [header, *rows])


def test_what_a_run_chose_for_itself_is_no_column_where_another_has_it_set():
    auto = {"plan.name": "auto", "plan.jit_compile": "null", "plan.measurements": "{}"}
    pinned = {"plan.name": "loop", "plan.jit_compile": "true", "plan.measurements": "null"}
    threads = {"session.intra_op_parallelism_threads": "1"}
    tags = {"plan": "loop, XLA, 1 thread"}
    runs = [
        record(1, "a", params={**auto, "seed": "0"}, tags=tags),
        record(2, "b", params={**pinned, **threads, "seed": "1"}, tags=tags),
    ]
    assert show(listing(runs))[0].split() == ["run", "name", "age", "status", "time", "seed"]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_terminal_has_as_many_columns_as_fit(width):
    lines = show(width=width)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "accuracy" in text
    assert "cnn [red]bold[/" in text
    assert ("learning_rate" in text) is (width > 80)
    assert ("columns differ" in text) is (width < 140)
    (job,) = (line for line in lines if line.startswith("30000000"))
    assert job.startswith("30000000    mlp")


def test_columns_are_those_that_are_asked_for():
    header, *rows = show(names="train/loss, seed,tags.overrides")
    assert header.split()[-3:] == ["train/loss", "seed", "overrides"]
    assert rows[2].split()[-3:] == ["3.000", "1", "optimizer.learning_rate=0.1"]


def test_what_is_left_out_is_told():
    lines = show(listing(has_more=True, others=("wine", "text")))
    assert lines[-2:] == [
        "there are more runs: --limit 0 lists all",
        "of experiment digits; --all lists those of wine, text too",
    ]


def test_runs_of_several_experiments_name_theirs():
    header, *rows = show(listing(experiments=("digits", "wine")))
    assert header.split()[:3] == ["run", "name", "experiment"]
    assert "digits" in rows[0]


def test_csv_holds_every_run_and_what_differs():
    rows = list(csv.DictReader(io.StringIO(format_runs_csv(listing(), None))))
    assert [row["name"] for row in rows] == [run.name for run in RUNS]
    assert rows[2]["started"] == "2027-01-15T06:55:00Z"
    assert (rows[2]["seconds"], rows[0]["seconds"]) == ("200.0", "")
    assert (rows[2]["test/accuracy"], rows[1]["test/accuracy"]) == ("0.5", "")
    assert rows[2]["parent_run_id"] == RUNS[1].run_id
    chosen = csv.DictReader(io.StringIO(format_runs_csv(listing(), "seed")))
    assert list(next(chosen))[7:] == ["seed"]


def test_json_holds_all_that_is_known():
    runs = json.loads(format_runs_json(listing()))
    assert [run["run_id"] for run in runs] == [run.run_id for run in RUNS]
    assert runs[3]["metrics"] == {"test/loss": "nan", "test/accuracy": 0.125}
    assert runs[2]["params"] == RUNS[2].params
    assert runs[0]["ended"] is None
