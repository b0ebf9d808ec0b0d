"""Prints every table; `make bench`."""

import sys

from runner.engine.startup import import_tensorflow


def main() -> None:
    """Runs the benchmarks one after another."""
    import_tensorflow(log_level=3)
    from benchmarks import training

    sys.stdout.write("\n".join(training.main()) + "\n")


if __name__ == "__main__":
    main()
