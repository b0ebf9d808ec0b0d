"""Real MLflow servers for the tests, and a proxy in front of one that has faults on demand."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"
_START_SECONDS = 120.0


def find_port() -> int:
    """Returns a port of the local address that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class MlflowServer:
    """A server as a process, which can be killed, stopped and started again on the same store."""

    backend_uri: str
    artifacts: Path
    port: int
    process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", self.backend_uri]
        command += ["--artifacts-destination", str(self.artifacts)]
        environment = {
            **os.environ,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        self.artifacts.mkdir(parents=True, exist_ok=True)
        with (self.artifacts.parent / f"server-{self.port}.log").open("ab") as log:
            # What it writes where it is started, as a database of accounts, goes with the rest.
            self.process = subprocess.Popen(
                command,
                cwd=self.artifacts.parent,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()

    def signal(self, number: int) -> None:
        """Sends a signal to all of its processes."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kills it without a word."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def _wait(self) -> None:
        ends = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self.process is not None
            assert self.process.poll() is None, f"mlflow server ended: {self.process.returncode}"
            assert time.monotonic() < ends, "mlflow server does not answer"
            time.sleep(0.1)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def start_mlflow_server(
    backend_uri: str,
    artifacts: Path,
) -> Iterator[MlflowServer]:
    """Yields a real server, which ends with the block.

    Args:
        backend_uri: Its database, such as ``sqlite:///PATH`` or ``postgresql://...``.
        artifacts: The folder in which it keeps files; its log is written beside it.
    """
    server = MlflowServer(backend_uri, artifacts, find_port())
    server.start()
    try:
        yield server
    finally:
        server.kill()


class FaultyProxy:
    """Stands in front of a server and does to requests what ``fault`` says.

    Attributes:
        fault: None passes requests on; ``error`` answers 500, an integer that status; ``refuse``
            closes the connection; ``hang`` keeps it without an answer; ``lose`` passes the request
            on and closes the connection instead of giving the answer.
        only: Requests whose path has this in it meet the fault; all do where it is empty.
        times: How many requests meet the fault before it is over; None for all.
    """

    def __init__(self, target_port: int) -> None:
        self.fault: str | int | None = None
        self.only = ""
        self.times: int | None = None
        self.seen: list[str] = []
        self._target_port = target_port
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), self._make_handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def set(self, fault: str | int | None, only: str = "", times: int | None = None) -> None:
        """Has requests from now on meet `fault`, and lets those go that hang."""
        with self._lock:
            self.fault, self.only, self.times = fault, only, times
            self._released.set()
            self._released = threading.Event()

    def close(self) -> None:
        self.set(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take_fault(self, path: str) -> str | int | None:
        with self._lock:
            self.seen.append(path)
            if self.fault is None or self.only not in path or self.times == 0:
                return None
            if self.times is not None:
                self.times -= 1
            return self.fault

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                match proxy._take_fault(self.path):
                    case None:
                        self._pass_on(body)
                    case "error":
                        self._answer(500, b"the proxy was told to", {})
                    case int(status):
                        self._answer(status, b"the proxy was told to", {})
                    case "hang":
                        proxy._released.wait(600)
                        self.close_connection = True
                    case "lose":
                        self._request(body)
                        self.close_connection = True
                    case "refuse":
                        self.close_connection = True

            def _request(self, body: bytes) -> tuple[int, bytes, dict[str, str]]:
                connection = http.client.HTTPConnection(HOST, proxy._target_port, timeout=120)
                headers = {
                    key: value for key, value in self.headers.items() if key.lower() != "host"
                }
                try:
                    connection.request(self.command, self.path, body, headers)
                    response = connection.getresponse()
                    return response.status, response.read(), dict(response.getheaders())
                finally:
                    connection.close()

            def _pass_on(self, body: bytes) -> None:
                try:
                    answer = self._request(body)
                except OSError:
                    self.close_connection = True
                else:
                    self._answer(*answer)

            def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                dropped = ("transfer-encoding", "content-length", "connection", "server", "date")
                try:
                    self.send_response(status)
                    for key, value in headers.items():
                        if key.lower() not in dropped:
                            self.send_header(key, value)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Handler


@contextmanager
def open_proxy(server: MlflowServer) -> Iterator[FaultyProxy]:
    """Yields a proxy in front of `server` that passes all on until it is told otherwise."""
    proxy = FaultyProxy(server.port)
    try:
        yield proxy
    finally:
        proxy.close()
