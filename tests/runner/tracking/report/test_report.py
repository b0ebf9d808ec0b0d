"""What the page of a run tells, and that it needs nothing beside itself."""

import re
from dataclasses import replace

import numpy as np
import pytest
import yaml

from runner.data.examples import Examples
from runner.results import (
    BatchLatency,
    BenchmarkResult,
    ClassifyResult,
    DataResult,
    FaultResult,
    FetchResult,
    JobResult,
    LayersResult,
    LayerSummary,
    LearningRateResult,
    OperationTime,
    PlanResult,
    SplitResult,
    SplitSummary,
    Started,
    StepsResult,
    StopResult,
    TraceResult,
    WaitResult,
    WeightsResult,
)
from runner.sweep.summary import summarize_jobs
from runner.tasks.regress import summarize_residuals
from runner.tracking.entries import PhasesTimed, TagsAdded
from runner.tracking.tracker import Status
from tests.datalook import BALANCE
from tests.inspected import INSPECTED
from tests.runner.tracking.report.pages import start, write

HOSTILE = "<script>alert('x')</script>\"&"
DATA = DataResult(
    "digits",
    "scikit-learn 1.7",
    "0123abcd",
    None,
    {"image": {"shape": [8, 8, 1], "dtype": "float32"}},
    {"digit": {"shape": [], "dtype": "int64"}},
    {"train": SplitSummary(1234, "aaaa", {}), "test": SplitSummary(359, "bbbb", {})},
)
LAYERS = LayersResult(
    32,
    (
        LayerSummary("conv1", "Conv2D", ((None, 8, 8, 32),), 320),
        LayerSummary("logits", "Dense", ((None, 10),), 2570),
        LayerSummary("lookup", "StringLookup", ((None, 3),), 0),
    ),
    {"conv1": 1_310_720, "logits": 163_840},
    {"lookup": 2},
)


def operation(layer, is_backward, begin, microseconds, device="CPU:0"):
    name = f"{layer}/op"
    return OperationTime(name, "MatMul", layer, is_backward, device, begin, microseconds, 8, 8)


TRACE = TraceResult(
    name="train_step_3",
    chrome_trace="{}",
    operations=(
        operation("conv1", False, 0, 600),
        operation("logits", False, 100, 100),
        operation("conv1", True, 700, 200),
        operation("", False, 900, 100),
    ),
    peak_bytes={"cpu": 3 * 2**20},
    partition_graphs=(),
    top=20,
)
CLASSIFIED = ClassifyResult(
    split="test",
    output="logits",
    label="digit",
    classes=3,
    rows=np.array([10, 11, 12, 13]),
    actual=np.array([0, 1, 2, 2]),
    predicted=np.array([0, 1, 2, 1]),
    confidence=np.array([0.9, 0.8, 0.7, 0.625]),
    left_out=0,
    shown=np.array([3]),
    features={"image": np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8, 1)},
    class_names=("zero", "one", "two"),
)


def steps(count, first=1):
    losses = 2.0 / np.arange(first, first + count)
    return StepsResult(1, first, losses, {"loss": losses})


def train(epochs=4, per_epoch=40):
    yield Started(epochs, per_epoch, {"train": 1234, "validation": 0, "test": 359})
    for epoch in range(1, epochs + 1):
        step = epoch * per_epoch
        yield steps(per_epoch, step - per_epoch + 1)
        yield SplitResult("train", epoch, step, {"loss": 1 / epoch, "accuracy": 1 - 0.5 / epoch})
        yield LearningRateResult(step, 0.1 / epoch, is_reduced=epoch == 2)
        yield SplitResult("validation", epoch, step, {"loss": 2 / epoch, "accuracy": 0.5})
    yield StopResult(epochs * per_epoch, "validation/loss was not bettered", best_step=80)
    yield WaitResult(0.5, 2.0)
    yield SplitResult("test", epochs, epochs * per_epoch, {"loss": 0.123, "accuracy": 0.98765})


