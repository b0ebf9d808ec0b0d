"""What a person sees, on a terminal and elsewhere."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from models.problems import Problem
from runner.console import Reporter, format_bytes, format_count
from runner.results import (
    BalanceResult,
    DataResult,
    ExamplesResult,
    FetchResult,
    LabelBalance,
    LayerSummary,
    LearningRateResult,
    LoadedWeight,
    PlanResult,
    PredictionsWritten,
    PretrainedResult,
    SplitResult,
    Started,
    StepsResult,
    TensorSummary,
)
from tests.inspected import INSPECTED

LAYERS = (
    LayerSummary("conv1", "Conv2D", ((None, 8, 8, 32),), 320),
    LayerSummary("steps", "LSTM", ((None, None, 3),), 1200),
)
RESULTS = (
    DataResult("digits", "here", "ab", None, {}, {}, {}, class_weight={0: 0.75, 1: 1.5}),
    PlanResult("loop, 1 thread", {"step": 1204.2, "loop, 1 thread": 933.1}, {}, ()),
    Started(epochs=1, steps_per_epoch=10, examples={"train": 320, "validation": 0, "test": 8}),
    StepsResult(
        epoch=1,
        first_step=1,
        losses=np.full(10, 0.5),
        running={"loss": np.full(10, 0.25), "accuracy": np.full(10, 0.875)},
    ),
    LearningRateResult(8, 0.01, is_reduced=True),
    LearningRateResult(10, 0.01, is_reduced=False),
    LearningRateResult(10, 0.001, is_reduced=True),
    SplitResult("train", 1, 10, {"loss": 0.125, "accuracy": 0.9375}),
    SplitResult("validation", 1, 10, {"loss": 0.75, "accuracy": 0.625}),
    SplitResult("test", 1, 10, {"loss": 0.03892, "accuracy": 0.98607}),
    FetchResult(
        split="test",
        fetched={"outputs": np.zeros((8, 10)), "loss": np.float32(0.25), "assign": None},
        batched=frozenset(["outputs"]),
        structure={},
        rows=np.arange(8),
        labels={},
        classes=10,
    ),
)


def show(*, is_terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=120, color_system=None)
    with Reporter(["python", "-m", "runner", "ui"], console) as reporter:
        reporter.show_layers(LAYERS)
        for result in RESULTS:
            reporter.show_result(result)
        reporter.show_end("1234", {"import": 4.06, "train": 2.0, "data": 0.001})
    return text.getvalue()


END = """\
weights  of classes: 0 0.75  1 1.5
plan     loop, 1 thread; measured a step: step 1,204 us, loop, 1 thread 933 us
test     loss 0.03892  accuracy 0.9861
fetched  outputs (8, 10), loss 0.25, assign (run) of 8 test examples
plateau  learning rate 0.001, reduced 2 times, last after step 10
time     import 4.1 s  train 2.0 s
run      1234
open     python -m runner ui --run 1234
"""


def test_elsewhere_only_the_end_is_shown():
    assert show(is_terminal=False) == END


def test_a_terminal_shows_the_layer_table_and_a_bar():
    shown = show(is_terminal=True)
    lines = [line.split() for line in shown.splitlines()]
    assert ["layer", "type", "output", "shape", "parameters"] in lines
    assert ["conv1", "Conv2D", "(batch,", "8,", "8,", "32)", "320"] in lines
    assert ["steps", "LSTM", "(batch,", "?,", "3)", "1,200"] in lines
    assert ["total", "1,520"] in lines
    assert "epoch 1/1" in shown
    assert "10/10" in shown
    assert "loss 0.125  accuracy 0.9375  validation loss 0.75  accuracy 0.625" in shown
    assert shown.endswith(END)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_warnings_are_shown_at_once_everywhere_and_logged(caplog, is_terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=40, color_system=None)
    with Reporter(["ui"], console) as reporter:
        reporter.show_warnings([Problem("session.a[1]", "has no effect: it is so.")])
        logging.getLogger("runner.tracking.courier").warning("the data has changed")
    logging.getLogger("runner.tracking.courier").warning("after the run")
    assert text.getvalue() == (
        "warning  session.a[1]: has no effect: it is so.\nwarning  the data has changed\n"
    )
    assert caplog.messages[0] == "session.a[1]: has no effect: it is so."


def test_the_end_without_tracking_names_no_run():
    text = io.StringIO()
    Reporter(["ui"], Console(file=text)).show_end(None, {"build": 1.0})
    assert text.getvalue() == "time     build 1.0 s\n"


def test_the_log_has_layers_and_epochs(caplog):
    with caplog.at_level("INFO"):
        show(is_terminal=False)
    assert "layer conv1 Conv2D (batch, 8, 8, 32) 320" in caplog.messages
    assert "epoch 1 validation loss 0.75  accuracy 0.625" in caplog.messages
    assert "run      1234" in caplog.messages


def test_the_bar_is_gone_when_a_run_breaks_off():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120, color_system=None)

    def break_off():
        with Reporter(["ui"], console) as reporter:
            reporter.show_result(RESULTS[2])
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        break_off()
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert text.getvalue().count(hidden) == text.getvalue().count(shown) == 1


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_costs_are_shown_everywhere_and_a_lower_bound_is_marked(is_terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=120, color_system=None)
    reporter = Reporter(["ui"], console)
    reporter.show_result(INSPECTED)
    reporter.show_end(None, {"build": 1.0})
    lines = [line.split() for line in text.getvalue().splitlines()]
    header = "layer type output shape trained frozen FLOPs activations parameters"
    assert lines[0] == header.split()
    costs = ["18,496", "64", "20.1", "M+", "256", "KiB", "72.5", "KiB"]
    assert lines[1] == ["block.0.conv", "Conv2D", "(batch,", "8,", "?,", "32)", *costs]
    assert lines[2] == ["total", *costs]
    assert text.getvalue().endswith(
        "flops    20.1 M+ a batch of 32, a multiply-add counted as 2\n"
        "memory   256 KiB of activations  72.5 KiB of 18,560 parameters\n"
        "unknown  2 ResizeBicubic: + marks sums without them\n"
        "time     build 1.0 s\n"
    )


BALANCE = BalanceResult(
    {"train": 1258, "test": 359},
    (
        LabelBalance(
            "digit",
            ("odd", "even"),
            np.empty(0),
            {"train": np.array([1000, 258]), "test": np.array([300, 59])},
        ),
        LabelBalance(
            "size", (), np.array([0.0, 1.0]), {"train": np.array([1258]), "test": np.array([359])}
        ),
    ),
)
EXAMPLES = ExamplesResult(
    (
        TensorSummary("image", False, (8, None, 1), "float32", None, 0.0, 0.30517, 1.0, 3),
        TensorSummary("text", False, (), "string", None, np.nan, np.nan, np.nan, 0),
        TensorSummary("digit", True, (), "int64", 2, 0.0, 0.5, 1.0, 0),
    ),
    sampled=1000,
    total=1258,
    rows=np.arange(0),
    features={},
    labels={},
)
DATA = """\
data   is                shape      dtype    min    mean  max
image  feature           (8, ?, 1)  float32    0  0.3052    1
text   feature           ()         string
digit  label, 2 classes  ()         int64

