"""How far a run is delivered, as it goes from the process that delivers to the run's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.problems import Problem
from runner.tracking.tracker import Status


@dataclass(frozen=True)
class Progress:
    """How far a run is delivered.

    Attributes:
        run_id: Its id; None while the store does not know of it.
        name: Its name; empty while it is not known.
        delivered: How many of its entries the store has acknowledged.
        outage: Why the store takes nothing for now; None where it does.
        problem: What the store refused for good, or where the spool is damaged; None for nothing.
        status: How the run ended, once its end is delivered; None before.
        kept: Where a damaged spool was set aside.
        is_over: Whether nothing more is delivered.
    """

    run_id: str | None = None
    name: str = ""
    delivered: int = 0
    outage: str | None = None
    problem: Problem | None = None
    status: Status | None = None
    kept: Path | None = None
    is_over: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether it is known if the run can be created."""
        answers = (self.run_id, self.outage, self.problem)
        return self.is_over or any(answer is not None for answer in answers)


def encode_progress(progress: Progress) -> dict[str, Any]:
    """Returns `progress` as JSON can hold it."""
    problem = progress.problem
    return {
        "run_id": progress.run_id,
        "name": progress.name,
        "delivered": progress.delivered,
        "outage": progress.outage,
        "problem": None if problem is None else [problem.path, problem.message],
        "status": None if progress.status is None else progress.status.value,
        "kept": None if progress.kept is None else str(progress.kept),
        "is_over": progress.is_over,
    }


def decode_progress(encoded: Mapping[str, Any]) -> Progress:
    """Returns what ``encode_progress`` was given."""
    problem, status, kept = encoded["problem"], encoded["status"], encoded["kept"]
    return Progress(
        **{
            **encoded,
            "problem": None if problem is None else Problem(*problem),
            "status": None if status is None else Status(status),
            "kept": None if kept is None else Path(kept),
        }
    )
