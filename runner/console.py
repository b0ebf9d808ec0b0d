"""Shows a run to the person who started it; next to nothing where that is no terminal."""

import io
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from models.problems import Problem
from models.shapes import format_shape
from runner.data_tables import describe_sample, lay_out_balance, lay_out_tensors
from runner.results import (
    OTHER_LAYER,
    BalanceResult,
    BenchmarkResult,
    DataResult,
    ExamplesResult,
    FetchResult,
    InspectResult,
    LayerCost,
    LayerSummary,
    LearningRateResult,
    Metrics,
    PlanResult,
    PredictionsWritten,
    PretrainedResult,
    Result,
    SplitResult,
    Started,
    StepsResult,
    StopResult,
    TraceResult,
    WaitResult,
)
from runner.secrets import redact

log = logging.getLogger(__name__)

_PROJECT = logging.getLogger(__package__)

_BAR_SECONDS = 0.1
_LEAST_SECONDS = 0.05
_MOST_LAYERS = 3
_THREE_DIGITS = 999.5
# Wider than any table; where no terminal is, nothing wraps.
_PLAIN_WIDTH = 1000


class _Warnings(logging.Handler):
    """Shows what the project's loggers warn of."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        line = redact(f"warning  {record.getMessage()}")
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


class Reporter:
    """Writes the layer table, a live bar, and at the end the result and how to look at it.

    All of it but the bar is in the log too; warnings in the log are written at once.
    """

    def __init__(self, open_command: Sequence[str], console: Console | None = None) -> None:
        """Shows nothing yet.

        Args:
            open_command: The command that opens the MLflow UI, quoted for a shell, to which a run's
                id is added.
            console: Where to write, standard output if None; only the end is written where that
                is no terminal.
        """
        self._console = console or Console()
        self._open_command = open_command
        self._warnings = _Warnings(self._console)
        self._bar: _TrainingBar | None = None
        self._ends: list[str] = []
        self._reductions: list[LearningRateResult] = []

    def show_warnings(self, warnings: Sequence[Problem]) -> None:
        """Shows options that do not do what they say."""
        for warning in warnings:
            log.warning("%s", warning)

    def show_layers(self, layers: Sequence[LayerSummary]) -> None:
        """Shows a row a layer: name, type, output shape, parameters."""
        for layer in layers:
            shapes = _format_shapes(layer)
            log.info("layer %s %s %s %d", layer.name, layer.type, shapes, layer.parameters)
        if self._console.is_terminal:
            self._console.print(_layer_table(layers), "")

    def show_result(self, result: Result) -> None:
        """Shows what a task yielded: steps on the bar, the rest at the end."""
        match result:
            case Started() if self._console.is_terminal:
                self._bar = _TrainingBar(self._console, result)
            case DataResult(class_weight=by_class) if by_class:
                weights = {str(index): weight for index, weight in by_class.items()}
                self._ends.append(f"weights  of classes: {format_metrics(weights)}")
            case LearningRateResult() if result.is_reduced:
                self._reductions.append(result)
            case PlanResult():
                self._show_plan(result)
            case StepsResult() if self._bar:
                self._bar.show_steps(result)
            case SplitResult():
                metrics = format_metrics(result.metrics)
                log.info("epoch %d %s %s", result.epoch, result.split, metrics)
                if self._bar:
                    self._bar.show_split(result)
                if result.split == "test" or not result.step:
                    self._ends.append(f"{result.split:8} {metrics}")
            case BalanceResult():
                for label in result.labels:
                    self._show_table(lay_out_balance(result, label))
            case ExamplesResult():
                self._show_table(lay_out_tensors(result))
                self._ends += describe_sample(result)
            case InspectResult():
                self._show_costs(result)
            case BenchmarkResult():
                self._ends += _describe_latencies(result)
            case TraceResult():
                self._ends.append(f"trace    {_describe_trace(result)}")
            case WaitResult():
                self._ends.append(f"data     waited for {result.share:.1%} of the time of training")
            case PretrainedResult():
                self._show_loaded(result)
            case PredictionsWritten():
                columns = ", ".join(result.columns)
                self._ends.append(f"written  {columns} of {result.rows} examples to {result.file}")
            case StopResult():
                self._ends.append(f"stopped  {_describe_stop(result)}")
            case FetchResult(step=None):
                named = [f"{name} {_describe(value)}" for name, value in result.fetched.items()]
                self._ends.append(
                    f"fetched  {', '.join(named)} of {len(result.rows)} {result.split} examples"
                )

    def show_end(self, run_id: str | None, seconds: Mapping[str, float]) -> None:
        """Shows the result, where the time went, the run's id and the command that opens it."""
        self._close_bar()
        times = "  ".join(
            f"{phase} {spent:.1f} s" for phase, spent in seconds.items() if spent >= _LEAST_SECONDS
        )
        lines = [*self._ends, *_describe_reductions(self._reductions), f"time     {times}"]
        if run_id is not None:
            lines.append(f"run      {run_id}")
            lines.append(f"open     {' '.join(self._open_command)} --run {run_id}")
        for line in lines:
            log.info("%s", line)
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    def __enter__(self) -> Self:
        """Returns the reporter, which shows warnings from now on."""
        _PROJECT.addHandler(self._warnings)
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the terminal as it was found."""
        _PROJECT.removeHandler(self._warnings)
        self._close_bar()

    def _show_plan(self, result: PlanResult) -> None:
        """Shows what was chosen, and all of why in the log."""
        measured = [f"{plan} {value:,.0f} us" for plan, value in result.measured.items()]
        among = f"; measured a step: {', '.join(measured)}" if measured else ""
        self._ends.append(f"plan     {result.plan}{among}")
        for plan, reason in result.passed_over.items():
            log.info("plan %s passed over: %s", plan, reason)
        for note in result.notes:
            log.info("plan %s", note)

    def _show_loaded(self, result: PretrainedResult) -> None:
        """Shows what became of each weight, and how many were loaded."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("weight", "shape", "loaded"):
            table.add_column(column, overflow="fold")
        for weight in (*result.weights, *result.others):
            shape = "x".join(map(str, weight.shape))
            log.info("weight %s %s %s", weight.name, shape, weight.reason or "loaded")
            table.add_row(weight.name, shape, f"no: {weight.reason}" if weight.reason else "yes")
        if self._console.is_terminal:
            self._console.print(table, "")
        counts = f"{len(result.loaded)} of {len(result.weights)} weights"
        unused = f"; {len(result.others)} of its weights are not used" if result.others else ""
        self._ends.append(f"loaded   {counts} from {result.source}{unused}")

    def _show_costs(self, result: InspectResult) -> None:
        """Shows what each layer costs."""
        for layer in result.layers:
            log.info("layer %s", " ".join(_cost_cells(layer)))
        self._show_table(_cost_table(result))
        self._ends += _describe_totals(result)

    def _show_table(self, table: Table) -> None:
        """Shows a table that was asked for, everywhere."""
        print_table(self._console, table)
        self._console.print()

    def _close_bar(self) -> None:
        if self._bar:
            self._bar.close()
            self._bar = None


