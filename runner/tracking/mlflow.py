"""Writes a run's entries to MLflow."""

import importlib
import json
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard, TypeVar

import numpy as np
import yaml
from jinja2 import TemplateError
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from models.problems import ConfigError, Problem
from runner.config import ServerTrackingConfig, SqliteTrackingConfig, StoreTrackingConfig
from runner.resolved import FILE as RESOLVED_FILE
from runner.results import (
    Arrays,
    BalanceResult,
    BenchmarkResult,
    CheckpointResult,
    ClassifyResult,
    DataResult,
    DrawingResult,
    ExamplesResult,
    FaultResult,
    FetchResult,
    InspectResult,
    ModelResult,
    PlanResult,
    PredictionsWritten,
    PreprocessResult,
    PretrainedResult,
    RegressResult,
    Result,
    StopResult,
    SweepResult,
    TraceResult,
    WaitResult,
    WeightsResult,
)
from runner.secrets import redact
from runner.tracking.archives import write_arrays
from runner.tracking.confusion import format_confusion, format_mistakes
from runner.tracking.costs import format_costs_csv, format_costs_json, summarize_costs
from runner.tracking.data import format_balance, format_examples, format_schema
from runner.tracking.entries import (
    Entry,
    MetricsSampled,
    PhasesTimed,
    ResultLogged,
    RunEnded,
    RunStarted,
    TagsAdded,
)
from runner.tracking.faults import format_statistics, save_fault
from runner.tracking.folders import digest_folder
from runner.tracking.inputs import list_inputs
from runner.tracking.latencies import format_latencies, summarize_latency
from runner.tracking.limits import fit_tags
from runner.tracking.loaded import format_loaded
from runner.tracking.metrics import list_metrics
from runner.tracking.models import log_model
from runner.tracking.outages import is_transient
from runner.tracking.pictures.plan import Drawable, name_file, plan_pictures
from runner.tracking.records import KEY_TAG, PARENT, RERUN_OF
from runner.tracking.report.figures import MOST_TRACES, UNDRAWABLE, draw_trace
from runner.tracking.residuals import format_residuals
from runner.tracking.runs import PREPROCESS, WEIGHTS
from runner.tracking.server import check_server, explaining_refusals
from runner.tracking.spool import SpoolError
from runner.tracking.store import lock_store, store_uri
from runner.tracking.sweeps import format_groups, format_jobs, summarize_sweep
from runner.tracking.table import archive_of, format_structure, format_table, format_values
from runner.tracking.traces import format_layers, format_operations, format_types
from runner.tracking.tracker import Status
from runner.tracking.view import add_columns

# MLflow tells of each table it creates.
for name in ("mlflow", "alembic"):
    logging.getLogger(name).setLevel(logging.WARNING)

if TYPE_CHECKING:
    from runner.tracking.pictures.charts import Chart

# The UI shows an experiment of no kind as one of language models, without its training runs.
_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}

_PICTURES: dict[type, str] = {
    TraceResult: "trace",
    BenchmarkResult: "benchmark",
    BalanceResult: "data",
    ExamplesResult: "data",
}
# By which its process is known after it is gone.
PROCESS_TAG = "feedfetch.process"
# In which folder its spool is, or was; a machine may have several.
SPOOL_TAG = "feedfetch.spool"
_EXISTS = "RESOURCE_ALREADY_EXISTS"

_MOST_METRICS = 1000
_MOST_PARAMS = 100
_FLUSH_SECONDS = 2.0
_NO_DRAWING = (ImportError, OSError, ValueError)
_NO_REPORT = (*UNDRAWABLE, ImportError, SpoolError, TemplateError)

Item = TypeVar("Item")

log = logging.getLogger(__name__)


