"""What a server answers, and what is made of it; the servers are small ones of our own."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from models.problems import ConfigError
from runner.config import ServerTrackingConfig
from runner.tracking.mlflow import open_store
from runner.tracking.server import ServerUnreachableError, check_server, explaining_refusals
from runner.tracking.store import open_client

CREDENTIALS = {
    "MLFLOW_TRACKING_USERNAME": "me",
    "MLFLOW_TRACKING_PASSWORD": "secret of mine",
    "MLFLOW_TRACKING_TOKEN": "token of mine",
}
USER = ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"]


@pytest.fixture(autouse=True)
def without_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    names = ["SERVER_CERT_PATH", "CLIENT_CERT_PATH", "INSECURE_TLS", "AUTH"]
    for name in (*CREDENTIALS, *(f"MLFLOW_TRACKING_{name}" for name in names)):
        monkeypatch.delenv(name, raising=False)
    # Where MLflow reads credentials too.
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def answering(answers, context=None):
    """Yields the address of a server with an answer a path, and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, kind, body = answers.get(self.path, (404, "text/html", "<html></html>"))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


SEARCH = "/api/2.0/mlflow/experiments/search"
GOOD = {
    "/version": (200, "text/html", "3.17.2"),
    SEARCH: (200, "application/json", json.dumps({"experiments": []})),
}


def tracking_of(uri):
    return ServerTrackingConfig(experiment="digits", run_name=None, pictures=0, uri=uri)


@pytest.mark.parametrize("version", ["3.0.0", "3.17.2", "4.1.0rc0", "<html></html>"])
def test_a_server_that_answers_as_mlflow_does_is_taken(version):
    answers = {**GOOD, "/version": (200, "text/html", version)}
    with answering(answers) as (uri, asked):
        check_server(tracking_of(uri))
        assert asked == [("/version", None), (SEARCH, None)]


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ({}, "{}" + SEARCH + " answers 404 with text/html."),
        (
            dict.fromkeys(["/version", SEARCH], (200, "text/html", "<html></html>")),
            "{}" + SEARCH + " answers 200 with text/html.",
        ),
        (
            {SEARCH: (200, "application/json", "[]")},
            "{}" + SEARCH + " answers 200 with application/json.",
        ),
    ],
    ids=["404", "a page", "a list"],
)
def test_a_server_that_is_no_mlflow_is_refused(answers, hint):
    with answering(answers) as (uri, _), pytest.raises(ConfigError) as caught:
        check_server(tracking_of(uri))
    assert str(caught.value) == (
        f"tracking.uri: expected the address of an MLflow server; received {uri!r} (str). "
        f"{hint.format(uri)}"
    )


def test_a_server_that_is_too_old_is_refused():
    answers = {**GOOD, "/version": (200, "text/html", "2.22.1")}
    with answering(answers) as (uri, _), pytest.raises(ConfigError) as caught:
        check_server(tracking_of(uri))
    assert str(caught.value) == (
        f"tracking.uri: expected an MLflow server of version 3 or newer; received {uri!r} (str). "
        "It is one of 2.22.1: upgrade it."
    )


@pytest.mark.parametrize(
    ("status", "given", "message"),
    [
        (
            status,
            [],
            f"tracking.uri: {{}} asks who you are ({status}). Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment.",
        )
        for status in (401, 403)
    ]
    + [
        (
            401,
            USER[:1],
            "tracking.uri: {} asks who you are (401). Set MLFLOW_TRACKING_PASSWORD too.",
        ),
        (
            401,
            USER,
            "tracking.uri: {} does not accept MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD of the environment (401). Correct them, or ask for an "
            "account.",
        ),
        (
            401,
            ["MLFLOW_TRACKING_TOKEN"],
            "tracking.uri: {} does not accept MLFLOW_TRACKING_TOKEN of the environment (401). "
            "Correct them, or ask for an account.",
        ),
        (
            403,
            USER,
            "tracking.experiment: {} does not let the user of MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD work on 'digits' (403). Ask who runs it for the permission "
            "EDIT, or choose another experiment.",
        ),
    ],
)
def test_who_is_refused_is_told_what_to_set(monkeypatch, status, given, message):
    for name in given:
        monkeypatch.setenv(name, CREDENTIALS[name])
    answers = dict.fromkeys(["/version", SEARCH], (status, "text/html", "no"))
    with answering(answers) as (uri, _), pytest.raises(ConfigError) as caught:
        check_server(tracking_of(uri))
    assert str(caught.value) == message.format(uri)


