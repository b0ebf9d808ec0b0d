"""How a command ends: the known errors, as text and exit status."""

from models.problems import ConfigError
from runner.composition_errors import explain
from runner.engine.errors import StepError
from runner.tracking.tracker import TrackingError

FAILED = 1
BAD_CONFIG = 2


def describe_known(error: Exception) -> tuple[str, int] | None:
    """Returns the text and the exit status of a known error; None for one that is none."""
    if isinstance(error, ConfigError):
        return str(error), BAD_CONFIG
    if isinstance(error, StepError | TrackingError):
        return str(error), FAILED
    problem = explain(error)
    if problem is None:
        return None
    notes = (f"    {note}" for note in problem.notes)
    return "\n".join([str(problem), *notes]), BAD_CONFIG