class _TrainingBar:
    """A line that says how far training is, with the last loss and metrics."""

    def __init__(self, console: Console, started: Started) -> None:
        self._epochs = started.epochs
        self._train: Metrics = {}
        self._validation: Metrics = {}
        self._shown_at = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed}/{task.total} steps"),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=console,
        )
        total = started.epochs * started.steps_per_epoch
        self._task: TaskID = self._progress.add_task("epoch 1", total=total, metrics="")
        self._progress.start()

    def show_steps(self, result: StepsResult) -> None:
        """Shows the last of the steps, some times a second."""
        now = time.monotonic()
        if now - self._shown_at < _BAR_SECONDS:
            return
        self._shown_at = now
        running = {name: float(array[-1]) for name, array in result.running.items()}
        self._show(result.epoch, result.last_step, running)

    def show_split(self, result: SplitResult) -> None:
        """Shows an epoch's metrics."""
        if result.split == "train":
            self._train = result.metrics
        elif result.split == "validation":
            self._validation = result.metrics
        self._show(result.epoch, result.step, self._train)

    def _show(self, epoch: int, step: int, metrics: Metrics) -> None:
        text = format_metrics(metrics)
        if self._validation:
            text += f"  validation {format_metrics(self._validation)}"
        description = f"epoch {epoch}/{self._epochs}"
        self._progress.update(self._task, completed=step, description=description, metrics=text)

    def close(self) -> None:
        """Stops redrawing."""
        self._progress.stop()


def print_layers(layers: Sequence[LayerSummary]) -> None:
    """Writes the layer table to standard output."""
    Console().print(_layer_table(layers), "")


def print_table(console: Console, table: Table) -> None:
    """Writes `table`; where no terminal is, in plain text that does not wrap."""
    if console.is_terminal:
        console.print(table, markup=False, highlight=False)
    else:
        console.print(_plain(table), soft_wrap=True, markup=False, highlight=False)