digit     train  test
odd       1,000   300
even        258    59
examples  1,258   359

size      train  test
examples  1,258   359

sampled  min, mean and max are of 1,000 of 1,258 train rows
data     image: 3 values are not finite
time     data 1.0 s
"""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_data_that_were_asked_for_are_shown_everywhere(is_terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=120, color_system=None)
    reporter = Reporter(["ui"], console)
    reporter.show_result(EXAMPLES)
    reporter.show_result(BALANCE)
    reporter.show_end(None, {"data": 1.0})
    assert [line.rstrip() for line in text.getvalue().splitlines()] == DATA.splitlines()


def test_of_many_classes_the_rarest_and_the_most_frequent_are_shown():
    counts = np.random.default_rng(0).permutation(100) + 1
    label = LabelBalance("breed", tuple(f"c{n}" for n in counts), np.empty(0), {"train": counts})
    text = io.StringIO()
    Reporter(["ui"], Console(file=text)).show_result(BalanceResult({"train": 5050}, (label,)))
    shown = [int(line.split()[1]) for line in text.getvalue().splitlines()[1:21]]
    assert shown == [*range(1, 11), *range(91, 101)]


def test_a_narrow_terminal_shows_the_whole_of_each_name_and_number():
    text = io.StringIO()
    Reporter(["ui"], Console(file=text, force_terminal=True, width=80)).show_result(INSPECTED)
    assert "…" not in text.getvalue()
    assert "18,496" in text.getvalue()


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1 k"), (20_054_016, "20.1 M"), (7_764_381_168, "7.76 G")],
)
def test_counts_are_read_to_three_digits(count, text):
    assert format_count(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(512, "512 B"), (1280, "1.25 KiB"), (1_040_000, "0.992 MiB"), (2**33, "8 GiB")],
)
def test_bytes_are_read_to_three_digits(count, text):
    assert format_bytes(count) == text


def test_what_was_loaded_measured_and_written_is_shown():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, color_system=None)
    weights = (
        LoadedWeight("conv1.kernel", (3, 3, 1, 32), "float32", ""),
        LoadedWeight("logits.bias", (10,), "float32", "(3) float32 in the source"),
    )
    others = (LoadedWeight("head.bias", (3,), "float32", "the model has no such weight"),)
    with Reporter(["ui"], console) as reporter:
        reporter.show_result(PretrainedResult("a.keras", weights, others))
        reporter.show_result(SplitResult("all", 0, 0, {"loss": 0.5}))
        reporter.show_result(PredictionsWritten(Path("/tmp/p.csv"), 7, ("row", "class")))
        reporter.show_end(None, {})
    assert [line.rstrip() for line in text.getvalue().splitlines()] == [
        "weight        shape     loaded",
        "conv1.kernel  3x3x1x32  yes",
        "logits.bias   10        no: (3) float32 in the source",
        "head.bias     3         no: the model has no such weight",
        "",
        "loaded   1 of 2 weights from a.keras; 1 of its weights are not used",
        "all      loss 0.5",
        "written  row, class of 7 examples to /tmp/p.csv",
        "time",
    ]
