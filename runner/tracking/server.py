"""Asks an MLflow server whether runs can be sent to it, and says why it refuses."""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from models.problems import ConfigError, Problem, expected
from runner.config import ServerTrackingConfig, StoreTrackingConfig

if TYPE_CHECKING:
    from requests import Response

_ANSWER_SECONDS = 10.0
# How long MLflow waits for an answer; 120 s by default.
_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_LEAST_VERSION = 3
_SEARCH = "/api/2.0/mlflow/experiments/search"
_USER = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_TOKEN = "MLFLOW_TRACKING_TOKEN"
_CREDENTIALS = f"{_USER[0]} and {_USER[1]}, or {_TOKEN},"
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
# What MLflow answers who asks it by a name that it was not started with.
_WRONG_HOST = "Invalid Host header"
_WHAT = "the address of an MLflow server"


class ServerUnreachableError(ConnectionError):
    """A server gives no answer now, as it may later; the message says why."""


class AccessError(ConfigError):
    """A server does not let who asks do what is asked; another may."""


def check_server(tracking: ServerTrackingConfig) -> None:
    """Asks the server for its version and for an experiment. Imports MLflow.

    Raises:
        ConfigError: If it is no MLflow server, or one too old.
        AccessError: If it refuses who asks.
        ServerUnreachableError: If it gives no answer in MLFLOW_HTTP_REQUEST_TIMEOUT, or 10 seconds
            where that is not set, or says that it cannot.
    """
    _require_version(tracking, _ask(tracking, "GET", "/version").text)
    answer = _ask(tracking, "POST", _SEARCH, {"max_results": 1})
    if answer.status_code != HTTPStatus.OK or not _is_mapping(answer):
        kind = answer.headers.get("content-type", "nothing").partition(";")[0]
        hint = f"{answer.url} answers {answer.status_code} with {kind}."
        raise ConfigError([expected("tracking.uri", _WHAT, tracking.uri, hint)])


@contextmanager
def explaining_refusals(tracking: StoreTrackingConfig) -> Iterator[None]:
    """Turns what a server does not permit into a refusal of the configuration.

    Raises:
        AccessError: If the server does not let the user do what the block does.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
        if isinstance(tracking, ServerTrackingConfig) and status in _REFUSALS:
            raise AccessError([_describe_refusal(tracking, status)]) from error
        raise


def _ask(
    tracking: ServerTrackingConfig,
    method: str,
    path: str,
    content: Mapping[str, Any] | None = None,
) -> "Response":
    """Returns the server's answer, asked as MLflow's own client does by its environment."""
    import requests
    from mlflow.exceptions import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer: Response = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(tracking.uri),  # type: ignore[no-untyped-call]
            path,
            method,
            json=content,
            max_retries=0,
            raise_on_status=False,
            timeout=None if _TIMEOUT in os.environ else _ANSWER_SECONDS,
        )
    except (MlflowException, ValueError) as error:
        cause = error.__cause__ or error.__context__
        is_gone = isinstance(cause, requests.ConnectionError | requests.Timeout)
        if not is_gone or isinstance(cause, requests.exceptions.SSLError):
            raise ConfigError([_describe_failure(tracking, cause or error)]) from error
        if _is_unknown_host(cause):
            hint = "There is no such host."
            raise ConfigError([expected("tracking.uri", _WHAT, tracking.uri, hint)]) from error
        raise ServerUnreachableError(f"{tracking.uri} does not answer: {_root(cause)}") from error
    if answer.status_code == HTTPStatus.FORBIDDEN and _WRONG_HOST in answer.text:
        raise ConfigError([_describe_host(tracking)])
    if answer.status_code in _REFUSALS:
        raise AccessError([_describe_refusal(tracking, answer.status_code)])
    if answer.status_code in _BUSY or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"{tracking.uri} answers {answer.status_code} {answer.reason}".rstrip()
        raise ServerUnreachableError(message)
    return answer


def _require_version(tracking: ServerTrackingConfig, text: str) -> None:
    """Refuses a server of an older version; one that does not tell its own is tried."""
    version = re.fullmatch(r"(\d+)(\.\w+)+", text.strip())
    if version is not None and int(version[1]) < _LEAST_VERSION:
        what = f"an MLflow server of version {_LEAST_VERSION} or newer"
        hint = f"It is one of {version[0]}: upgrade it."
        raise ConfigError([expected("tracking.uri", what, tracking.uri, hint)])


def _describe_refusal(tracking: ServerTrackingConfig, status: int) -> Problem:
    """Returns what to set, or whom to ask, where the server refuses who asks."""
    missing = [name for name in _USER if not os.environ.get(name)]
    if os.environ.get(_TOKEN) and missing:
        given = _TOKEN
    elif not missing:
        given = " and ".join(_USER)
    elif len(missing) == 1:
        message = f"{tracking.uri} asks who you are ({status}). Set {missing[0]} too."
        return Problem("tracking.uri", message)
    else:
        message = f"{tracking.uri} asks who you are ({status}). Set {_CREDENTIALS}"
        return Problem("tracking.uri", f"{message} in the environment.")
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{tracking.uri} does not accept {given} of the environment ({status})."
        return Problem("tracking.uri", f"{message} Correct them, or ask for an account.")
    message = f"{tracking.uri} does not let the user of {given} work on {tracking.experiment!r}"
    hint = "Ask who runs it for the permission EDIT, or choose another experiment."
    return Problem("tracking.experiment", f"{message} ({status}). {hint}")


def _describe_host(tracking: ServerTrackingConfig) -> Problem:
    host = urlsplit(tracking.uri).netloc
    message = f"{tracking.uri} does not take {host} for a name of its own (403)."
    hint = f"Start it with --allowed-hosts {host}, or use an address that it knows."
    return Problem("tracking.uri", f"{message} {hint}")


def _describe_failure(tracking: ServerTrackingConfig, error: BaseException) -> Problem:
    """Returns why no connection can be made, as it cannot later either."""
    reason = str(_root(error)).rstrip(".")
    message = f"no connection to {tracking.uri} can be made: {reason}."
    hint = "Check MLFLOW_TRACKING_SERVER_CERT_PATH and its like, and whether it is http or https."
    return Problem("tracking.uri", f"{message} {hint}")


def _is_unknown_host(error: BaseException | None) -> bool:
    """Returns whether there is no such host, rather than nobody now to ask for its address."""
    root = _root(error)
    return isinstance(root, socket.gaierror) and root.errno == socket.EAI_NONAME


def _root(error: BaseException | None) -> BaseException | None:
    """Returns what `error` came from: HTTP libraries wrap it several times."""
    while error is not None and (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _is_mapping(answer: "Response") -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False