ALL = (
    TagsAdded({"devices": "/CPU:0"}),
    DATA,
    BALANCE,
    LAYERS,
    PlanResult("loop, 1 thread", {"step": 1500.4, "loop, 1 thread": 750.0}, {}, ()),
    TRACE,
    *train(),
    WeightsResult({"conv1.kernel": np.zeros((3, 3))}),
    CLASSIFIED,
    FetchResult(
        "test", {"outputs": np.zeros((5, 3), np.float32)}, frozenset(), {}, np.arange(5), {}, 3
    ),
    PhasesTimed({"import": 3.25, "train": 1.5}),
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def test_a_trained_run_is_told_with_its_figures(folder):
    page, figures = write(folder, start(folder), *ALL)
    assert figures == [
        "curve_accuracy.png",
        "curve_loss.png",
        "learning_rate.png",
        "timeline_train_step_3.png",
    ]
    for text in (
        "FINISHED",
        "0.9877 test accuracy",
        "0.123 test loss",
        "python -m runner rerun abc123",
        "validation/loss was not bettered",
        "best step 80",
        "logits: 3 of 4 test examples right",
        "two → one 62.5%, row 13",
        "conv1 Conv2D (batch, 8, 8, 32) 320 1.31 M 600 200 80.0%",
        "lookup StringLookup (batch, 3) 0 ?",
        "all 2,890 1.47 M+ 800 200",
        "import 3.25",
        "step 1,500",
        "At most 3 MiB in cpu",
        "Steps waited for their batches 25.0%",
        "source scikit-learn 1.7",
        "train 1,234 aaaa",
        "image feature [8, 8, 1] float32",
        "outputs test [5, 3] float32",
    ):
        assert text in page.text, text
    assert len(page.html) < 200_000


def test_the_large_figures_are_those_of_the_test(folder):
    page, _ = write(folder, start(folder), *train())
    (tiles,) = re.findall(r'<ul class="tiles".*?</ul>', page.html, re.DOTALL)
    assert re.findall(r"<b>(.*?)</b><span>(.*?)</span>", tiles) == [
        ("0.9877", "test accuracy"),
        ("0.123", "test loss"),
    ]


def test_a_run_that_said_nothing_has_a_page(folder):
    page, figures = write(folder, start(folder, params={}))
    assert figures == []
    assert page.find("section") == []
    assert "FINISHED" in page.text


def test_names_are_text_and_never_html(folder):
    hostile = replace(CLASSIFIED, output=HOSTILE, label=HOSTILE, class_names=(HOSTILE, "b", "c"))
    table = replace(hostile, features={HOSTILE: np.array([HOSTILE], object)})
    layers = replace(LAYERS, layers=(LayerSummary(HOSTILE, HOSTILE, ((None,),), 1),))
    trace = replace(TRACE, name=HOSTILE, operations=(operation(HOSTILE, False, 0, 5, HOSTILE),))
    balance = replace(BALANCE, labels=(replace(BALANCE.labels[0], classes=(HOSTILE, "1")),))
    measured = SplitResult("validation", 1, 40, {HOSTILE: 1.0})
    started = start(
        folder,
        name=HOSTILE,
        tags={"model": HOSTILE, "data": HOSTILE, "task": HOSTILE, "command": HOSTILE},
        params={f"model.layers.{HOSTILE}": HOSTILE},
        overrides=(f"tracking={HOSTILE}",),
        changes={f"model.layers.{HOSTILE}": HOSTILE},
    )
    said = (replace(DATA, source=HOSTILE), layers, balance, trace, *train(1), measured)
    page, _ = write(
        folder, started, *said, hostile, table, status=Status.FAILED, error=f"Error: {HOSTILE}"
    )
    assert page.find("script") == []
    assert "<script" not in page.html
    assert page.text.count("<script>alert") > 15


def test_a_page_needs_nothing_beside_itself(folder):
    page, _ = write(folder, start(folder), *ALL)
    assert not re.search(r"https?://|//[a-z]", page.html)
    assert not re.search(r"@import|url\((?!#)", page.html)
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    for _, attributes in page.elements:
        assert attributes.get("src", "data:").startswith("data:")
        for key in ("href", "xlink:href"):
            assert key not in attributes or attributes[key].removeprefix("#") in ids
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.elements}


def test_no_id_is_there_twice(folder):
    page, _ = write(folder, start(folder), *ALL)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r"url\(#([^)]+)\)", page.html))
    assert references <= set(ids)


def test_all_colours_are_there_in_light_and_in_dark(folder):
    page, _ = write(folder, start(folder), *ALL)
    style = re.search(r"<style>(.*?)</style>", page.html, re.DOTALL)[1]
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    assert "@media (prefers-color-scheme: dark)" in style
    names = set(re.findall(r"var\((--\w+)", page.html)) - {"--p"}
    assert names <= set(re.findall(r"(--\w+):", light))
    assert names <= set(re.findall(r"(--\w+):", dark))
    drawn = re.findall(r"<svg.*?</svg>", page.html, re.DOTALL)
    assert len(drawn) == 4
    for svg in drawn:
        assert not re.search(r"(?<!, )#[0-9a-f]{6}", svg)


