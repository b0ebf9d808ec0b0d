"""The columns that the UI lists an experiment's runs with: what they measured and what was varied.

MLflow keeps no columns for an experiment, but its UI opens a view that was shared, by its key: the
state of the page as JSON in a tag of the experiment. Source: mlflow/server/js, the hook
``useSharedExperimentViewState``, MLflow 3.17.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "feedfetch"

VIEW_TAG = f"mlflow.sharedViewState.{KEY}"
_MOST_COLUMNS = 12
_GROUPS = ("model", "data", "optimizer")
_OVERRIDDEN = re.compile(r"(?:^|\s)\+*([^\s=~]+)=")


def choose_columns(metrics: Iterable[str], params: Iterable[str], overrides: str) -> Iterator[str]:
    """Yields the columns that a run wants to be listed with, as the UI names them.

    Args:
        metrics: The names of what it measured, of which those of the test are listed.
        params: The names of what it was configured with.
        overrides: What the user set of them, as on the command line.
    """
    known = set(params)
    yield from (f"metrics.`{name}`" for name in metrics if name.startswith("test/"))
    for name in _OVERRIDDEN.findall(overrides):
        column = f"{name}.name" if name in _GROUPS else name
        if column in known:
            yield f"params.`{column}`"


def add_columns(client: "MlflowClient", run_id: str) -> None:
    """Adds the columns of a run to the view of its experiment, behind those that are there.

    Raises:
        mlflow.exceptions.MlflowException: If the store does not take it.
    """
    run = client.get_run(run_id)
    experiment_id = run.info.experiment_id
    overrides = run.data.tags.get("overrides", "")
    columns = choose_columns(sorted(run.data.metrics), run.data.params, overrides)
    state = _read_state(client.get_experiment(experiment_id).tags.get(VIEW_TAG))
    shown = state["selectedColumns"]
    # The newest run's stay where there are too many.
    chosen = list(dict.fromkeys([*shown, *columns]))[-_MOST_COLUMNS:]
    if chosen != shown:
        value = json.dumps({**state, "selectedColumns": chosen})
        client.set_experiment_tag(experiment_id, VIEW_TAG, value)


def _read_state(text: str | None) -> dict[str, Any]:
    """Returns the state of the page; that of a new one where somebody wrote what is none."""
    try:
        state = json.loads(text or "{}")
    except json.JSONDecodeError:
        state = {}
    columns = state.get("selectedColumns") if isinstance(state, dict) else None
    return state if isinstance(columns, list) else {"selectedColumns": []}