class MlflowRun:
    """One run in MLflow; metrics are written in batches, every few seconds.

    An entry may come more than once, since who writes it may be killed, or lose the store's answer,
    before it is known to be written. So to write an entry twice leaves what writing it once does:
    a metric is the same by key, value, time and step, a dataset by name and digest, a tag, a param
    and a file by name; what has no such name is found by one of its own before it is made again.
    Whatever an entry changes here, it changes once all of it is written, and ``recall`` changes it
    for an entry that an earlier process has written.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, started: RunStarted, spool: Path | None = None
    ) -> None:
        """Writes to the run `run_id`, which `client` has created.

        Args:
            client: A client of the run's store.
            run_id: The run's id there.
            started: What the run says of itself.
            spool: The file of its entries, of which the report is made; None for no report.
        """
        self.run_id = run_id
        self._spool = spool if started.tracking.report else None
        self._timelines: dict[str, Chart] = {}
        self._client = client
        self._output_dir = started.output_dir
        self._has_pictures = started.tracking.pictures > 0
        self._pictures = started.tracking.pictures
        self._tracking = started.tracking
        self._is_repetition = RERUN_OF in started.tags
        self._metrics: list[Metric] = []
        self._flushed_at = time.monotonic()
        self._time_ms = 0

    def write(self, entry: Entry, time_ms: int) -> None:
        """Writes what was said at `time_ms`, in milliseconds since 1970: at once, or soon."""
        self._time_ms = time_ms
        match entry:
            case RunStarted():
                self.log_start(entry)
            case TagsAdded():
                self._log_tags(entry.tags)
            case ResultLogged():
                self._log_result(entry.result)
            case MetricsSampled():
                self._add_metrics(entry.metrics, entry.sample)
            case PhasesTimed():
                phases = {f"time/{phase}_seconds": spent for phase, spent in entry.seconds.items()}
                self._add_metrics(phases, 0)
            case RunEnded():
                self._close(entry)

    def recall(self, entry: Entry) -> None:
        """Takes note of what another process has written of this run."""
        if isinstance(entry, ResultLogged) and _is_drawn(entry.result):
            self._pictures -= min(self._pictures, sum(1 for _ in plan_pictures(entry.result)))

    @property
    def is_flushed(self) -> bool:
        """Whether the store has all that was written."""
        return not self._metrics

    def probe(self) -> None:
        """Asks the store for next to nothing, and so whether it is there."""
        self._client.get_run(self.run_id)

    def note_recovery(self, failure: str) -> None:
        """Says where the run's error would be that what was refused at first came later."""
        self._log_text("error.txt", f"Delivered whole, after MLflow did not take all: {failure}\n")

    def log_start(self, started: RunStarted) -> None:
        """Logs what the run was configured with and made in, and the files that hold it."""
        params = [Param(key, value) for key, value in started.params.items()]
        for batch in _batches(params, _MOST_PARAMS):
            self._client.log_batch(self.run_id, params=batch)
        for path, text in started.files.items():
            self._log_text(path, text)
        hydra = (".hydra/config.yaml", ".hydra/overrides.yaml", "multirun.yaml")
        for name in (*hydra, RESOLVED_FILE):
            file = self._output_dir / name
            if file.exists():
                self._client.log_artifact(self.run_id, str(file), "config")

    def flush_if_due(self) -> None:
        """Writes the metrics that wait, if they have waited long or are many."""
        is_due = time.monotonic() - self._flushed_at > _FLUSH_SECONDS
        if is_due or len(self._metrics) >= _MOST_METRICS:
            self.flush()

    def flush(self) -> None:
        """Writes the metrics that wait."""
        while batch := self._metrics[:_MOST_METRICS]:
            self._client.log_batch(self.run_id, metrics=batch)
            del self._metrics[: len(batch)]
        self._flushed_at = time.monotonic()

    def fail(self, reason: str, time_ms: int) -> None:
        """Ends the run as FAILED for `reason`, without the metrics that wait.

        What is refused of its end, as where no file can be written, leaves it no less ended.

        Args:
            reason: What the store did not take, and why.
            time_ms: When the run ended, in milliseconds since 1970.
        """
        self._metrics = []
        self._time_ms = time_ms
        try:
            self._close(RunEnded(Status.FAILED, reason))
        except Exception:
            self._client.set_terminated(self.run_id, Status.FAILED.value, time_ms)
            raise

    def _log_tags(self, tags: Mapping[str, str]) -> None:
        entities = [RunTag(key, value) for key, value in fit_tags(tags).items()]
        self._client.log_batch(self.run_id, tags=entities)

    def _close(self, end: RunEnded) -> None:
        """Writes what is still to be written: metrics, the error, the log; then the status."""
        self.flush()
        if end.error is not None:
            self._log_text("error.txt", redact(end.error))
        for file in sorted(self._output_dir.glob("*.log")):
            self._client.log_artifact(self.run_id, str(file))
        add_columns(self._client, self.run_id)
        self._log_report(end)
        self._client.set_terminated(self.run_id, end.status.value, self._time_ms)

    def _log_report(self, end: RunEnded) -> None:
        """Makes the page that tells of the run; one that cannot be made is told of."""
        if self._spool is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            try:
                # This imports matplotlib.
                from runner.tracking.report.writing import write_report

                write_report(
                    self._spool,
                    Path(folder),
                    run_id=self.run_id,
                    end=end,
                    time_ms=self._time_ms,
                    drawn=self._timelines,
                )
            except _NO_REPORT as error:
                log.warning("tracking.report: the report of this run cannot be made: %r", error)
            else:
                self._client.log_artifacts(self.run_id, folder)

    def _log_result(self, result: Result) -> None:
        self._metrics += [
            Metric(key, value, self._time_ms, step) for key, step, value in list_metrics(result)
        ]
        self.flush_if_due()
        match result:
            case DataResult():
                self._log_data(result)
            case BalanceResult():
                self._log_text("data/balance.csv", format_balance(result))
                self._log_pictures(result)
            case ExamplesResult():
                self._log_text("data/schema.csv", format_schema(result))
                self._log_text("data/examples.csv", format_examples(result))
                self._log_pictures(result)
            case PreprocessResult():
                text = yaml.safe_dump(dict(result.stacks), sort_keys=False, allow_unicode=True)
                self._log_text(PREPROCESS, text)
            case PlanResult():
                self._log_plan(result)
            case FetchResult():
                self._log_fetches(result)
                if _is_drawn(result):
                    self._log_pictures(result)
            case ClassifyResult():
                self._log_classes(result)
                self._log_pictures(result)
            case InspectResult():
                self._log_costs(result)
            case BenchmarkResult():
                self._log_latencies(result)
                self._log_pictures(result)
            case PretrainedResult():
                self._log_pretrained(result)
            case PredictionsWritten():
                self._log_predictions(result)
            case WeightsResult():
                self._log_arrays(WEIGHTS, result.arrays)
            case ModelResult():
                self._log_model(result)
            case CheckpointResult():
                self._log_arrays(f"checkpoints/step_{result.step}.npz", result.arrays)
            case StopResult():
                self._log_stop(result)
            case WaitResult():
                self._add_metrics({"time/waited_share": result.share}, 0)
            case SweepResult():
                self._log_sweep(result)
            case DrawingResult():
                self._log_text(f"inspect/{result.name}.svg", result.svg)
            case FaultResult():
                self._log_fault(result)
            case RegressResult():
                path = f"{_name_place(result)}/{name_file(result.output)}.residuals.csv"
                self._log_text(path, format_residuals(result))
            case TraceResult():
                self._log_trace(result)
                self._log_pictures(result)
                self._draw_timeline(result)

    def _add_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self._metrics += [Metric(key, value, self._time_ms, step) for key, value in metrics.items()]
        self.flush_if_due()

    def _log_data(self, result: DataResult) -> None:
        self._warn_of_other_data(result)
        self._log_tags({"data.source": result.source, "data.digest": result.digest})
        if result.source_digest is not None:
            self._log_tags({"data.source_digest": result.source_digest})
        if result.class_weight:
            self._log_tags({"data.class_weight": json.dumps(result.class_weight)})
        self._client.log_inputs(self.run_id, list(list_inputs(result)))

    def _warn_of_other_data(self, result: DataResult) -> None:
        """Tells where the same source was another when an earlier run read it."""
        if result.source_digest is None:
            return
        quote = '"' if "'" in result.source else "'"
        runs = self._client.search_runs(
            [self._client.get_run(self.run_id).info.experiment_id],
            f"tags.`data.source` = {quote}{result.source}{quote}"
            " AND tags.`data.source_digest` LIKE '%'",
            max_results=1,
        )
        digests = [run.data.tags["data.source_digest"] for run in runs]
        if not digests or digests == [result.source_digest]:
            return
        self._log_tags({"data.changed_since": runs[0].info.run_id})
        # A repetition has told of it already.
        if not self._is_repetition:
            log.warning(
                "data: %s has changed since run %s: its digest was %s and is %s",
                result.source,
                runs[0].info.run_id,
                digests[0],
                result.source_digest,
            )

    def _log_plan(self, result: PlanResult) -> None:
        self._log_tags({"plan": result.plan})
        named = {f"plan/{_name_metric(plan)}_us": us for plan, us in result.measured.items()}
        self._add_metrics(named, 0)

    def _log_fault(self, result: FaultResult) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = save_fault(result, Path(folder))
            self._client.log_artifact(self.run_id, str(file), "debug")
        self._log_text(f"debug/{result.name}.csv", format_statistics(result))

    def _log_text(self, file: str, text: str) -> None:
        self._client.log_text(self.run_id, text, file)

    def _log_costs(self, result: InspectResult) -> None:
        named = {f"inspect/{key}": value for key, value in summarize_costs(result).items()}
        self._add_metrics(named, 0)
        self._log_text("inspect/layers.csv", format_costs_csv(result))
        self._log_text("inspect/layers.json", format_costs_json(result))

    def _log_latencies(self, result: BenchmarkResult) -> None:
        for each in result.latencies:
            # Over the sizes of batches, as MLflow draws a metric over steps.
            named = {f"benchmark/{key}": value for key, value in summarize_latency(each).items()}
            self._add_metrics(named, each.batch_size)
        self._log_text("benchmark/latencies.csv", format_latencies(result))

    def _log_arrays(self, path: str, arrays: Arrays) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(path).name
            write_arrays(file, arrays)
            self._client.log_artifact(self.run_id, str(file), str(Path(path).parent))

    def _log_model(self, result: ModelResult) -> None:
        # Its metrics are those that the store has of the run.
        self.flush()
        log_model(self._client, self.run_id, result, self._tracking)
        shutil.rmtree(result.folder, ignore_errors=True)

    def _log_pretrained(self, result: PretrainedResult) -> None:
        self._log_tags({"pretrained": result.source})
        self._log_text("weights/loaded.csv", format_loaded(result))

    def _log_predictions(self, result: PredictionsWritten) -> None:
        if not result.file.exists():
            log.warning("the predictions are not logged: %s is no longer there", result.file)
            return
        self._client.log_artifact(self.run_id, str(result.file), "predictions")

    def _log_stop(self, result: StopResult) -> None:
        if result.reason:
            self._log_tags({"stopped": result.reason})

    def _log_sweep(self, result: SweepResult) -> None:
        self._add_metrics(summarize_sweep(result), 0)
        self._log_text("sweep/jobs.csv", format_jobs(result))
        if result.groups:
            self._log_text("sweep/groups.csv", format_groups(result))

    def _log_fetches(self, result: FetchResult) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{result.name}.npz"
            np.savez_compressed(file, allow_pickle=False, **archive_of(result))
            self._client.log_artifact(self.run_id, str(file), "fetches")
        self._log_text(f"fetches/{result.name}.csv", format_table(result))
        self._log_text(f"fetches/{result.name}.json", format_structure(result))
        if len(result.batched) < len(result.fetched):
            self._log_text(f"fetches/{result.name}.values.csv", format_values(result))

    def _log_classes(self, result: ClassifyResult) -> None:
        path = f"{_name_place(result)}/{name_file(result.output)}"
        self._log_text(f"{path}.confusion.csv", format_confusion(result))
        self._log_text(f"{path}.mistakes.csv", format_mistakes(result))

    def _log_trace(self, result: TraceResult) -> None:
        path = f"trace/{result.name}"
        self._log_text(f"{path}.json", result.chrome_trace)
        self._log_text(f"{path}.operations.csv", format_operations(result))
        self._log_text(f"{path}.types.csv", format_types(result))
        self._log_text(f"{path}.layers.csv", format_layers(result))
        for index, graph in enumerate(result.partition_graphs):
            self._log_text(f"{path}.graph{index}.pbtxt", graph)
        peaks = {f"{path}/{name}_peak_bytes": peak for name, peak in result.peak_bytes.items()}
        self._add_metrics({**peaks, f"{path}/milliseconds": result.microseconds / 1000}, 0)

    def _draw_timeline(self, result: TraceResult) -> None:
        """Draws what the report is to hold while the run goes on, so that its end waits less."""
        if self._spool is None or len(self._timelines) == MOST_TRACES or not result.operations:
            return
        # Where it cannot be drawn, the report says so.
        with suppress(*_NO_REPORT):
            self._timelines[result.name] = draw_trace(result)

    def _log_pictures(self, result: Drawable) -> None:
        planned = list(plan_pictures(result))
        pictures = planned[: self._pictures]
        left_out = len(planned) - len(pictures)
        if left_out and self._has_pictures:
            log.warning("%d more could be drawn; raise tracking.pictures", left_out)
        if not pictures:
            return
        try:
            # This imports matplotlib.
            from runner.tracking.pictures.drawing import draw_pictures
        except _NO_DRAWING as error:
            log.warning("pictures are not drawn: matplotlib cannot be imported: %s", error)
            return
        with tempfile.TemporaryDirectory() as folder:
            for file, content in draw_pictures(result, pictures):
                (Path(folder) / file).write_bytes(content)
            self._client.log_artifacts(self.run_id, folder, _name_place(result))
        self._pictures -= len(pictures)


