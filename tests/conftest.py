"""What all tests start from: TensorFlow imported without its noise, and composed configurations."""

import pytest

from runner.composition import compose_config
from runner.engine.startup import import_tensorflow
from tests.postgres import find_postgres, start_postgres
from tests.servers import start_mlflow_server

import_tensorflow(log_level=3)


@pytest.fixture(scope="session")
def compose():
    """Composes overrides as the command line does, without tracking and without measuring plans."""
    fixed = ["tracking=off", "plan.name=step", "plan.measurements=null"]
    return lambda *overrides: compose_config([*fixed, *overrides])


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL."""
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed: there is no initdb")
    with start_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(postgres, tmp_path_factory):
    """An MLflow server on PostgreSQL that hands out the files of a folder."""
    folder = tmp_path_factory.mktemp("server")
    database = postgres.create_database("tests")
    with start_mlflow_server(database, folder / "artifacts") as server:
        yield server
