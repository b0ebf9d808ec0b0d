"""What becomes of values that are not there: NaN, and the empty cells of a table."""

import logging
from collections.abc import Mapping

import numpy as np

from models.problems import ConfigError, Problem

_SHOWN = 3

log = logging.getLogger(__name__)


def choose_rows(
    missing: Mapping[str, np.ndarray], policy: str, hint: str, numbers: np.ndarray
) -> np.ndarray:
    """Returns the rows to take, (taken,) integers in order.

    Args:
        missing: (rows,) booleans by the name of an array or a column, true where a value is
            missing.
        policy: ``refuse``, ``drop`` those rows, or ``keep`` them.
        hint: What else to do, a sentence.
        numbers: (rows,) how each row is numbered in messages.

    Raises:
        ConfigError: If a value is missing and `policy` is to refuse.
    """
    is_missing = np.logical_or.reduce([np.zeros(len(numbers), bool), *missing.values()])
    if policy == "keep" or not is_missing.any():
        return np.arange(len(is_missing))
    if policy == "drop":
        warn_of_dropped(int(is_missing.sum()), len(is_missing), missing)
        return np.flatnonzero(~is_missing)
    problems = []
    for name, rows in missing.items():
        places = numbers[rows]
        if not len(places):
            continue
        shown = ", ".join(map(str, places[:_SHOWN]))
        more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        where = f"in row {shown}{more}, counted from 0"
        message = f"expected a value; {name} has none {where}. {hint}"
        problems.append(Problem("data.missing", message))
    raise ConfigError(problems)


def warn_of_dropped(
    dropped: int, rows: int, missing: Mapping[str, np.ndarray] | None = None
) -> None:
    """Tells how many rows are left out for a value that is missing.

    Args:
        dropped: How many; nothing is told of none.
        rows: Of how many.
        missing: As in `choose_rows`; None where the columns are not known.
    """
    if not dropped:
        return
    counts = [
        f"{name} {in_rows.sum()}" for name, in_rows in (missing or {}).items() if in_rows.any()
    ]
    where = f" ({', '.join(counts)})" if counts else ""
    log.warning("data: %d of %d rows miss a value and are left out%s", dropped, rows, where)