def prepare_drawing() -> None:
    """Imports what draws pictures, ahead of the first; where it is not there, that one says so."""
    with suppress(*_NO_DRAWING):
        importlib.import_module("runner.tracking.pictures.drawing")


def prepare_report() -> None:
    """Imports what makes a report, and reads its templates, ahead of the first."""
    with suppress(*_NO_REPORT):
        importlib.import_module("runner.tracking.pictures.charts")
        page = importlib.import_module("runner.tracking.report.page")
        page.prepare_templates()


def open_store(tracking: StoreTrackingConfig) -> MlflowClient:
    """Returns a client of the configured store, whose tables are created where they are not there.

    Raises:
        ConfigError: If the store cannot be opened, as it cannot later either.
        ServerUnreachableError: If its server gives no answer now.
    """
    if isinstance(tracking, ServerTrackingConfig):
        check_server(tracking)
        return MlflowClient(store_uri(tracking))
    try:
        with lock_store(tracking):
            client = MlflowClient(store_uri(tracking))
            # The client opens the store when it is first asked something.
            client.get_experiment_by_name(tracking.experiment)
    except (MlflowException, SQLAlchemyError) as error:
        if is_transient(error):
            raise
        message = f"MLflow cannot open the store: {str(error).splitlines()[0]}"
        key = "database" if isinstance(tracking, SqliteTrackingConfig) else "uri"
        raise ConfigError([Problem(f"tracking.{key}", message)]) from error
    return client


