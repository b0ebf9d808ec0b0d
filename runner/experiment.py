"""One run, from a valid configuration to its true status."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from models.preprocessing import needs_adapting
from runner.clock import PhaseClock
from runner.config import (
    WEIGHT_FILES,
    BenchmarkConfig,
    EvaluateConfig,
    ExperimentConfig,
    ForwardConfig,
    InspectConfig,
    PredictConfig,
    StoreTrackingConfig,
    TrainConfig,
)
from runner.console import Reporter
from runner.data.balance import measure_balance
from runner.data.digests import digest_inputs
from runner.data.examples import Dataset, Examples
from runner.data.provenance import describe_data
from runner.data.reading import read_examples
from runner.data.splits import choose_splits, split_examples
from runner.data.weighing import resolve_class_weight
from runner.engine.errors import StepError
from runner.engine.feeds import Placeholder, fit_feeds
from runner.engine.graph import ExperimentGraph, build_graph
from runner.engine.inspection import count_layers
from runner.engine.pretrained import load_pretrained, require_fit
from runner.engine.process import open_process
from runner.engine.session import GraphSession, open_session
from runner.example_weights import BALANCED
from runner.feeds import read_feeds
from runner.preprocessing import stand_in_statistics
from runner.resolved import FILE as RESOLVED_FILE
from runner.resolved import settle_statistics
from runner.results import (
    ClassifyResult,
    DataResult,
    FaultResult,
    FetchResult,
    Metrics,
    ModelResult,
    PredictionsResult,
    PreprocessResult,
    RegressResult,
    Result,
    RunOutcome,
    SplitResult,
)
from runner.saving import save_model
from runner.signals import hold_signals
from runner.tasks.adapt import adapt
from runner.tasks.benchmark import benchmark
from runner.tasks.evaluate import evaluate
from runner.tasks.forward import forward
from runner.tasks.inspect import inspect
from runner.tasks.predict import predict
from runner.tasks.train import train
from runner.tasks.watch import NotFiniteError
from runner.tracking.courier import name_run, start_run, tag_run
from runner.tracking.faults import save_fault
from runner.tracking.folder import FolderTracker
from runner.tracking.runs import read_run
from runner.tracking.tracker import RunContext, Tracker, closing

_SOURCE = Path(__file__).parent
_PREDICTIONS = "predictions.csv"


def run_experiment(
    config: ExperimentConfig,
    context: RunContext,
    reporter: Reporter,
    clock: PhaseClock,
    *,
    tracker: Tracker | None = None,
) -> RunOutcome:
    """Runs what `config` declares, logs it, shows it and returns what remains of it.

    Args:
        config: A configuration in which ``validate`` found nothing.
        context: How the run came to be.
        reporter: Shows the run to the person who started it.
        clock: Takes the wall time of each phase.
        tracker: Where the run is logged, in place of the configured store, as in a
            ``MemoryTracker``.

    Raises:
        ConfigError: If the data, Keras, the Session or the store refuse the configuration; no run
            is logged then.
        StepError: If a step fails in the Session, or a value is not finite; the run is logged as
            FAILED.
    """
    if isinstance(config.task, InspectConfig | BenchmarkConfig):
        return _look_at_model(config, config.task, context, reporter, clock, tracker)
    with ExitStack() as stack:
        with clock.phase("session"):
            reporter.show_warnings(open_process(config.session))
        with clock.phase("data"):
            config, splits, trained, described = _read_data(config)
            files = digest_inputs(config)
            if context.witness is not None:
                context.witness.look_at_data(described, files)
            feeds = read_feeds(config.feeds)
        with clock.phase("adapt"):
            config = config if trained is None else adapt(config, trained)
        with clock.phase("build"):
            graph = build_graph(config, feeds)
            graph, loaded = _load_weights(config, graph, context)
            if isinstance(config.task, ForwardConfig):
                # A model of one size of batch takes no others.
                first = slice(config.task.examples)
                splits = {name: examples.take(first) for name, examples in splits.items()}
            splits = _fit_splits(splits, graph)
        with clock.phase("session"):
            session = stack.enter_context(open_session(graph, config.session))
        with clock.phase("log"), hold_signals():
            tracker = stack.enter_context(closing(_open_tracker(config, context, tracker)))
            tracker.log_tags({"devices": ", ".join(session.devices), **files})
            tracker.log_result(described)
            if isinstance(config.task, TrainConfig):
                tracker.log_result(measure_balance(described, Dataset(**splits)))
            if config.tracking.report:
                tracker.log_result(count_layers(graph, config.data.batch_size))
            if config.data.preprocess:
                tracker.log_result(PreprocessResult(config.data.preprocess))
        reporter.show_result(described)
        reporter.show_layers(graph.layers)
        results: Iterator[Result] = chain(loaded, _run_task(config, graph, session, splits))
        if isinstance(config.task, TrainConfig) and config.tracking.model:
            results = save_model(results, config, context.output_dir)
        results = _timed(results, clock)
        if isinstance(config.task, PredictConfig):
            results = _write_predictions(results, config.task, context)
        try:
            metrics = _log_results(results, tracker, reporter, clock)
        except NotFiniteError as error:
            with clock.phase("log"):
                tracker.log_result(error.fault)
            raise StepError(f"{error}\n{_save_fault(error.fault, context)}") from error
    reporter.show_end(tracker.run_id, clock.seconds)
    return RunOutcome(tracker.run_id, metrics)


def _read_data(
    config: ExperimentConfig,
) -> tuple[ExperimentConfig, dict[str, Examples], Examples | None, DataResult]:
    """Returns `config` with the weights of classes, what the task takes, and what is logged of it.

    Third come the training examples of all shards, so that what is counted of them and adapted to
    them is the same for all workers; None where neither the task nor preprocessing needs them.
    """
    examples = read_examples(config.data, config.model.inputs, config.seed)
    splits = choose_splits(config, examples)
    trained = splits.get("train")
    adapts = needs_adapting(config.model)
    counts = trained is not None and config.data.class_weight == BALANCED
    if (adapts and trained is None) or ((adapts or counts) and config.data.shards > 1):
        whole = replace(config.data, shards=1, shard=0)
        trained = split_examples(examples, whole, config.seed).train
    if isinstance(config.task, TrainConfig | InspectConfig) and trained is not None:
        config = resolve_class_weight(config, trained)
    described = describe_data(config.data, config.seed, examples, splits)
    return config, splits, trained, described


def _look_at_model(
    config: ExperimentConfig,
    task: InspectConfig | BenchmarkConfig,
    context: RunContext,
    reporter: Reporter,
    clock: PhaseClock,
    tracker: Tracker | None,
) -> RunOutcome:
    """Tells of a model what takes no Session of its own: its parts, or how fast it answers."""
    results: list[Result] = []
    config = stand_in_statistics(config)
    if isinstance(task, InspectConfig):
        with clock.phase("data"):
            config, splits, _, described = _read_data(config)
        with clock.phase("build"):
            results += inspect(config, task, Dataset(**splits), described)
    else:
        with clock.phase("session"):
            reporter.show_warnings(open_process(config.session))
        with clock.phase("benchmark"):
            results += benchmark(config, task)
    with ExitStack() as stack:
        with clock.phase("log"), hold_signals():
            tracker = stack.enter_context(closing(_open_tracker(config, context, tracker)))
        metrics = _log_results(results, tracker, reporter, clock)
    reporter.show_end(tracker.run_id, clock.seconds)
    return RunOutcome(tracker.run_id, metrics)


def _log_results(
    results: Iterable[Result], tracker: Tracker, reporter: Reporter, clock: PhaseClock
) -> Metrics:
    """Logs and shows `results`, and returns the last metrics over each split."""
    metrics: dict[str, float] = {}
    for result in results:
        with clock.phase("log"):
            tracker.log_result(result)
        reporter.show_result(result)
        if isinstance(result, SplitResult):
            metrics |= {f"{result.split}/{name}": value for name, value in result.metrics.items()}
    with clock.phase("log"):
        tracker.log_seconds(clock.seconds)
    return metrics


def _save_fault(fault: FaultResult, context: RunContext) -> str:
    """Writes what a step can be replayed with, and returns how."""
    file = save_fault(fault, context.output_dir / "debug")
    kept = [text for text in context.overrides if not text.startswith(("task", "feeds"))]
    training = ["task.training=true"] if fault.is_training else []
    command = ["python -m runner", *context.verb, *kept, "task=forward", *training, f"feeds={file}"]
    return f"The batch and the weights are saved; replay it with\n    {' '.join(command)}"


def _open_tracker(
    config: ExperimentConfig, context: RunContext, tracker: Tracker | None
) -> Tracker:
    """Returns the run's tracker, which is `tracker` where it is given."""
    if context.resolved:
        text = settle_statistics(context.resolved, config)
        (context.output_dir / RESOLVED_FILE).write_text(text, encoding="utf-8")
    if tracker is None:
        tracker = _start_tracker(config, context)
    return tracker if context.witness is None else context.witness.follow(tracker)