def test_pictures_and_tables_can_be_read_without_seeing_them(folder):
    page, _ = write(folder, start(folder), *ALL)
    assert [one["alt"] for one in page.find("img")] == [
        "test example in row 13: digit two, predicted one"
    ]
    for svg in page.find("svg"):
        assert svg["role"] == "img"
        assert svg["aria-label"]
    assert all("scope" in one for one in page.find("th"))
    assert page.find("html") == [{"lang": "en"}]


def test_what_differs_from_the_defaults_is_marked(folder):
    tree = {"seed": 7, "model": {"layers": {"conv1": {"filters": 16, "type": "Conv2D"}}}}
    (folder / "resolved.yaml").write_text(yaml.safe_dump({"config": tree}), encoding="utf-8")
    changes = {
        "model.layers.conv1.filters": "32",
        "model.layers.conv1.strides": None,
        "model.layers.drop.rate": "0.3",
    }
    page, _ = write(folder, start(folder, changes=changes))
    assert "model.layers.conv1.filters 16 32" in page.text
    assert "model.layers.drop.rate taken away 0.3" in page.text
    assert "model.layers.conv1.filters 16 changed; default 32" in page.text
    assert "model.layers.conv1.type Conv2D" in page.text
    assert "seed 7" in page.text
    assert len([one for one in page.find("tr") if one.get("class") == "changed"]) == 6


def test_a_run_with_the_defaults_says_so(folder):
    page, _ = write(folder, start(folder))
    assert "Nothing differs from the defaults" in page.text


def test_what_a_repetition_does_otherwise_is_marked(folder):
    started = start(
        folder,
        tags={"rerun_of": "feedbeef"},
        params={"seed": "1"},
        changes={"seed": "0"},
    )
    page, _ = write(folder, started)
    assert "What differs from run feedbeef , which this one repeats. value here there" in page.text


def test_a_run_is_repeated_from_the_store_that_it_is_in(folder):
    overrides = ("rerun", "feedbeef", "seed=1", "tracking.database=/a b.db", "tracking.pictures=0")
    command = "python -m runner rerun feedbeef seed=1"
    page, _ = write(folder, start(folder, tags={"command": command}, overrides=overrides))
    assert f"python -m runner rerun abc123 'tracking.database=/a b.db' {command}" in page.text


def test_a_failed_run_tells_what_ended_it(folder):
    error = (
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in f\n'
        "    g()\n"
        "runner.engine.errors.StepError: step 7: conv2 made inf\n"
        "Lower optimizer.learning_rate.\n"
    )
    rows = tuple(
        {
            "kind": "value",
            "name": f"layer{index}",
            "shape": "3x2",
            "dtype": "float32",
            "min": -1.5,
            "mean": 0.0,
            "max": 2.0,
            "nan": 0,
            "infinite": 5 if index == 40 else 0,
        }
        for index in range(200)
    )
    fault = FaultResult("step_7", "conv2 made inf", rows, {"conv2.kernel": np.zeros(3)}, True)
    page, _ = write(folder, start(folder), fault, status=Status.FAILED, error=error)
    assert page.html.count('class="status FAILED"') == 1
    assert "What ended it StepError: step 7: conv2 made inf Lower optimizer" in page.text
    assert "value layer40 3x2 float32 −1.5 0 2 0 5" in page.text  # noqa: RUF001
    assert "layer24" not in page.text
    assert "layer25" in page.text
    assert "debug/step_7.npz" in page.text
    assert 'File "a.py"' in page.text


@pytest.mark.parametrize(("count", "drawn"), [(1, []), (2, ["curve_loss.png"])])
def test_a_single_loss_is_no_curve(folder, count, drawn):
    _, figures = write(folder, start(folder), Started(1, 40, {"train": 40}), steps(count))
    assert figures == drawn


def test_a_loss_and_one_that_is_not_finite_are_no_curve(folder):
    failed = StepsResult(1, 1, np.array([0.5, np.nan]), {})
    _, figures = write(folder, start(folder), Started(1, 40, {"train": 40}), failed)
    assert figures == []


