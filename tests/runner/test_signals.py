"""Signals that come while something is written."""

import os
import signal
import threading

import pytest

from runner.signals import hold_signals


class Ended(BaseException):
    """What the tests' handler raises."""


@pytest.fixture(autouse=True)
def handler():
    def end(number, frame):
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    yield end
    for number, handler in before.items():
        assert signal.getsignal(number) is end
        signal.signal(number, handler)


def write_while_signalled(numbers, written, error=None):
    with hold_signals():
        for number in numbers:
            os.kill(os.getpid(), number)
        written.append("all of it")
        if error is not None:
            raise error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_acts_once_the_block_has_ended(number):
    written = []
    with pytest.raises(Ended) as caught:
        write_while_signalled([number], written)
    assert caught.value.args == (number,)
    assert written == ["all of it"]


def test_a_block_within_a_block_holds_on():
    written = []

    def write():
        with hold_signals():
            write_while_signalled([signal.SIGTERM], written)
            written.append("and more")

    with pytest.raises(Ended):
        write()
    assert written == ["all of it", "and more"]


def test_a_second_signal_acts_at_once():
    written = []
    with pytest.raises(Ended):
        write_while_signalled([signal.SIGTERM, signal.SIGTERM], written)
    assert written == []


def test_a_signal_acts_after_an_error_of_the_block_which_it_keeps():
    error = ValueError("a write failed")
    with pytest.raises(Ended) as caught:
        write_while_signalled([signal.SIGTERM], [], error)
    assert caught.value.__context__ is error


def test_a_thread_of_its_own_holds_nothing(handler):
    seen = []

    def look():
        with hold_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [handler]
