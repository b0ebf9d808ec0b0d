"""The SQLite store: found writable before anything else is done, initialised once."""

from pathlib import Path

from filelock import FileLock

from models.problems import ConfigError, expected
from runner.config import SqliteTrackingConfig, TrackingConfig


def store_uri(config: SqliteTrackingConfig) -> str:
    """Returns the store's address as MLflow takes it."""
    return f"sqlite:///{config.database}"


def store_lock(config: SqliteTrackingConfig) -> FileLock:
    """Returns the lock that processes hold while they open the store.

    Processes that open a fresh store at once would each create its tables, and all but one crash.
    """
    return FileLock(f"{config.database}.lock")


def prepare_store(config: TrackingConfig) -> None:
    """Creates the folders of the store. Imports no MLflow.

    Raises:
        ConfigError: If a path cannot be written to.
    """
    if not isinstance(config, SqliteTrackingConfig):
        return
    problems = []
    if Path(config.database).is_dir():
        problems.append(expected("tracking.database", "a file", config.database))
    for key, folder in (
        ("database", Path(config.database).parent),
        ("artifacts", Path(config.artifacts)),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            hint = f"{error.strerror or error}: choose another folder."
            path = f"tracking.{key}"
            problems.append(
                expected(path, "a path that can be written to", getattr(config, key), hint)
            )
    if problems:
        raise ConfigError(problems)