def test_a_run_that_was_killed_is_closed_by_whoever_knows(folder):
    page, _ = write(folder, start(folder), steps(3), status=Status.KILLED, error="No word.\n")
    assert "KILLED" in page.text
    assert "What ended it No word." in page.text


def test_numbers_have_residuals(folder):
    actual = np.arange(3000, dtype=float)
    predicted = actual + np.where(actual == 42, 7.5, 0.5)
    examples = Examples({"size": actual[:, None]}, {}, rows=np.arange(3000) + 10)
    result = summarize_residuals(
        actual, predicted, examples, split="test", output="price", label="paid"
    )
    page, figures = write(folder, start(folder), result)
    assert figures == ["errors_0.png", "predicted_0.png"]
    assert "price, compared with paid" in page.text
    assert f"mean absolute error {np.abs(predicted - actual).mean():.4g}" in page.text
    assert "52 42 49.5 7.5 42" in page.text


def test_mistakes_that_are_no_pictures_are_rows(folder):
    features = {"numbers": np.array([[1.25, 2.0]]), "text": np.array(["a word"], object)}
    page, _ = write(folder, start(folder), replace(CLASSIFIED, features=features))
    assert page.find("img") == []
    assert "13 two one 62.5% 1.25 2 a word" in page.text


def test_of_many_classes_those_in_mistakes_are_shown(folder):
    classes = np.arange(100)
    predicted = classes.copy()
    predicted[77] = 3
    many = replace(
        CLASSIFIED,
        classes=100,
        rows=classes,
        actual=classes,
        predicted=predicted,
        confidence=np.ones(100),
        shown=np.array([77]),
        class_names=(),
    )
    page, _ = write(folder, start(folder), many)
    assert "of 100 classes the 2 with the most mistakes" in page.text


def test_the_balance_is_a_bar_a_class_and_split(folder):
    page, _ = write(folder, start(folder), BALANCE)
    assert "0 3 75.0% 1 50.0% 1 1 25.0% 1 50.0%" in page.text
    assert "0 to 0.5 4 100.0% 0 0.0%" in page.text


def test_a_sweep_is_a_table_of_its_jobs(folder):
    jobs = [
        JobResult(0, {"seed": "0"}, "FINISHED", {"test/loss": 1.0}, "feedbeef00"),
        JobResult(1, {"seed": "1"}, "FINISHED", {"test/loss": 3.0}, "cafe000000"),
        JobResult(2, {"seed": "2"}, "FAILED", {}, None, "ValueError: no"),
    ]
    page, _ = write(
        folder,
        start(folder, params={}, tags={"command": "python -m runner -m seed=0,1,2"}),
        summarize_jobs(jobs),
    )
    assert "python -m runner -m seed=0,1,2" in page.text
    assert "rerun" not in page.text
    assert "3 jobs 2 finished 1 failed" in page.text
    assert "2 of 3 test/loss 2" in page.text
    assert "2 2 FAILED ValueError: no" in page.text


def test_an_inspected_model_has_its_layers(folder):
    page, _ = write(folder, start(folder), INSPECTED)
    assert "18,560 parameters" in page.text
    assert "block.0.conv Conv2D (batch, 8, ?, 32) 18,560 20.1 M+" in page.text


def test_a_benchmark_has_its_latencies(folder):
    latency = BatchLatency(16, "callable", np.array([100.0, 100.0]))
    page, _ = write(folder, start(folder), BenchmarkResult((latency,)))
    assert "16 callable 100.0 100.0 100.0 160,000" in page.text


def test_a_figure_that_cannot_be_drawn_is_left_out(folder, caplog, monkeypatch):
    def fail(*arguments):
        raise ValueError("too odd")

    monkeypatch.setattr("runner.tracking.pictures.timeline.draw_timeline", fail)
    page, figures = write(folder, start(folder), *ALL)
    assert "timeline_train_step_3.png" not in figures
    assert "curve_loss.png" in figures
    assert "a figure of the report is not drawn: ValueError('too odd')" in caplog.text
    assert "conv1" in page.text


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300, 0.0])
def test_strange_metrics_are_drawn(folder, value, caplog):
    said = [
        Started(1, 1, {"train": 1}),
        StepsResult(1, 1, np.array([value, 0.5]), {}),
        SplitResult("train", 1, 1, {"loss": value}),
        LearningRateResult(1, value, is_reduced=False),
    ]
    _, figures = write(folder, start(folder), *said)
    assert figures == ["curve_loss.png"]
    assert caplog.text == ""
