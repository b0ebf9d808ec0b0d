"""Runs one after another in one process: each leaves nothing behind."""

import gc
import io
import weakref

import pytest
from rich.console import Console

import runner.engine.session
import runner.experiment
from runner.clock import PhaseClock
from runner.console import Reporter
from runner.engine.graph import build_graph
from runner.experiment import run_experiment
from runner.results import DataResult, FetchResult, SplitResult
from runner.tasks.adapt import adapt
from runner.tracking.entries import TagsAdded
from runner.tracking.memory import MemoryTracker
from runner.tracking.tracker import RunContext, Status


@pytest.mark.parametrize(
    "overrides",
    [
        ["plan.name=step", "task.epochs=1"],
        ["plan.name=loop", "task.epochs=1"],
        ["plan.name=pipeline", "task.epochs=1"],
        ["plan.name=auto", "task.epochs=200"],
        ["task=forward"],
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_run_frees_its_graph_and_its_session(compose, tmp_path, monkeypatch, overrides):
    config = compose("model=mlp", "data.batch_size=256", *overrides)
    graphs, sessions = [], []

    def build(*arguments):
        graph = build_graph(*arguments)
        graphs.append(weakref.ref(graph.graph))
        return graph

    def note_session(*arguments):
        opened = runner.engine.session.open_session(*arguments)
        sessions.append(weakref.ref(opened))
        return opened

    monkeypatch.setattr(runner.experiment, "build_graph", build)
    monkeypatch.setattr(runner.experiment, "open_session", note_session)
    for _ in range(2):
        reporter = Reporter([], Console(file=io.StringIO()))
        run_experiment(config, RunContext([], tmp_path), reporter, PhaseClock())
    gc.collect()
    assert len(graphs) == len(sessions) == 2
    assert [reference() for reference in (*graphs, *sessions)] == [None] * 4


def test_a_run_can_be_had_in_memory(compose, tmp_path):
    config = compose("model=mlp", "task.epochs=2", "trace.steps=null")
    tracker = MemoryTracker()
    reporter = Reporter([], Console(file=io.StringIO()))
    context = RunContext([], tmp_path)
    outcome = run_experiment(config, context, reporter, PhaseClock(), tracker=tracker)
    assert tracker.status is Status.FINISHED
    assert tracker.tags["devices"] == "/CPU:0"
    assert isinstance(tracker.entries[0], TagsAdded)
    assert isinstance(tracker.list_results(object)[0], DataResult)
    results = tracker.list_results(SplitResult)
    splits = [(result.split, result.epoch) for result in results if result.split != "test"]
    assert splits == [(split, epoch) for epoch in (1, 2) for split in ("train", "validation")]
    (test,) = (result for result in results if result.split == "test")
    assert outcome.run_id is None
    assert outcome.metrics["test/loss"] == test.metrics["loss"]
    assert not list(tmp_path.iterdir())


def test_workers_weigh_classes_and_adapt_to_all_that_any_of_them_trains_on(compose):
    found = []
    for overrides in ([], ["data.shards=3"], ["data.shards=3", "data.shard=2"]):
        given = ["data.class_weight=balanced", "data.preprocess.numbers.norm.type=Normalization"]
        config, splits, trained, _ = runner.experiment._read_data(
            compose("model=tabular", "data=wine", *given, *overrides)
        )
        adapted = adapt(config, trained).data.preprocess["numbers"]["norm"]
        found.append((config.data.class_weight, adapted))
        assert len(splits["train"]) == 124 // config.data.shards
        assert len(trained) == 124
    assert found[0] == found[1] == found[2]


def test_a_model_of_one_size_of_batch_is_fed_as_many_examples(compose, tmp_path):
    config = compose("experiment=subclassed")
    reporter = Reporter([], Console(file=io.StringIO()))
    results = []
    reporter.show_result = results.append
    run_experiment(config, RunContext([], tmp_path), reporter, PhaseClock())
    (fetched,) = [result for result in results if isinstance(result, FetchResult)]
    assert fetched.fetched["outputs"].shape == (1, 2, 2)