def create_run(
    client: MlflowClient,
    started: RunStarted,
    time_ms: int,
    *,
    spool: Path | None = None,
    may_exist: bool = False,
    parent_id: str | None = None,
) -> MlflowRun:
    """Creates a run with its tags; its first entry is still to be written.

    Args:
        client: A client of the run's store.
        started: What the run says of itself.
        time_ms: When it said so, in milliseconds since 1970.
        spool: The file of its entries, of which the report is made; None for no report.
        may_exist: Whether it may have been created before, unknown to who asked, and is searched.
        parent_id: The run that it is nested under.

    Raises:
        ConfigError: If the experiment was deleted, or the server does not permit it.
    """
    with explaining_refusals(started.tracking), lock_store(started.tracking):
        experiment_id = _open_experiment(client, started.tracking)
    found = find_runs(client, started.key, [experiment_id]) if may_exist else []
    if found:
        return MlflowRun(client, found[0], started, spool)
    tags = dict(started.tags)
    if started.key:
        tags[KEY_TAG] = started.key
    if started.process is not None:
        tags[PROCESS_TAG] = started.process
    if spool is not None:
        tags[SPOOL_TAG] = digest_folder(spool.parent)
    if parent_id is not None:
        tags[PARENT] = parent_id
    with explaining_refusals(started.tracking):
        run = client.create_run(experiment_id, time_ms, tags, run_name=started.name)
    return MlflowRun(client, run.info.run_id, started, spool)


