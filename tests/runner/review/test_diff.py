"""In what two runs differ."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from runner.review.diff import format_diff_json, print_diff
from runner.review.differences import Difference, compare_runs
from runner.tracking.contents import RunContents
from runner.tracking.records import InputRecord, RunRecord

NOW = 1_800_000_000_000
RUN = RunRecord(
    "a" * 32,
    "cnn [red]x[/red]",
    "digits",
    "1",
    "FINISHED",
    NOW - 60_000,
    NOW,
    params={"seed": "0"},
    metrics={"test/accuracy": 0.5, "train/loss": float("nan"), "time/train_seconds": 3.0, "n": 0.0},
    tags={
        "mlflow.source.git.commit": "1" * 40,
        "git.dirty": "false",
        "host": "here",
        "version.keras": "3.15",
        "folder": "outputs/runs/1",
    },
    inputs=(InputRecord("train", "digits", '{"uri": "scikit-learn"}', "abc", '{"num_rows": 10}'),),
)
LAYERS = {
    "conv1": {"type": "Conv2D", "filters": 8},
    "pool": {"type": "MaxPooling2D"},
    "logits": {"type": "Dense", "units": 10, "kernel_initializer": {"type": "Zeros"}},
}


def contents(run=RUN, *, layers=LAYERS, patch="", requirements="", **config):
    model = {"name": "cnn", "layers": layers}
    whole = {"seed": 0, "model": model, "tracking": {"run_name": None}, **config}
    return RunContents(run, whole, patch, requirements)


def compare(second, first=None, **options):
    return compare_runs(first or contents(), second, **{"with_times": False, **options})


def show(second, *, is_terminal=False, first=None):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=80, color_system=None)
    first = first or contents()
    print_diff(first.run, second.run, compare(second, first), now_ms=NOW, console=console)
    return text.getvalue()


def test_the_same_differs_in_nothing():
    other = replace(
        RUN,
        run_id="b" * 32,
        tags={**RUN.tags, "folder": "outputs/runs/2"},
        metrics={**RUN.metrics, "time/train_seconds": 4.0},
    )
    second = contents(other, tracking={"run_name": "other"})
    assert compare(second) == {}
    assert show(second).splitlines()[-1] == "nothing differs"
    assert compare(second, with_times=True) == {
        "times": [Difference("time/train_seconds", 3.0, 4.0, 1.0, 1 / 3)]
    }


AUTO = {"name": "auto", "jit_compile": None, "measurements": {"step": [1.0]}}
PINNED = {"name": "step", "jit_compile": True, "measurements": None}
CHOSEN = replace(RUN, tags={**RUN.tags, "plan": "step, XLA, 1 thread"})
REPEATED = replace(CHOSEN, run_id="b" * 32, tags={**CHOSEN.tags, "rerun_of": RUN.run_id})


def test_a_repetition_differs_in_nothing():
    first = contents(
        CHOSEN,
        plan=AUTO,
        session={"intra_op_parallelism_threads": None},
        task={"name": "train", "stop": {"minutes": 0.5, "steps": None}},
        data={"file": "a.csv", "validation": "~/b.csv"},
    )
    second = contents(
        REPEATED,
        plan=PINNED,
        session={"intra_op_parallelism_threads": 1},
        task={"name": "train", "stop": {"minutes": None, "steps": 73}},
        data={"file": "~/here/a.csv", "validation": "~/b.csv"},
    )
    first, second = replace(first, folder="~/here"), replace(second, folder="/elsewhere")
    assert compare(second, first) == {}
    assert compare(first, second) == {}


def test_what_a_repetition_does_otherwise_is_told():
    stop = {"minutes": None, "steps": 73}
    first = contents(CHOSEN, task={"name": "train", "stop": {**stop, "minutes": 0.5}}, plan=AUTO)
    tags = {**REPEATED.tags, "overrides": "task.stop.steps=9", "plan": "loop"}
    second = contents(
        replace(REPEATED, tags=tags),
        task={"name": "train", "stop": {**stop, "steps": 9}},
        plan={**PINNED, "name": "loop"},
    )
    assert compare(second, first) == {
        "configuration": [
            Difference("task.stop.minutes", "0.5", "null"),
            Difference("task.stop.steps", "73", "9"),
            Difference("session.intra_op_parallelism_threads", "1", None),
        ],
        "host": [Difference("plan", "step, XLA, 1 thread", "loop")],
    }


def test_predictions_of_a_repetition_are_in_a_folder_of_their_own():
    tasks = ({"name": "predict", "file": file} for file in ("p.csv", "/runs/2/p.csv"))
    first, second = (
        contents(run, task=task) for run, task in zip((CHOSEN, REPEATED), tasks, strict=True)
    )
    assert compare(second, first) == {}


def test_layers_are_added_removed_and_changed():
    layers = {
        "logits": {**LAYERS["logits"], "units": 5, "kernel_initializer": {"type": "Ones"}},
        "conv1": LAYERS["conv1"],
        "drop": {"type": "Dropout", "rate": 0.5},
    }
    assert compare(contents(layers=layers, optimizer={"rates": [1, None]}))["configuration"] == [
        Difference("model.layers.pool", "{type: MaxPooling2D}", None),
        Difference("model.layers.drop", None, "{type: Dropout, rate: 0.5}"),
        Difference("order of layers", "conv1, logits", "logits, conv1"),
        Difference("model.layers.logits.units", "10", "5"),
        Difference("model.layers.logits.kernel_initializer.type", "Zeros", "Ones"),
        Difference("optimizer.rates", None, "[1, null]"),
    ]


def test_code_environment_data_host_status_and_metrics_are_compared():
    other = replace(
        RUN,
        status="FAILED",
        metrics={"test/accuracy": 0.75, "train/loss": float("nan"), "n": 2.0, "more": 1.0},
        tags={
            **RUN.tags,
            "mlflow.source.git.commit": "2" * 40,
            "data.digest": "d2",
            "data.source_digest": "s2",
            "host": "there",
            "version.keras": "3.16",
        },
        inputs=(
            InputRecord("train", "digits", '{"uri": "scikit-learn"}', "abd", '{"num_rows": 11}'),
        ),
    )
    assert compare(contents(other)) == {
        "status": [Difference("status", "FINISHED", "FAILED")],
        "code": [Difference("commit", "1" * 40, "2" * 40)],
        "environment": [Difference("keras", "3.15", "3.16")],
        "data": [
            Difference("digest of the file", None, "s2"),
            Difference("digest of all", None, "d2"),
            Difference("train digest", "abc", "abd"),
            Difference("train rows", 10, 11),
        ],
        "host": [Difference("host", "here", "there")],
        "metrics": [
            Difference("more", None, 1.0),
            Difference("n", 0.0, 2.0, 2.0, None),
            Difference("test/accuracy", 0.5, 0.75, 0.25, 0.5),
        ],
    }


def test_all_packages_are_compared_where_both_runs_list_them():
    first = contents(requirements="# pins\nSciPy==1.0\nrich==14 ; python_version > '3'\n")
    second = contents(requirements="scipy==1.1\nrich==14 ; python_version > '3'\nnew==2\n")
    assert compare(second, first)["environment"] == [
        Difference("scipy", "1.0", "1.1"),
        Difference("new", None, "2"),
    ]
    assert compare(contents(), first) == {}


def test_a_run_without_a_configuration_is_compared_by_its_params():
    first, second = (
        RunContents(replace(RUN, params=params), None, "", "")
        for params in ({"seed": "0", "tracking.x": "1"}, {"seed": "1"})
    )
    assert compare(second, first) == {"configuration": [Difference("seed", "0", "1")]}
    sweep = RunContents(replace(RUN, params={}), None, "", "")
    assert compare(sweep) == {"configuration": [Difference("all of it", "1 values", None)]}


def test_sections_are_tables_and_names_are_no_markup():
    other = replace(RUN, name="mlp [blue]", status="KILLED", metrics={"test/accuracy": 0.75})
    lines = show(contents(other, feeds={"[red]a": "[b]"})).splitlines()
    assert lines[:3] == [
        "   run       status    age    name",
        "A  aaaaaaaa  FINISHED  1 min  cnn [red]x[/red]",
        "B  aaaaaaaa  KILLED    1 min  mlp [blue]",
    ]
    assert "feeds.[red]a  -  [b]" in lines
    (row,) = (line for line in lines if line.startswith("test/accuracy"))
    assert row.split() == ["test/accuracy", "0.5", "0.75", "+0.25", "+50.00%"]


def test_a_long_text_is_shown_as_a_unified_diff():
    second = contents(patch="one\ntwo [red]\n")
    for is_terminal in (False, True):
        shown = show(second, is_terminal=is_terminal, first=contents(patch="one\nthree\n"))
        wanted = "code\n--- A diff\n+++ B diff\n@@ -1,2 +1,2 @@\n one\n-three\n+two [red]\n"
        assert shown.endswith(wanted)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_holds_the_runs_and_the_differences(value):
    second = contents(replace(RUN, run_id="b" * 32, metrics={**RUN.metrics, "n": value}))
    told = json.loads(format_diff_json(RUN, second.run, compare(second)))
    assert (told["first"]["run_id"], told["second"]["run_id"]) == ("a" * 32, "b" * 32)
    (difference,) = told["differences"]["metrics"]
    assert (difference["name"], difference["first"], difference["second"]) == ("n", 0, str(value))
