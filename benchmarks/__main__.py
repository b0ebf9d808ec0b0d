"""Prints every table; `make bench`."""

import sys

from runner.engine.startup import import_tensorflow


def main() -> None:
    """Runs the benchmarks one after another."""
    import_tensorflow(log_level=3)
    from benchmarks import building, training, validating

    lines = [*training.main(), "", *building.main(), "", *validating.main()]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
