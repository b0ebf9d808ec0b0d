"""Lists the verbs, the groups and the values, as ``--help`` does."""

from runner.command import run_command


def run(arguments: list[str]) -> int:
    """Writes what Hydra's ``--help`` writes, for `arguments`, which are overrides."""
    run_command(["--help", *arguments])
    return 0
