"""Runs as they are read back from a store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"
# Names the run that one repeats.
RERUN_OF = "rerun_of"
# By which a run is found before its id is known: the name of its spool.
KEY_TAG = "feedfetch.run"
NEWEST_FIRST = ("attributes.start_time DESC",)

_PAGE = 1000
_SHORT = 8


@dataclass(frozen=True)
class RunRecord:
    """A run as its store has it.

    Attributes:
        run_id: Its id.
        name: Its name.
        experiment: The name of its experiment.
        experiment_id: The id of that.
        status: ``RUNNING``, or how it ended.
        start_ms: When it started, in milliseconds since 1970.
        end_ms: When it ended; None while it runs.
        artifact_uri: Where its files are.
        params: What it was configured with, by dotted path.
        metrics: The last value of each metric.
        tags: Its labels, those of MLflow among them.
        inputs: Its data, a split each.
    """

    run_id: str
    name: str
    experiment: str
    experiment_id: str
    status: str
    start_ms: int
    end_ms: int | None
    artifact_uri: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple["InputRecord", ...] = ()

    @property
    def short_id(self) -> str:
        """The beginning of its id, which tells it from others."""
        return self.run_id[:_SHORT]

    @property
    def parent_id(self) -> str | None:
        """The id of the sweep's run that it is listed under; None for none."""
        return self.tags.get(PARENT)

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.end_ms is None else (self.end_ms - self.start_ms) / 1000


@dataclass(frozen=True)
class InputRecord:
    """What a run saw of its data.

    Attributes:
        split: Which split it is.
        name: The data's name.
        source: Where they come from.
        digest: That of their content.
        profile: Their number and balance, as JSON.
    """

    split: str
    name: str
    source: str
    digest: str
    profile: str


def search_runs(
    client: "MlflowClient",
    *,
    query: str = "",
    order: Sequence[str] = NEWEST_FIRST,
    limit: int | None = None,
    experiments: Sequence[str] | None = None,
) -> list[RunRecord]:
    """Returns the runs that `query` finds, of those that are not deleted.

    Args:
        client: A client of the store.
        query: A filter in MLflow's syntax; empty for all.
        order: Clauses in MLflow's syntax.
        limit: The most that are returned; None for all.
        experiments: The names of those to look in; None for all.

    Raises:
        mlflow.exceptions.MlflowException: If MLflow does not understand `query` or `order`.
    """
    names = list_experiments(client)
    chosen = [key for key, name in names.items() if experiments is None or name in experiments]
    if not chosen or limit == 0:
        return []
    found: list[RunRecord] = []
    token = None
    while limit is None or len(found) < limit:
        most = _PAGE if limit is None else min(_PAGE, limit - len(found))
        page = client.search_runs(
            chosen, query, max_results=most, order_by=list(order), page_token=token
        )
        found += [read_record(run, names) for run in page]
        token = page.token
        if not token:
            break
    return found


def list_experiments(client: "MlflowClient") -> dict[str, str]:
    """Returns the names of the experiments that are not deleted, by id, the newest first."""
    names: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(page_token=token, max_results=_PAGE)
        names |= {experiment.experiment_id: experiment.name for experiment in page}
        token = page.token
        if not token:
            return names


def read_record(run: "Run", experiments: Mapping[str, str]) -> RunRecord:
    """Returns what MLflow's `run` holds.

    Args:
        run: A run.
        experiments: The names of the experiments by id.
    """
    info, data = run.info, run.data
    return RunRecord(
        run_id=info.run_id,
        name=info.run_name or "",
        experiment=experiments.get(info.experiment_id, info.experiment_id),
        experiment_id=info.experiment_id,
        status=info.status,
        start_ms=info.start_time,
        end_ms=info.end_time,
        artifact_uri=info.artifact_uri,
        params=dict(data.params),
        metrics=dict(data.metrics),
        tags=dict(data.tags),
        inputs=tuple(_list_inputs(run)),
    )


def _list_inputs(run: Any) -> Iterator[InputRecord]:
    for one in run.inputs.dataset_inputs if run.inputs else ():
        dataset = one.dataset
        tags = {tag.key: tag.value for tag in one.tags}
        yield InputRecord(
            tags.get("mlflow.data.context", ""),
            dataset.name,
            dataset.source,
            dataset.digest,
            dataset.profile or "",
        )
