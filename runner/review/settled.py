"""Tells what a run was made with from how that was declared, so that a repetition is the same.

A repetition is configured with what the first run had chosen for itself: the plan and its threads,
paths as they led, and in the place of minutes the steps that were taken in them.
"""

from collections.abc import Mapping
from pathlib import Path

from runner.paths import expand_path
from runner.plan_choice import PlanChoice
from runner.review.cells import format_value
from runner.tracking.records import RERUN_OF, RunRecord

PLAN = ("plan.name", "plan.jit_compile")
# What says where a run is kept, and nothing of what it is.
_LEFT_OUT = ("tracking.", "plan.measurements")
_THREADS = "session.intra_op_parallelism_threads"
_CLOCK = ("task.stop.minutes", "task.stop.steps")
_TASK, _PREDICTIONS = "task.name", "task.file"


def settle_values(values: Mapping[str, str], run: RunRecord) -> dict[str, str]:
    """Returns values of a configuration with what `run` chose for itself in their place.

    Args:
        values: What is configured, by dotted path, as YAML writes it.
        run: The run that is configured with it.
    """
    settled = {name: value for name, value in values.items() if not name.startswith(_LEFT_OUT)}
    plan = run.tags.get("plan")
    if plan is not None and PLAN[0] in values:
        chosen = PlanChoice.parse(plan)
        settled |= {PLAN[0]: chosen.name, PLAN[1]: format_value(chosen.jit_compile)}
        if chosen.threads:
            settled[_THREADS] = str(chosen.threads)
    return settled


def is_same_path(values: tuple[str, str], folders: tuple[str, str]) -> bool:
    """Returns whether paths lead to the same.

    Args:
        values: What may be paths, of either run.
        folders: Those that they are relative to; "" where one is not known.
    """
    if not all(folders):
        return False
    first, second = (
        Path(expand_path(folder), expand_path(value))
        for folder, value in zip(folders, values, strict=True)
    )
    return first == second


def list_pinned(
    first: tuple[RunRecord, Mapping[str, str]], second: tuple[RunRecord, Mapping[str, str]]
) -> set[str]:
    """Returns the names of values that are others since one run repeats the other.

    Args:
        first: A run, and its values by dotted path.
        second: Another.
    """
    for (origin, values), (repetition, repeated) in ((first, second), (second, first)):
        if repetition.tags.get(RERUN_OF) == origin.run_id:
            return {
                *_list_clock(values, repeated, repetition),
                *_list_predictions(values, repeated),
            }
    return set()


def _list_clock(
    values: Mapping[str, str], repeated: Mapping[str, str], repetition: RunRecord
) -> tuple[str, ...]:
    minutes, _ = _CLOCK
    is_set_anew = "task.stop" in repetition.tags.get("overrides", "")
    had_clock = values.get(minutes, "null") != "null" and repeated.get(minutes) == "null"
    return _CLOCK if had_clock and not is_set_anew else ()


def _list_predictions(values: Mapping[str, str], repeated: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the file that predictions are written to, which is not over the first run's own."""
    files = [Path(each.get(_PREDICTIONS, "")).name for each in (values, repeated)]
    is_same = values.get(_TASK) == "predict" and files[0] == files[1]
    return (_PREDICTIONS,) if is_same else ()