def _layer_table(layers: Sequence[LayerSummary]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("layer", "type", "output shape"):
        table.add_column(column)
    table.add_column("parameters", justify="right")
    for layer in layers:
        table.add_row(layer.name, layer.type, _format_shapes(layer), f"{layer.parameters:,}")
    total = sum(layer.parameters for layer in layers)
    table.add_row("total", "", "", f"{total:,}", style="bold")
    return table


def _format_shapes(layer: LayerSummary) -> str:
    return ", ".join(map(format_shape, layer.output_shapes))


def _cost_table(result: InspectResult) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    # On a narrow terminal the end of a name is what tells it from others: it goes on below.
    for column in ("layer", "type", "output shape"):
        table.add_column(column, overflow="fold")
    for column in ("trained", "frozen", "FLOPs", "activations", "parameters"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in result.layers:
        table.add_row(*_cost_cells(layer))
    table.add_row(*_cost_cells(result.totals), style="bold")
    return table


def _cost_cells(layer: LayerCost) -> list[str]:
    return [
        layer.name,
        layer.type,
        ", ".join(map(format_shape, layer.output_shapes)),
        f"{layer.trained_parameters:,}",
        f"{layer.frozen_parameters:,}",
        format_count(layer.flops) + _plus(layer.unknown),
        format_bytes(layer.activation_bytes) + _plus(layer.varying_outputs),
        format_bytes(layer.parameter_bytes),
    ]


def _plus(unknown: object) -> str:
    """Returns the mark of a number that is the least it can be, where something is unknown."""
    return "+" if unknown else ""


def _plain(table: Table) -> str:
    text = io.StringIO()
    console = Console(file=text, width=_PLAIN_WIDTH, color_system=None)
    console.print(table, markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _describe_totals(result: InspectResult) -> Iterator[str]:
    totals = result.totals
    flops = format_count(totals.flops) + _plus(totals.unknown)
    memory = format_bytes(totals.activation_bytes) + _plus(totals.varying_outputs)
    parameters = totals.trained_parameters + totals.frozen_parameters
    size = format_bytes(totals.parameter_bytes)
    yield f"flops    {flops} a batch of {result.batch_size}, a multiply-add counted as 2"
    yield f"memory   {memory} of activations  {size} of {parameters:,} parameters"
    if totals.unknown:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(totals.unknown.items()))
        yield f"unknown  {counts}: + marks sums without them"


def _describe_latencies(result: BenchmarkResult) -> Iterator[str]:
    yield "batch          p50          p90          p99   examples/s  answered by"
    for each in result.latencies:
        times = "".join(f"{each.percentile(percent):10,.1f} us" for percent in (50, 90, 99))
        yield f"{each.batch_size:5d}{times}{each.examples_per_second:13,.0f}  {each.plan}"


def _describe_reductions(results: Sequence[LearningRateResult]) -> Iterator[str]:
    if results:
        last, times = results[-1], "once" if len(results) == 1 else f"{len(results)} times"
        rate = f"{last.value:.4g}"
        yield f"plateau  learning rate {rate}, reduced {times}, last after step {last.step}"


def _describe_stop(result: StopResult) -> str:
    best = "" if result.best_step is None else f"the weights are those of step {result.best_step}"
    return "; ".join(filter(None, [result.reason, best]))


def format_count(count: int) -> str:
    """Returns a count to three digits, as ``20.7 M``."""
    return _scale(count, 1000, ("", " k", " M", " G", " T", " P", " E"))


def format_bytes(count: int) -> str:
    """Returns a number of bytes to three digits, as ``85.1 KiB``."""
    return _scale(count, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"))


def _scale(count: int, base: int, units: Sequence[str]) -> str:
    if count < base:
        return f"{count}{units[0]}"
    value, exponent = float(count), 0
    while value >= _THREE_DIGITS and exponent < len(units) - 1:
        value /= base
        exponent += 1
    return f"{value:.3g}{units[exponent]}"


def format_metrics(metrics: Metrics) -> str:
    """Returns metrics on one line, to four digits."""
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _describe_trace(trace: TraceResult) -> str:
    """Returns a step's time, the layers that took most of it, and its memory, in a line."""
    longest = [
        f"{layer.name or OTHER_LAYER} {layer.share:.0%}" for layer in trace.layers[:_MOST_LAYERS]
    ]
    peaks = [f"{format_bytes(peak)} in {name}" for name, peak in trace.peak_bytes.items() if peak]
    return (
        f"{trace.name.replace('_', ' ')} {trace.microseconds / 1000:.3g} ms: "
        f"{', '.join(longest)}; at most {', '.join(peaks) or 'no memory'}"
    )


def _describe(value: Any) -> str:
    """Returns what of a fetched value fits in a line: a number, a shape."""
    if value is None:
        return "(run)"
    if isinstance(value, tuple):
        return f"{tuple(map(int, value[2]))} sparse"
    return f"{value:.4g}" if value.ndim == 0 and value.dtype.kind == "f" else str(value.shape)
