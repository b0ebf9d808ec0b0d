"""Says in lines what came of repeating a run: whether it is the same, what is not, and why."""

from collections import Counter
from collections.abc import Iterator, Sequence

from runner.comparison import Compared, Comparison, Verdict
from runner.differences import Difference

_METRICS = "metrics"
# What names of arrays begin with; all else are metrics.
_ARRAYS = ("weights", "fetches", "predictions")
_SINGULAR = {
    _METRICS: "metric",
    "weights": "weight",
    "fetches": "fetched array",
    "predictions": "predicted column",
}
_MOST_ARRAYS = 5


def is_explained(comparison: Comparison, differences: Sequence[Difference]) -> bool:
    """Returns whether runs came to the same, or it is known why they did not."""
    match comparison.verdict:
        case None:
            return False
        case Verdict.DIFFERENT:
            return any(one.is_known for one in differences)
    return True


def describe_comparison(
    comparison: Comparison,
    differences: Sequence[Difference],
    *,
    run: str,
    status: str,
    tolerance: float,
) -> list[str]:
    """Returns the lines that a person reads.

    Args:
        comparison: What came of comparing the runs.
        differences: What the second was repeated with that was not as it was.
        run: The first, by its id or its folder.
        status: How it ended, in MLflow's terms.
        tolerance: The largest relative difference that counts as the same.
    """
    lines = [f"rerun    of {run}: {_summarize(comparison, tolerance)}"]
    if status != "FINISHED":
        lines.append(f"         that run is {status}; compared is what it logged")
    lines += [f"         {line}" for line in _list_values(comparison)]
    for names, where in ((comparison.only_before, "that run"), (comparison.only_after, "this one")):
        if names:
            lines.append(f"         only {where} logged {_shorten(names)}")
    known = [f"differs  {one}" for one in differences if one.is_known]
    unknown = [f"unknown  {one}" for one in differences if not one.is_known]
    return [*lines, *(known or ["differs  nothing that is known"]), *unknown]


def _summarize(comparison: Comparison, tolerance: float) -> str:
    match comparison.verdict:
        case None:
            return "nothing to compare, since there is no value that both logged"
        case Verdict.BITWISE:
            return f"bit for bit the same, {_count(comparison.compared)}"
        case Verdict.WITHIN:
            within = comparison.having(Verdict.WITHIN)
            largest = max(within, key=lambda one: one.difference)
            return (
                f"the same within {tolerance:g}, {_count(within)} of {_count(comparison.compared)} "
                f"not bit for bit; the largest relative difference is {largest.difference:.2g} "
                f"({largest.name})"
            )
    return (
        f"not the same: {_count(comparison.having(Verdict.DIFFERENT))} of "
        f"{_count(comparison.compared)} differ"
    )


def _count(compared: Sequence[Compared]) -> str:
    """Returns how many there are of each kind, such as ``5 metrics and 12 weights``."""
    kinds = Counter(_kind(one) for one in compared)
    counts = [
        f"{kinds[kind]} {one}{'' if kinds[kind] == 1 else 's'}"
        for kind, one in _SINGULAR.items()
        if kinds[kind]
    ]
    return " and ".join(filter(None, [", ".join(counts[:-1]), counts[-1]]))


def _kind(compared: Compared) -> str:
    kind = compared.name.partition("/")[0]
    return kind if kind in _ARRAYS else _METRICS


def _list_values(comparison: Comparison) -> Iterator[str]:
    """Yields what differs: both values of each metric, and of the first arrays."""
    differing = comparison.having(Verdict.DIFFERENT)
    metrics = [one for one in differing if _kind(one) == _METRICS]
    arrays = [one for one in differing if _kind(one) != _METRICS]
    shown = [*metrics, *arrays[:_MOST_ARRAYS]]
    width = max((len(one.name) for one in shown), default=0)
    for one in shown:
        yield f"{one.name:{width}}  {_describe(one)}"
    if len(arrays) > _MOST_ARRAYS:
        yield f"and {len(arrays) - _MOST_ARRAYS} more arrays"


def _describe(compared: Compared) -> str:
    parts = [compared.note] if compared.note else []
    if compared.first is not None:
        before, after = _format(*compared.first)
        place = f"{compared.place}: " if compared.place else ""
        parts.append(f"{place}was {before}, is {after}")
        parts.append(f"relative difference {compared.first_difference:.2g}")
        if compared.largest_place != compared.place:
            parts.append(f"at most {compared.difference:.2g}, in {compared.largest_place}")
    return "; ".join(parts)


def _format(before: object, after: object) -> tuple[str, str]:
    """Returns both with as few digits as tell them apart, but nine at the least."""
    if isinstance(before, float) and isinstance(after, float):
        short = f"{before:.9g}", f"{after:.9g}"
        if short[0] != short[1]:
            return short
    return repr(before), repr(after)


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_ARRAYS])
    more = len(names) - _MOST_ARRAYS
    return f"{shown} and {more} more" if more > 0 else shown
