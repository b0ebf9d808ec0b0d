"""Gathers, of a run's entries, what its page tells."""

from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from runner.results import (
    BalanceResult,
    BenchmarkResult,
    ClassifyResult,
    DataResult,
    FaultResult,
    FetchResult,
    InspectResult,
    LayersResult,
    LearningRateResult,
    PlanResult,
    PredictionsWritten,
    PretrainedResult,
    RegressResult,
    Result,
    SplitResult,
    Started,
    StepsResult,
    StopResult,
    SweepResult,
    TraceResult,
    WaitResult,
)
from runner.tracking.entries import (
    Entry,
    PhasesTimed,
    ResultLogged,
    RunEnded,
    RunStarted,
    TagsAdded,
)
from runner.tracking.spool import SpoolReader
from runner.tracking.tracker import Status


@dataclass(frozen=True)
class Fetched:
    """What was fetched, in short.

    Attributes:
        place: Of which examples, such as ``test``.
        name: The fetch.
        shape: Of the array; empty of what is none.
        dtype: Likewise.
    """

    place: str
    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass
class Record:
    """What is told of a run; each is as it was logged, None or empty where it was not.

    Attributes:
        started: What the run said of itself.
        started_ms: When, in milliseconds since 1970.
        run_id: Its id in the store; None where it is not known.
        ended_ms: When the last entry was written.
        tags: All labels.
        steps: Of all steps, in order; the values while they ran are left out.
        traces: Of all steps that were traced, without what other artifacts hold.
        fault: Without the arrays.
        end: How it ended.
    """

    started: RunStarted
    started_ms: int
    run_id: str | None = None
    ended_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    data: DataResult | None = None
    balance: BalanceResult | None = None
    layers: LayersResult | None = None
    inspected: InspectResult | None = None
    pretrained: PretrainedResult | None = None
    plan: PlanResult | None = None
    training: Started | None = None
    steps: list[StepsResult] = field(default_factory=list)
    splits: list[SplitResult] = field(default_factory=list)
    rates: list[LearningRateResult] = field(default_factory=list)
    stop: StopResult | None = None
    wait: WaitResult | None = None
    traces: list[TraceResult] = field(default_factory=list)
    classified: list[ClassifyResult] = field(default_factory=list)
    regressed: list[RegressResult] = field(default_factory=list)
    fetched: list[Fetched] = field(default_factory=list)
    predictions: PredictionsWritten | None = None
    benchmark: BenchmarkResult | None = None
    sweep: SweepResult | None = None
    fault: FaultResult | None = None
    phases: dict[str, float] = field(default_factory=dict)
    end: RunEnded = field(default_factory=lambda: RunEnded(Status.FINISHED, None))

    def add(self, entry: Entry, time_ms: int) -> None:
        """Keeps what is told of an entry that was written at `time_ms`."""
        self.ended_ms = time_ms
        match entry:
            case TagsAdded():
                self.tags |= entry.tags
            case PhasesTimed():
                self.phases = dict(entry.seconds)
            case RunEnded():
                self.end = entry
            case ResultLogged():
                self._add_result(entry.result)

    def _add_result(self, result: Result) -> None:
        match result:
            case DataResult():
                self.data = result
            case BalanceResult():
                self.balance = result
            case LayersResult():
                self.layers = result
            case InspectResult():
                self.inspected = result
            case PretrainedResult():
                self.pretrained = result
            case PlanResult():
                self.plan = result
            case PredictionsWritten():
                self.predictions = result
            case BenchmarkResult():
                self.benchmark = result
            case SweepResult():
                self.sweep = result
            case FaultResult():
                self.fault = replace(result, arrays={})
            case FetchResult():
                self.fetched += [_describe(result, name) for name in result.fetched]
            case ClassifyResult():
                self.classified.append(result)
            case RegressResult():
                self.regressed.append(result)
            case TraceResult():
                self.traces.append(replace(result, chrome_trace="", partition_graphs=()))
            case _:
                self._add_progress(result)

    def _add_progress(self, result: Result) -> None:
        """Keeps what is told of training."""
        match result:
            case Started():
                self.training = result
            case StepsResult():
                self.steps.append(replace(result, running={}))
            case SplitResult():
                self.splits.append(result)
            case LearningRateResult():
                self.rates.append(result)
            case StopResult():
                self.stop = result
            case WaitResult():
                self.wait = result


def read_record(spool_file: Path, end: RunEnded | None = None, time_ms: int = 0) -> Record:
    """Returns what a spool tells of its run.

    Args:
        spool_file: The spool, from its start.
        end: How the run ended, where the spool does not tell.
        time_ms: When it did, in milliseconds since 1970.

    Raises:
        OSError: If it cannot be read.
        SpoolError: If it is damaged.
        ValueError: If no run starts in it.
    """
    with closing(SpoolReader(spool_file)) as reader:
        entries = reader.read()
        first = next(entries, None)
        if first is None or not isinstance(first.entry, RunStarted):
            raise ValueError(f"{spool_file}: no run starts in it")
        record = Record(first.entry, first.time_ms, tags=dict(first.entry.tags))
        record.ended_ms = first.time_ms
        for spooled in entries:
            record.add(spooled.entry, spooled.time_ms)
    if end is not None:
        record.add(end, time_ms)
    return record


def _describe(result: FetchResult, name: str) -> Fetched:
    value = result.fetched[name]
    if not isinstance(value, np.ndarray | np.generic):
        return Fetched(result.name, name, (), "")
    return Fetched(result.name, name, value.shape, value.dtype.name)
