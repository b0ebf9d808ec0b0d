"""Writes the JSON Schema of the files under conf/."""

import sys
from pathlib import Path

from runner.composition import PROJECT
from runner.paths import show_path
from runner.schema.files import write_schemas
from runner.verbs.parser import VerbParser

FOLDER = PROJECT / "docs" / "schema"


def run(arguments: list[str]) -> int:
    """Writes them and names each file."""
    parser = VerbParser(
        "schema",
        "Write JSON Schema of the files under conf/, by which an editor with a YAML "
        "language server completes and checks them.",
    )
    parser.add_argument("--output-dir", type=Path, default=FOLDER, help="default: %(default)s")
    for file in write_schemas(parser.parse_args(arguments).output_dir):
        sys.stdout.write(f"{show_path(file)}\n")
    return 0
