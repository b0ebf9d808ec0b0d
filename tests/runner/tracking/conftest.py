"""The stores that whatever is said of tracking holds for."""

import pytest

from runner.composition import compose_config
from runner.config import SqliteTrackingConfig
from runner.tracking.store import prepare_store, store_uri


@pytest.fixture(scope="module", params=["sqlite", pytest.param("server", marks=pytest.mark.server)])
def store(request, tmp_path_factory):
    """A configuration whose store is a file, then one whose store is a server on PostgreSQL."""
    if request.param == "server":
        uri = request.getfixturevalue("mlflow_server").uri
        overrides = ["tracking=server", f"tracking.uri={uri}"]
        folder = tmp_path_factory.mktemp("server")
    else:
        folder = tmp_path_factory.mktemp("store")
        overrides = [f"tracking.database={folder}/mlflow.db"]
        overrides.append(f"tracking.artifacts={folder}/artifacts")
    overrides.append(f"tracking.spool={folder}/spool")
    overrides.append("tracking.system_metrics_seconds=null")
    config = compose_config(overrides)
    prepare_store(config.tracking)
    with pytest.MonkeyPatch.context() as patch:
        # By which MLflow's own functions find the files of a run.
        patch.setenv("MLFLOW_TRACKING_URI", store_uri(config.tracking))
        yield config


@pytest.fixture
def store_overrides(store):
    """Returns what another process finds the store by."""
    tracking = store.tracking
    if isinstance(tracking, SqliteTrackingConfig):
        keys = ("database", "artifacts", "spool")
        return [f"tracking.{key}={getattr(tracking, key)}" for key in keys]
    return ["tracking=server", f"tracking.uri={tracking.uri}", f"tracking.spool={tracking.spool}"]
