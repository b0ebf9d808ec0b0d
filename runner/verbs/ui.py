"""Serves the MLflow UI on the configured store."""

import argparse

from runner.composition import compose_config
from runner.tracking.ui import serve_ui


def run(arguments: list[str]) -> int:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m runner ui", description="Serve the MLflow UI.")
    parser.add_argument("--run", help="id of the run to open")
    parser.add_argument("--port", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("overrides", nargs="*", help="such as tracking.database=PATH")
    parsed = parser.parse_args(arguments)
    serve_ui(compose_config(parsed.overrides).tracking, parsed.run, parsed.port)
    return 0