def _start_tracker(config: ExperimentConfig, context: RunContext) -> Tracker:
    if isinstance(config.tracking, StoreTrackingConfig):
        return start_run(config, config.tracking, context, _SOURCE)
    name = name_run(config, context.overrides)
    return FolderTracker(context.output_dir, name, tag_run(config, context, _SOURCE))


def _load_weights(
    config: ExperimentConfig, graph: ExperimentGraph, context: RunContext
) -> tuple[ExperimentGraph, list[Result]]:
    """Returns `graph` with the weights of an earlier run or of a file, and what was loaded."""
    if config.from_run is not None:
        graph = graph.with_weights(require_fit(graph.model, context.weights))
    source = config.pretrained.source
    if source is None:
        return graph, []
    pretrained = config.pretrained
    run: Mapping[str, np.ndarray] = {}
    if not source.endswith(WEIGHT_FILES):
        logged = read_run(config.tracking, source, "pretrained.source")
        pretrained, run = replace(pretrained, source=logged.run), logged.weights
    values, result = load_pretrained(pretrained, graph.model, run)
    return graph.with_weights(values), [result]


def _run_task(
    config: ExperimentConfig,
    graph: ExperimentGraph,
    session: GraphSession,
    splits: Mapping[str, Examples],
) -> Iterator[Result]:
    match config.task:
        case TrainConfig() as task:
            return train(config, task, graph, session, Dataset(**splits))
        case EvaluateConfig() as task:
            return evaluate(config, task, graph, session, splits)
        case PredictConfig() as task:
            return predict(config, graph, session, splits[task.split])
        case ForwardConfig() as task:
            return forward(config, task, graph, session, Dataset(**splits))
    raise TypeError(f"no task runs a {type(config.task).__name__}")


