"""Tells a store that is away for a while from one that refuses what it is asked."""

import errno
import sqlite3
from collections.abc import Iterator

import requests
from mlflow.exceptions import ERROR_CODE_TO_HTTP_STATUS, MlflowException

from runner.tracking.server import AccessError

_ACCESS = (401, 403)
_ACCESS_CODES = {code for code, status in ERROR_CODE_TO_HTTP_STATUS.items() if status in _ACCESS}
_HTTP_TOO_OFTEN = (408, 425, 429)
_HTTP_NOT_IMPLEMENTED = 501
_HTTP_SERVER = 500

# Busy or locked by another, out of space, out of reach. What a table lacks stays away.
_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
}
_PRIMARY_CODE = 0xFF

# A disk that is full or a mount that is away; a path that is forbidden stays so.
_ERRORS = {
    errno.EAGAIN,
    errno.EDQUOT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EINTR,
    errno.EIO,
    errno.EMFILE,
    errno.ENETUNREACH,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.ENOTCONN,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
_NEVER = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"


def is_transient(error: BaseException) -> bool:
    """Returns whether what failed with `error` may succeed when it is done again, as it is.

    A connection that is refused or breaks, a timeout, the answers 408, 425, 429 and 5xx but 501, a
    SQLite file that is locked or on a full disk are; every other answer, refused values among them,
    is not.
    """
    for cause in _causes(error):
        match cause:
            case requests.exceptions.HTTPError() if cause.response is not None:
                return _is_transient_status(cause.response.status_code)
            case requests.exceptions.RequestException():
                return not isinstance(cause, _NEVER) and _CERTIFICATE not in str(cause)
            case sqlite3.Error():
                code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_OK)
                return code & _PRIMARY_CODE in _SQLITE
            case ConnectionError() | TimeoutError():
                return True
            case OSError():
                return cause.errno in _ERRORS
    if isinstance(error, MlflowException):
        return _is_transient_status(ERROR_CODE_TO_HTTP_STATUS.get(error.error_code, _HTTP_SERVER))
    return bool(getattr(error, "connection_invalidated", False))


def is_access_refused(error: BaseException) -> bool:
    """Returns whether the store refuses who asks, and might let another do it."""
    for cause in _causes(error):
        match cause:
            case AccessError():
                return True
            case requests.exceptions.HTTPError() if cause.response is not None:
                return cause.response.status_code in _ACCESS
            case MlflowException() if cause.error_code in _ACCESS_CODES:
                return True
    return False


def is_timeout(error: BaseException) -> bool:
    """Returns whether the store did not answer within the time that it was given."""
    return any(isinstance(cause, TimeoutError | requests.Timeout) for cause in _causes(error))


def describe_failure(error: BaseException) -> str:
    """Returns what the error came from, in a line: MLflow's own often says little."""
    *_, told = _causes(error)
    lines = str(told).splitlines()
    return f"{type(told).__name__}: {lines[0] if lines else ''}"


def _is_transient_status(status: int) -> bool:
    is_of_server = status >= _HTTP_SERVER and status != _HTTP_NOT_IMPLEMENTED
    return status in _HTTP_TOO_OFTEN or is_of_server


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields `error` and what it came from, the outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