def test_a_server_that_is_asked_by_a_name_not_its_own_is_told_of():
    body = "Invalid Host header - possible DNS rebinding attack detected"
    answers = {**GOOD, SEARCH: (403, "text/plain", body)}
    with answering(answers) as (uri, _), pytest.raises(ConfigError) as caught:
        check_server(tracking_of(uri))
    host = uri.removeprefix("http://")
    assert str(caught.value) == (
        f"tracking.uri: {uri} does not take {host} for a name of its own (403). Start it with "
        f"--allowed-hosts {host}, or use an address that it knows."
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [(USER, "Basic bWU6c2VjcmV0IG9mIG1pbmU="), (["MLFLOW_TRACKING_TOKEN"], "Bearer token of mine")],
)
def test_the_credentials_of_the_environment_are_sent(monkeypatch, given, sent):
    for name in given:
        monkeypatch.setenv(name, CREDENTIALS[name])
    with answering(GOOD) as (uri, asked):
        check_server(tracking_of(uri))
    assert [authorization for _, authorization in asked] == [sent, sent]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_that_cannot_answer_now_may_later(status):
    answers = dict.fromkeys(["/version", SEARCH], (status, "text/html", "no"))
    with answering(answers) as (uri, _):
        later = pytest.raises(ServerUnreachableError, match=rf"^{uri} answers {status} \w+")
        with later:
            check_server(tracking_of(uri))
        with later:
            open_store(tracking_of(uri))


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_server_that_is_gone_may_come_back():
    uri = free_address()
    with pytest.raises(ServerUnreachableError) as caught:
        check_server(tracking_of(uri))
    assert str(caught.value) == f"{uri} does not answer: [Errno 111] Connection refused"


def test_what_reads_a_store_needs_its_server_now():
    uri = free_address()
    with pytest.raises(ConfigError) as caught:
        open_client(tracking_of(uri))
    assert str(caught.value) == (
        f"tracking.uri: {uri} does not answer: [Errno 111] Connection refused. Start it, or check "
        "its address."
    )


def test_a_server_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("runner.tracking.server._ANSWER_SECONDS", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnreachableError, match=r"does not answer: .*timed out"):
            check_server(tracking_of(uri))


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (socket.EAI_NONAME, ConfigError, r"There is no such host\.$"),
        (socket.EAI_AGAIN, ServerUnreachableError, "does not answer: "),
    ],
)
def test_a_host_that_does_not_exist_is_refused(monkeypatch, code, error, message):
    def fail(*arguments, **options):
        raise socket.gaierror(code, "no address")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(error, match=message):
        check_server(tracking_of("http://nowhere.invalid"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that is its own authority, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", files[0], "-keyout", files[1]]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return files


def test_a_certificate_has_to_be_trusted(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with answering(GOOD, context) as (uri, _):
        with pytest.raises(ConfigError) as caught:
            check_server(tracking_of(uri))
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate[0]))
        check_server(tracking_of(uri))
    message = str(caught.value)
    assert message.startswith(f"tracking.uri: no connection to {uri} can be made: [SSL: ")
    assert message.endswith(
        ". Check MLFLOW_TRACKING_SERVER_CERT_PATH and its like, and whether it is http or https."
    )


def test_a_server_without_tls_is_refused_where_https_is_asked_for():
    with answering(GOOD) as (uri, _), pytest.raises(ConfigError, match=r"\[SSL: WRONG_VERSION"):
        check_server(tracking_of(uri.replace("http:", "https:")))


def test_settings_of_tls_that_contradict_are_refused(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/certificate.pem")
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
    with pytest.raises(ConfigError, match="only one of these environment variables may be set"):
        check_server(tracking_of("https://127.0.0.1"))


def test_what_a_user_may_not_do_is_a_refusal_and_all_else_is_not(monkeypatch):
    for name in USER:
        monkeypatch.setenv(name, CREDENTIALS[name])
    create = "/api/2.0/mlflow/experiments/create"
    with answering({create: (403, "text/html", "Permission denied")}) as (uri, _):
        tracking = tracking_of(uri)
        client = MlflowClient(uri)
        with pytest.raises(ConfigError) as caught, explaining_refusals(tracking):
            client.create_experiment("digits")
        assert "does not let the user of" in str(caught.value)
        with pytest.raises(MlflowException, match="404"), explaining_refusals(tracking):
            client.get_run("none")