def _write_predictions(
    results: Iterable[Result], task: PredictConfig, context: RunContext
) -> Iterator[Result]:
    # This imports Arrow.
    from runner.predictions import write_predictions

    file = context.output_dir / _PREDICTIONS if task.file is None else Path(task.file).resolve()
    return write_predictions(results, file)


def _timed(results: Iterator[Result], clock: PhaseClock) -> Iterator[Result]:
    """Yields `results`, and adds the time each took to come to the phase it belongs to."""
    pending = 0.0
    while True:
        start = time.perf_counter()
        result = next(results, None)
        pending += time.perf_counter() - start
        if result is None:
            return
        match result:
            case SplitResult():
                clock.add(result.split, pending)
            case FetchResult() | ClassifyResult() | RegressResult():
                clock.add("fetch", pending)
            case PredictionsResult():
                clock.add("predict", pending)
            case ModelResult():
                clock.add("model", pending)
            case _:
                yield result
                continue
        pending = 0.0
        yield result


def _fit_splits(splits: Mapping[str, Examples], graph: ExperimentGraph) -> dict[str, Examples]:
    """Returns `splits` in the dtypes of the graph's placeholders, and with nothing else in them."""

    def unfed(placeholders: Mapping[str, Placeholder]) -> dict[str, Placeholder]:
        return {name: one for name, one in placeholders.items() if name not in graph.fed}

    def fit(examples: Examples) -> Examples:
        given = {**examples.features, **examples.labels}
        return Examples(
            features=fit_feeds(examples.features, unfed(graph.features), "model.inputs"),
            labels={**examples.labels, **fit_feeds(given, unfed(graph.labels), "data.labels")},
            rows=examples.rows,
            ids=examples.ids,
        )

    return {name: fit(examples) for name, examples in splits.items()}
