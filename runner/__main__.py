"""The entry: a verb, or an experiment that Hydra composes."""

import signal
import sys
from types import FrameType
from typing import NoReturn

from runner.command import run_command
from runner.composition import register
from runner.exits import describe_known
from runner.verbs import find_verb


class Terminated(BaseException):
    """The process was asked to end."""


def main() -> None:
    """Runs the command line; exits with 0, 1 for a failed run, 2 for a wrong configuration."""
    register()
    signal.signal(signal.SIGTERM, _terminate)
    arguments = sys.argv[1:]
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


def _exit(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"{message}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