def find_runs(
    client: MlflowClient, key: str, experiment_ids: Sequence[str] | None = None
) -> list[str]:
    """Returns the ids of the runs that were created as `key`, in any experiment if None is given.

    There are two where an answer was lost, and the creation, done again, overtook the first one.
    """
    if experiment_ids is None:
        experiment_ids = [one.experiment_id for one in client.search_experiments()]
    found = client.search_runs(list(experiment_ids), f"tags.`{KEY_TAG}` = '{key}'")
    return sorted(run.info.run_id for run in found)


def remove_twins(client: MlflowClient, started: RunStarted, run_id: str) -> None:
    """Deletes runs that were created as `run_id` was, and came late."""
    experiment = client.get_experiment_by_name(started.tracking.experiment)
    if experiment is None:
        return
    for other in find_runs(client, started.key, [experiment.experiment_id]):
        if other != run_id:
            client.delete_run(other)


def _open_experiment(client: MlflowClient, tracking: StoreTrackingConfig) -> str:
    experiment = client.get_experiment_by_name(tracking.experiment)
    if experiment is None:
        place = _place_artifacts(tracking)
        try:
            created: str = client.create_experiment(tracking.experiment, place, _MODEL_TRAINING)
        except MlflowException as error:
            # Another process was faster, or an answer was lost.
            if error.error_code != _EXISTS:
                raise
            return _open_experiment(client, tracking)
        return created
    if experiment.lifecycle_stage == "deleted":
        message = (
            f"the experiment {tracking.experiment!r} was deleted in this store; "
            "restore it or choose another name."
        )
        raise ConfigError([Problem("tracking.experiment", message)])
    found: str = experiment.experiment_id
    return found


def _place_artifacts(tracking: StoreTrackingConfig) -> str | None:
    """Returns the address of the experiment's files; None where the server chooses."""
    if not isinstance(tracking, SqliteTrackingConfig):
        return None
    folder = Path(tracking.artifacts) / re.sub(r"\W", "_", tracking.experiment)
    return folder.as_uri()


def _is_drawn(result: Result) -> TypeGuard[Drawable]:
    is_of_step = isinstance(result, FetchResult) and result.step is not None
    return isinstance(result, Drawable) and not is_of_step


def _name_place(result: Drawable | RegressResult) -> str:
    """Returns the folder of the artifacts that are named by nothing but what they are of."""
    if isinstance(result, FetchResult | ClassifyResult | RegressResult):
        return "fetches" if result.split == "test" else f"fetches/{result.split}"
    return _PICTURES[type(result)]


def _name_metric(plan: str) -> str:
    """Returns a plan's name as a metric's may be: ``loop_1_thread``."""
    return re.sub(r"\W+", "_", plan)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
