"""A small real sample of each form goes through training and evaluation, in this process."""

import io

import numpy as np
import pytest
from rich.console import Console

from runner.clock import PhaseClock
from runner.console import Reporter
from runner.experiment import run_experiment
from runner.results import ClassifyResult, SplitResult
from runner.tracking.memory import MemoryTracker
from runner.tracking.tracker import RunContext
from runner.validation import validate
from tests.keras_cache import fill_cache

DIGITS = ["model=mlp", "task.epochs=15", "data.split.test=0.3", "data.batch_size=8"]
ONE_HOT = [
    "data.label_format=one_hot",
    "model.loss={type:CategoricalCrossentropy,from_logits:true}",
    "model.metrics={accuracy:{type:CategoricalAccuracy}}",
]
FAST = "optimizer.learning_rate=3e-3"

# What is run, and the least accuracy: about what scikit-learn's logistic regression reaches less a
# tenth; of a forecast, the largest mean absolute error, a third of the standard deviation.
SAMPLES = {
    "folders of pictures": ([*DIGITS, "data=images", "data.file=tests/samples/digits"], 0.75),
    "arrays": (
        [*DIGITS, "data=arrays", "data.file=tests/samples/digits.npz", "data.targets=[digit]"],
        0.75,
    ),
    "a table": (
        [
            "model=tabular",
            "task.epochs=15",
            "data=table",
            "data.file=tests/samples/wine.csv",
            "data.targets=[cultivar]",
        ],
        0.85,
    ),
    "one-hot labels": (["model=tabular", "data=iris", "task.epochs=20", *ONE_HOT], 0.8),
    "text": (
        [
            "model=letters",
            "data=text",
            "data.file=tests/samples/irises",
            "data.batch_size=8",
            FAST,
        ],
        0.8,
    ),
    "sequences": (["model=sequence", "data=sequences", "task.epochs=10", FAST], 0.85),
    "classes": (["model=tabular", "data=synthetic", "task.epochs=10"], 0.75),
    "a source of one's own": (
        [
            "model=tabular",
            "data=own",
            "data.source.class=tests.samples.own.read_flowers",
            "data.source.examples=300",
            "trusted_modules=[tests.samples]",
            "task.epochs=5",
        ],
        0.95,
    ),
    "a series": (
        [
            "model=forecast",
            "data=series",
            "data.file=tests/samples/waves.csv",
            "data.targets=[level]",
            "task.epochs=10",
        ],
        -0.25,
    ),
}


@pytest.fixture
def run(compose, tmp_path):
    def run_overrides(*overrides):
        tracker = MemoryTracker()
        config = compose("trace.steps=null", *overrides)
        validate(config)
        reporter = Reporter([], Console(file=io.StringIO()))
        context = RunContext([], tmp_path)
        run_experiment(config, context, reporter, PhaseClock(), tracker=tracker)
        return config, tracker

    return run_overrides


@pytest.mark.parametrize("form", SAMPLES)
def test_a_sample_is_trained_on_and_evaluated(run, form):
    overrides, bar = SAMPLES[form]
    config, tracker = run(*overrides)
    metrics = {result.split: result.metrics for result in tracker.list_results(SplitResult)}["test"]
    if bar < 0:
        assert metrics["mean_absolute_error"] < -bar
        return
    assert metrics["accuracy"] >= bar
    (classified,) = tracker.list_results(ClassifyResult)
    assert classified.class_names == tuple(config.data.class_names)
    assert np.mean(classified.actual == classified.predicted) == pytest.approx(
        metrics["accuracy"], abs=1e-6
    )


def test_a_set_of_keras_is_trained_on_and_its_published_test_evaluated(run, monkeypatch, tmp_path):
    fill_cache(monkeypatch, tmp_path / "keras")
    _, tracker = run("model=tokens", "data=imdb", "task.epochs=1", "data.pad.tokens.length=8")
    (classified,) = tracker.list_results(ClassifyResult)
    assert sorted(classified.rows) == list(range(40, 60))
    assert classified.class_names == ("negative", "positive")


def test_several_targets_are_one_vector_of_yes_and_no(run, tmp_path):
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 2))
    lines = [f"{a:.4f},{b:.4f},{int(a > 0)},{int(b > 0)}" for a, b in x]
    file = tmp_path / "signs.csv"
    file.write_text("\n".join(["a,b,right,above", *lines]), encoding="utf-8")
    config, tracker = run(
        "model=tabular",
        "data=table",
        f"data.file={file}",
        "data.targets=[right,above]",
        "data.columns={right:{label:place},above:{label:place}}",
        "model.layers.logits.units=${data.labels.place.shape[0]}",
        "model.loss={type:BinaryCrossentropy,from_logits:true}",
        "model.metrics={accuracy:{type:BinaryAccuracy,threshold:0.0}}",
        "task.epochs=15",
    )
    assert (config.data.labels["place"].shape, config.data.classes) == ([2], None)
    metrics = {result.split: result.metrics for result in tracker.list_results(SplitResult)}["test"]
    assert metrics["accuracy"] > 0.9
