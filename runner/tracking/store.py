"""Where runs are kept: a SQLite file, found writable and initialised once, or a server."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from models.problems import ConfigError, Problem, expected
from runner.config import (
    ServerTrackingConfig,
    SqliteTrackingConfig,
    StoreTrackingConfig,
    TrackingConfig,
)
from runner.tracking.server import ServerUnreachableError, check_server

if TYPE_CHECKING:
    from mlflow import MlflowClient


def store_uri(config: StoreTrackingConfig) -> str:
    """Returns the store's address as MLflow takes it."""
    match config:
        case SqliteTrackingConfig():
            return f"sqlite:///{config.database}"
        case ServerTrackingConfig():
            return config.uri
    raise TypeError(f"no store is a {type(config).__name__}")


def lock_store(config: StoreTrackingConfig) -> AbstractContextManager[object]:
    """Returns the lock that processes hold while they open the store.

    Processes that open a fresh store at once would each create its tables, and all but one crash.
    A server opens its own.
    """
    if isinstance(config, SqliteTrackingConfig):
        return FileLock(f"{config.database}.lock")
    return nullcontext()


def require_store(config: TrackingConfig) -> StoreTrackingConfig:
    """Returns `config` where it is of a store that has runs in it, as far as can be told here.

    Raises:
        ConfigError: If nothing is kept, or there is no such file.
    """
    if not isinstance(config, StoreTrackingConfig):
        raise ConfigError([Problem("tracking", "nothing is kept with tracking=off.")])
    if isinstance(config, SqliteTrackingConfig) and not Path(config.database).exists():
        what = "a store with runs in it"
        raise ConfigError([expected("tracking.database", what, config.database, "Run one first.")])
    return config


def open_client(config: TrackingConfig) -> "MlflowClient":
    """Returns a client of a store that has runs in it. Imports MLflow, which takes a second.

    Raises:
        ConfigError: If nothing is kept, there is no such store, or its server does not answer.
    """
    config = require_store(config)
    from mlflow import MlflowClient

    if isinstance(config, ServerTrackingConfig):
        try:
            check_server(config)
        except ServerUnreachableError as error:
            message = f"{error}. Start it, or check its address."
            raise ConfigError([Problem("tracking.uri", message)]) from error

    with lock_store(config):
        client = MlflowClient(store_uri(config))
        if isinstance(config, SqliteTrackingConfig):
            # The client opens the store when it is first asked something.
            client.search_experiments(max_results=1)
    return client


def prepare_store(config: TrackingConfig) -> None:
    """Creates the folders of the store, and of what waits for it. Imports no MLflow.

    Raises:
        ConfigError: If a path cannot be written to.
    """
    if not isinstance(config, StoreTrackingConfig):
        return
    problems = []
    folders = {}
    if isinstance(config, SqliteTrackingConfig):
        if Path(config.database).is_dir():
            problems.append(expected("tracking.database", "a file", config.database))
        folders["database"] = Path(config.database).parent
        folders["artifacts"] = Path(config.artifacts)
    folders["spool"] = Path(config.spool)
    refused: set[Path] = set()
    for key, folder in folders.items():
        if refused.intersection(folder.parents):
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            refused.add(folder)
            hint = f"{error.strerror or error}: choose another folder."
            path = f"tracking.{key}"
            problems.append(
                expected(path, "a path that can be written to", getattr(config, key), hint)
            )
    if problems:
        raise ConfigError(problems)
