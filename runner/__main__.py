"""The entry: a verb, or an experiment that Hydra composes."""

import os
import signal
import sys
import traceback
from types import FrameType, TracebackType
from typing import NoReturn

from runner.command import run_command
from runner.composition import register
from runner.exits import describe_known
from runner.secrets import learn_arguments, learn_environment, redact
from runner.verbs import find_verb


class Terminated(BaseException):
    """The process was asked to end."""


def main() -> None:
    """Runs the command line; exits with 0, 1 for a failed run, 2 for a wrong configuration."""
    register()
    signal.signal(signal.SIGTERM, _terminate)
    arguments = sys.argv[1:]
    learn_environment(os.environ)
    learn_arguments(arguments)
    sys.excepthook = _show_redacted
    try:
        verb = find_verb(arguments[0]) if arguments else None
        if verb is not None:
            sys.exit(verb(arguments[1:]))
        run_command(arguments)
    except KeyboardInterrupt:
        _exit("interrupted", 128 + signal.SIGINT)
    except Terminated:
        _exit("terminated", 128 + signal.SIGTERM)
    except Exception as error:
        if (known := describe_known(error)) is not None:
            _exit(*known)
        raise


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated


def _show_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{redact(message)}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
