"""MLflow servers as docs/server.md says to start them, and runs that are logged there."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient
from moto.server import ThreadedMotoServer

from runner.composition import PROJECT
from tests.postgres import choose_user, find_postgres
from tests.servers import HOST, find_port

pytestmark = [pytest.mark.integration, pytest.mark.server]

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMPOSE = PROJECT / "docs" / "server" / "compose.yaml"
RUN = "python -m runner tracking=server"
QUICK = ["model=mlp", "task.epochs=1", "trace.steps=null"]
START_SECONDS = 120
REFUSED = 2


class Page:
    """Runs the commands of a page with ports and a home folder of its own."""

    def __init__(self, home, stack):
        self.home = home
        self._stack = stack
        self._server = ExitStack()
        self._ports = {port: str(find_port()) for port in ("5000", "5432", "9000")}
        self.uri = f"http://{HOST}:{self._ports['5000']}"
        self.storage_port = int(self._ports["9000"])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        programs = [str(Path(sys.executable).parent), kept["PATH"]]
        self._environment = {
            **kept,
            "HOME": str(home),
            "PATH": ":".join(programs),
            "PYTHONPATH": str(PROJECT),
            # What pip is asked for is there.
            "PIP_NO_INDEX": "1",
        }

    def run(self, block, user=None):
        """Returns what came of a block of commands; a server is left running."""
        text = re.sub("|".join(self._ports), lambda found: self._ports[found[0]], block)
        options = [*QUICK, f"hydra.run.dir={self.home}/runs/${{now:%H-%M-%S-%f}}"]
        text = text.replace(RUN, " ".join([RUN, *(f"'{option}'" for option in options)]))
        arguments = {"cwd": PROJECT, "env": self._environment, "user": user}
        if "mlflow server" in text:
            self._server.close()
            self._stack.enter_context(self._server)
            self._server.enter_context(serving(self.uri, ["bash", "-euc", text], arguments))
            return None
        command = ["bash", "-euo", "pipefail", "-c", text]
        with tempfile.TemporaryFile("w+") as output:
            # A file, since a database that is started keeps a pipe open.
            finished = subprocess.run(command, stdout=output, stderr=output, **arguments)
            output.seek(0)
            return finished.returncode, output.read()


@contextmanager
def serving(uri, command, arguments):
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, **arguments
        )
        try:
            wait_for_answer(uri, process, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_answer(uri, process, log):
    ends = time.monotonic() + START_SECONDS
    while not answers(uri):
        if process.poll() is not None or time.monotonic() > ends:
            log.seek(0)
            pytest.fail(f"no server on {uri}: {log.read()[-3000:]}")
        time.sleep(0.2)


def answers(uri):
    connection = http.client.HTTPConnection(uri.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def page():
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed: there is no initdb")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    # Not in pytest's folder, which is none but its user's.
    home = Path(tempfile.mkdtemp(prefix="feedfetch-page-"))
    if choose_user() is not None:
        shutil.chown(home, choose_user())
    try:
        with ExitStack() as stack:
            yield Page(home, stack)
    finally:
        shutil.rmtree(home)


@contextmanager
def storing(port):
    server = ThreadedMotoServer(ip_address=HOST, port=port, verbose=False)
    server.start()
    try:
        yield
    finally:
        server.stop()


def read_account(page, name, monkeypatch):
    text = (page.home / "mlflow" / f"{name}.env").read_text(encoding="utf-8")
    for variable, value in re.findall(r"export (\w+)=(\S+)", text):
        monkeypatch.setenv(variable, value)


def take(blocks, start):
    """Returns the next block, which has `start` in it, so that none is left out by mistake."""
    block = next(blocks)
    assert start in block
    return block


@pytest.mark.slow
def test_the_commands_of_the_page_start_a_server_that_takes_runs(page, monkeypatch):
    blocks = iter(BLOCK.findall((PROJECT / "docs" / "server.md").read_text(encoding="utf-8")))
    as_user = choose_user()

    def run(start, user=None, status=0):
        block = take(blocks, start)
        came = page.run(block, user)
        assert came is None or came[0] == status, came[1]
        return block, came

    run("pip install")
    run("openssl rand", as_user)
    assert (page.home / "mlflow" / "server.env").stat().st_mode & 0o077 == 0
    run("initdb", as_user)
    stop = BLOCK.findall((PROJECT / "docs" / "server.md").read_text(encoding="utf-8"))[-1]
    page._stack.callback(lambda: page.run(stop, as_user))

    run("mlflow server")
    status, said = page.run(f"export MLFLOW_TRACKING_URI={page.uri}\n{RUN}")
    assert status == REFUSED
    assert f"tracking.uri: {page.uri} asks who you are (401). Set MLFLOW_TRACKING_USERNAME" in said
    run("create_user")
    _, (_, said) = run("ann.env")
    first = re.search(r"^run +(\w+)$", said, re.MULTILINE)[1]
    wrong = f". ~/mlflow/ann.env\nexport MLFLOW_TRACKING_PASSWORD=wrong\n{RUN}"
    status, said = page.run(wrong)
    assert status == REFUSED
    assert "does not accept MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in said
    status, said = page.run(f". ~/mlflow/ben.env\n{RUN}")
    assert status == REFUSED
    assert "the user of MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD work on 'd" in said
    run("grant_user_permission")
    run("ben.env")

    read_account(page, "ann", monkeypatch)
    client = MlflowClient(page.uri)
    runs = client.search_runs([client.get_run(first).info.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert (page.home / "mlflow" / "artifacts").is_dir()
    assert_files_come_back(client, first, page.home / "from_folder")

    run("s3.env")
    with storing(page.storage_port):
        run("create_bucket")
        run("s3://mlflow/artifacts")
        status, said = page.run(f". ~/mlflow/ann.env\n{RUN}")
        assert status == 0, said
        second = re.search(r"^run +(\w+)$", said, re.MULTILINE)[1]
        assert_files_come_back(client, second, page.home / "from_s3")
        assert not list((page.home / "mlflow" / "artifacts").glob(f"**/{second}"))
    take(blocks, "pg_ctl stop")
    assert next(blocks, None) is None


def assert_files_come_back(client, run_id, folder):
    folder.mkdir()
    weights = Path(client.download_artifacts(run_id, "weights/weights.npz", str(folder)))
    assert weights.read_bytes().startswith(b"PK")
    assert client.get_run(run_id).info.artifact_uri.startswith("mlflow-artifacts:/")


def fill(value, secrets):
    """Returns a value of a compose file with its variables in it, as compose fills them in."""

    def find(match):
        name, default, message = match.groups()
        if name in secrets:
            return secrets[name]
        assert message is None, f"{name} is not set"
        return default

    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?([^}]*))\}", find, str(value))


@pytest.mark.slow
def test_the_services_of_the_compose_file_do_with_what_it_gives_them(postgres, monkeypatch):
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    storage_port, port = find_port(), find_port()
    secrets = {
        "POSTGRES_PASSWORD": "of the database",
        "STORAGE_PASSWORD": "of the storage",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "of the administrator",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of the pages",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:{port}",
    }
    places = {
        "PGHOST": HOST,
        "PGPORT": str(postgres.port),
        "MLFLOW_S3_ENDPOINT_URL": f"http://{HOST}:{storage_port}",
        "MLFLOW_AUTH_CONFIG_PATH": str(COMPOSE.parent / "auth.ini"),
    }

    def environment_of(service):
        given = {
            key: fill(value, secrets) for key, value in services[service]["environment"].items()
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **given, **{key: places[key] for key in places if key in given}}

    def command_of(service):
        first, *rest = services[service]["command"]
        rest = [text.replace("=0.0.0.0", f"={HOST}").replace("=5000", f"={port}") for text in rest]
        return [str(Path(sys.executable).parent / first), *rest]

    assert postgres.create_database("mlflow").endswith(
        services["database"]["environment"]["POSTGRES_DB"]
    )
    uri = f"http://{HOST}:{port}"
    with storing(storage_port), tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            subprocess.run(command_of("bucket"), env=environment_of("bucket"), check=True)
        arguments = {"cwd": folder, "env": environment_of("server")}
        with serving(uri, command_of("server"), arguments):
            monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
            monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", secrets["MLFLOW_AUTH_ADMIN_PASSWORD"])
            client = MlflowClient(uri)
            run_id = client.create_run(client.create_experiment("composed")).info.run_id
            client.log_text(run_id, "a line", "text.txt")
            found = client.download_artifacts(run_id, "text.txt", folder)
            assert Path(found).read_text(encoding="utf-8") == "a line"


def test_what_is_done_with_a_run_is_done_with_one_on_a_server(mlflow_server, tmp_path):
    server = ["tracking=server", f"tracking.uri={mlflow_server.uri}", "tracking.experiment=served"]
    server.append(f"tracking.spool={tmp_path}/spool")

    def run(*arguments, status=0):
        finished = subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == status, finished.stderr
        return finished

    folders = [f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep"]
    swept = run("-m", *server, *QUICK, *folders, "seed=0,1")
    client = MlflowClient(mlflow_server.uri)
    experiment = client.get_experiment_by_name("served")
    parent, *jobs = client.search_runs([experiment.experiment_id], order_by=["start_time"])
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent.info.run_id}
    assert [one.info.status for one in (parent, *jobs)] == ["FINISHED"] * 3
    assert re.findall(r"^run +(\w+)$", swept.stdout, re.MULTILINE) == [
        job.info.run_id for job in jobs
    ]
    assert "View run" not in swept.stdout + swept.stderr

    first = jobs[0]
    run_id = first.info.run_id
    evaluated = run(*server, "task=evaluate", f"from_run={run_id}", *folders)
    other = client.get_run(re.search(r"^run +(\w+)$", evaluated.stdout, re.MULTILINE)[1])
    assert other.data.tags["from_run"] == run_id
    assert other.data.metrics["test/loss"] == first.data.metrics["test/loss"]

    shown = run("ui", *server, "--run", run_id)
    place = f"#/experiments/{experiment.experiment_id}/runs/{run_id}"
    assert shown.stdout == f"{mlflow_server.uri}/{place}?workflowType=machine_learning\n"
    unknown = run("ui", *server, "--run", "none", status=REFUSED)
    assert unknown.stderr.startswith(
        "--run: expected a run's id, its name, its folder or last; received 'none' (str). "
    )
