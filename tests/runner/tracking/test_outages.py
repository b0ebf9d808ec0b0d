"""What is worth another try, and what is not."""

import errno
import sqlite3

import pytest
import requests
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import OperationalError

from runner.tracking.outages import (
    describe_failure,
    is_access_refused,
    is_timeout,
    is_transient,
)
from runner.tracking.server import AccessError


def raise_from(outer, cause):
    try:
        raise outer from cause
    except type(outer) as error:
        return error


def answer(status):
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status}", response=response)


def sqlite_error(*statements):
    """Returns what MLflow raises where SQLite refuses the last statement."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements:
            connection.execute(statement)
    except sqlite3.Error as error:
        wrapped = raise_from(OperationalError("INSERT", {}, error), error)
        return raise_from(MlflowException("failed", 3), wrapped)
    finally:
        connection.close()
    raise AssertionError(statements)


def locked(tmp_path):
    holder = sqlite3.connect(tmp_path / "locked.db")
    holder.execute("CREATE TABLE a (b)")
    holder.execute("BEGIN EXCLUSIVE")
    other = sqlite3.connect(tmp_path / "locked.db", timeout=0)
    try:
        other.execute("INSERT INTO a VALUES (1)")
    except sqlite3.OperationalError as error:
        return raise_from(MlflowException("failed"), error)
    finally:
        other.close()
        holder.close()
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.Timeout("too long"),
        requests.exceptions.RetryError("too many 500 error responses"),
        raise_from(MlflowException("API request failed"), requests.ConnectionError("reset")),
        answer(408),
        answer(429),
        answer(503),
        RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}),
        RestException({"error_code": "INTERNAL_ERROR", "message": "oh"}),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_store_that_is_away_may_come_back(error):
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        answer(401),
        answer(403),
        answer(404),
        answer(501),
        requests.exceptions.InvalidURL("http://"),
        requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"),
        RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}),
        RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "too long"}),
        RestException({"error_code": "PERMISSION_DENIED", "message": "not you"}),
        PermissionError(errno.EACCES, "Permission denied"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        ValueError("a slip of ours"),
    ],
)
def test_what_is_refused_stays_refused(error):
    assert not is_transient(error)


def test_sqlite_is_waited_for_where_it_is_locked_or_its_disk_is_full(tmp_path):
    assert is_transient(locked(tmp_path))
    fill = ["CREATE TABLE a (b)", "PRAGMA max_page_count = 2"]
    full = sqlite_error(*fill, "INSERT INTO a VALUES (zeroblob(100000))")
    assert describe_failure(full) == "OperationalError: database or disk is full"
    assert is_transient(full)
    missing = sqlite_error("INSERT INTO a VALUES (1)")
    assert describe_failure(missing) == "OperationalError: no such table: a"
    assert not is_transient(missing)


def test_a_failure_is_told_by_what_it_came_from():
    cause = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    error = raise_from(
        MlflowException("a long story"), raise_from(requests.ConnectionError(), cause)
    )
    told = f"ConnectionRefusedError: [Errno {errno.ECONNREFUSED}] Connection refused"
    assert describe_failure(error) == told
    assert not is_timeout(error)
    assert is_timeout(raise_from(MlflowException("a long story"), TimeoutError("timed out")))


@pytest.mark.parametrize(
    ("error", "is_refused"),
    [
        (answer(401), True),
        (answer(403), True),
        (answer(400), False),
        (AccessError([]), True),
        (RestException({"error_code": "PERMISSION_DENIED", "message": "no"}), True),
        (RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}), False),
        (raise_from(MlflowException("failed"), answer(401)), True),
        (ValueError("no"), False),
    ],
)
def test_who_is_refused_is_told_from_what_is(error, is_refused):
    assert is_access_refused(error) is is_refused
