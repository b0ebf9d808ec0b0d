"""A real PostgreSQL on the local address, where it is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.servers import HOST, find_port

_START_SECONDS = 60.0
_END_SECONDS = 20.0
_DEBIAN = Path("/usr/lib/postgresql")
# It refuses to run as root.
_USERS = ("postgres", "nobody")


@dataclass(frozen=True)
class Postgres:
    """A server that lets everybody in.

    Attributes:
        programs: The folder of its programs.
        port: Where it listens.
    """

    programs: Path
    port: int

    def create_database(self, name):
        """Creates a database and returns its address as MLflow takes it."""
        subprocess.run([self.programs / "createdb", *self.address, name], check=True)
        return f"postgresql+psycopg://mlflow@{HOST}:{self.port}/{name}"

    @property
    def address(self):
        return ["--host", HOST, "--port", str(self.port), "--username", "mlflow"]


def find_postgres():
    """Returns the folder of PostgreSQL's programs, the newest; None where there is none."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("postgres") is not None:
        return Path(found).resolve().parent
    versions = [folder for folder in _DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    return max(versions, key=lambda folder: float(folder.parent.name), default=None)


@contextmanager
def start_postgres():
    """Yields a server without databases, which ends with the block."""
    programs = find_postgres()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed: there is no initdb")
    # Not in pytest's folder, which is none but its user's.
    folder = Path(tempfile.mkdtemp(prefix="feedfetch-postgres-"))
    user = choose_user()
    if user is not None:
        shutil.chown(folder, user)
    try:
        with _running(Postgres(programs, find_port()), folder, user) as postgres:
            yield postgres
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(postgres, folder, user):
    data = folder / "data"
    create = [postgres.programs / "initdb", "--pgdata", data, "--username", "mlflow"]
    options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"]
    subprocess.run(
        [*create, *options], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL
    )
    command = [postgres.programs / "postgres", "-D", data, "-h", HOST, "-p", str(postgres.port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            # It keeps no socket in a folder of the system, and is not to survive the machine.
            [*command, "-k", "", "-c", "fsync=off"],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(postgres, process, folder / "log")
        yield postgres
    finally:
        # By which it ends the connections that are open.
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def choose_user():
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in names)


def _wait(postgres, process, log):
    ready = [postgres.programs / "pg_isready", *postgres.address, "--dbname", "postgres"]
    ends = time.monotonic() + _START_SECONDS
    while subprocess.run(ready, stdout=subprocess.DEVNULL).returncode:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        assert time.monotonic() < ends, "PostgreSQL does not answer"
        time.sleep(0.05)
