"""Reads what two runs are compared by: configuration, code, environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from runner.tracking.pages import read_text
from runner.tracking.records import RunRecord
from runner.tracking.runs import RESOLVED

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATCH = "code/diff.patch"
REQUIREMENTS = "environment/requirements.txt"


@dataclass(frozen=True)
class RunContents:
    """A run and what its files hold.

    Attributes:
        run: The run.
        config: Its whole configuration; None where it kept none.
        patch: What its code had besides the commit; empty for nothing.
        requirements: The packages that were installed, a line each; empty where they are unknown.
        folder: Where its command was given, which paths are relative to; empty where unknown.
    """

    run: RunRecord
    config: Mapping[str, Any] | None
    patch: str
    requirements: str
    folder: str = ""


def read_contents(client: "MlflowClient", run: RunRecord) -> RunContents:
    """Returns what the files of `run` hold."""
    resolved = yaml.safe_load(read_text(client, run.run_id, RESOLVED) or "{}")
    return RunContents(
        run,
        resolved.get("config"),
        read_text(client, run.run_id, PATCH) or "",
        read_text(client, run.run_id, REQUIREMENTS) or "",
        resolved.get("folder", ""),
    )
