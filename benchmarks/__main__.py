"""Prints every table; `make bench`."""

import sys

from runner.engine.startup import import_tensorflow


def main() -> None:
    """Runs the benchmarks one after another."""
    import_tensorflow(log_level=3)
    from benchmarks import building, training

    sys.stdout.write("\n".join([*training.main(), "", *building.main()]) + "\n")


if __name__ == "__main__":
    main()
