"""Compares what two runs logged, value by value: bit for bit, within a tolerance, or not."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

# The largest that a store keeps; it stands there for an infinity.
_MOST = np.finfo(np.float64).max


class Verdict(Enum):
    """How alike values are, from the best to the worst."""

    BITWISE = "bitwise"
    WITHIN = "within_tolerance"
    DIFFERENT = "different"


@dataclass(frozen=True)
class Values:
    """What a run logged under a name.

    Attributes:
        values: Of a metric (steps,) numbers, of all else an array of any shape.
        steps: (steps,) of a metric; None of all else.
    """

    values: np.ndarray
    steps: np.ndarray | None = None


@dataclass(frozen=True)
class Compared:
    """What came of comparing what two runs logged under a name.

    Attributes:
        name: The name.
        verdict: How alike they are.
        difference: The largest relative difference; 0 where the bits are the same, infinite where
            the shapes differ, or only one is a number.
        first: The first of the values that differ, of either run; None where none does, or the
            shapes differ.
        place: Where that is, such as ``step 3`` or ``[0, 2]``; "" for a metric of one step.
        first_difference: The relative difference of these.
        largest_place: Where the largest is, as ``place``.
        note: What else is to be known, such as shapes that differ.
    """

    name: str
    verdict: Verdict
    difference: float = 0.0
    first: tuple[object, object] | None = None
    place: str = ""
    first_difference: float = 0.0
    largest_place: str = ""
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """What came of comparing two runs.

    Attributes:
        compared: What both logged.
        only_before: Names of what only the first did.
        only_after: Names of what only the second did.
    """

    compared: Sequence[Compared]
    only_before: Sequence[str]
    only_after: Sequence[str]

    @property
    def verdict(self) -> Verdict | None:
        """That of the worst; None where there is nothing that both logged."""
        order = list(Verdict)
        return max((one.verdict for one in self.compared), key=order.index, default=None)

    def having(self, verdict: Verdict) -> list[Compared]:
        """Returns those of a verdict."""
        return [one for one in self.compared if one.verdict is verdict]


def metric_values(entries: Sequence[tuple[int, float]]) -> Values:
    """Returns a metric of `entries`, each a step and a value, in whatever order they came."""
    table = np.asarray(entries, np.float64).reshape(-1, 2)
    # A step may have several, which a store gives back in any order.
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return Values(np.clip(table[:, 1], -_MOST, _MOST), table[:, 0].astype(np.int64))


def compare_runs(
    before: Mapping[str, Values],
    after: Mapping[str, Values],
    *,
    tolerance: float,
    is_whole: bool,
) -> Comparison:
    """Returns how alike what two runs logged is.

    Args:
        before: What the first logged, by name.
        after: What the second did.
        tolerance: The largest relative difference that is within it: of a metric that of any of its
            values, of all else that to the largest value of the array.
        is_whole: Whether the first came to its end; of one that did not, the steps that it has are
            compared, and no others are missed.
    """
    both = [name for name in before if name in after]
    return Comparison(
        tuple(_compare(name, before[name], after[name], tolerance, is_whole) for name in both),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name not in before),
    )


def _compare(name: str, old: Values, new: Values, tolerance: float, is_whole: bool) -> Compared:
    if old.steps is None or new.steps is None:
        return _compare_arrays(name, old.values, new.values, tolerance)
    note = ""
    if not np.array_equal(old.steps, new.steps):
        if is_whole:
            note = f"{len(old.values)} values, and {len(new.values)}"
        old, new = _share_steps(old, old.steps, new, new.steps)
    compared = _judge(name, old.values, new.values, np.maximum(*_sizes(old, new)), tolerance)
    steps = [] if old.steps is None else old.steps.tolist()
    compared = _name_places(compared, lambda at: f"step {steps[at]}" if len(steps) > 1 else "")
    return replace(compared, verdict=Verdict.DIFFERENT, note=note) if note else compared


def _share_steps(
    old: Values, old_steps: np.ndarray, new: Values, new_steps: np.ndarray
) -> tuple[Values, Values]:
    """Returns the values of both at the steps of which they have equally many."""
    counts = Counter(old_steps.tolist()), Counter(new_steps.tolist())
    shared = [step for step, count in counts[0].items() if counts[1][step] == count]
    kept = np.isin(old_steps, shared), np.isin(new_steps, shared)
    return (
        Values(old.values[kept[0]], old_steps[kept[0]]),
        Values(new.values[kept[1]], new_steps[kept[1]]),
    )


def _sizes(old: Values, new: Values) -> tuple[np.ndarray, np.ndarray]:
    return np.abs(old.values), np.abs(new.values)


def _compare_arrays(name: str, old: np.ndarray, new: np.ndarray, tolerance: float) -> Compared:
    if old.shape != new.shape:
        note = f"of shape {list(old.shape)}, and of {list(new.shape)}"
        return Compared(name, Verdict.DIFFERENT, np.inf, note=note)
    if _is_number(old) and _is_number(new):
        numbers = _widen(old), _widen(new)
        compared = _judge(name, *numbers, max(map(_largest, numbers)), tolerance)
    else:
        compared = _judge_texts(name, old.astype(str), new.astype(str))
    return _name_places(
        compared,
        lambda index: (
            str([int(one) for one in np.unravel_index(index, old.shape)]) if old.ndim else ""
        ),
    )


def _name_places(compared: Compared, name: Callable[[int], str]) -> Compared:
    """Returns `compared` with its places, which are indices in all, as `name` has them."""
    first, largest = (
        name(int(at)) if at else "" for at in (compared.place, compared.largest_place)
    )
    return replace(compared, place=first, largest_place=largest)


def _judge(
    name: str, old: np.ndarray, new: np.ndarray, scale: np.ndarray | float, tolerance: float
) -> Compared:
    """Returns how alike numbers are; places are indices in all."""
    is_same = (old == new) | (np.isnan(old) & np.isnan(new))
    if is_same.all():
        return Compared(name, Verdict.BITWISE)
    with np.errstate(all="ignore"):
        relative = np.where(is_same, 0.0, np.abs(old - new) / scale)
    # Of a number and none.
    relative = np.nan_to_num(relative, nan=np.inf).ravel()
    index = int(np.flatnonzero(~is_same)[0])
    at = int(relative.argmax())
    largest = float(relative[at])
    return Compared(
        name,
        Verdict.WITHIN if largest <= tolerance else Verdict.DIFFERENT,
        largest,
        (old.ravel()[index].item(), new.ravel()[index].item()),
        str(index),
        first_difference=float(relative[index]),
        largest_place=str(at),
    )


def _judge_texts(name: str, old: np.ndarray, new: np.ndarray) -> Compared:
    differing = np.flatnonzero(old != new)
    if not differing.size:
        return Compared(name, Verdict.BITWISE)
    index = int(differing[0])
    first = (str(old.ravel()[index]), str(new.ravel()[index]))
    return Compared(name, Verdict.DIFFERENT, np.inf, first, str(index), np.inf, str(index))


def _is_number(array: np.ndarray) -> bool:
    is_bfloat16 = array.dtype.kind == "V" and array.dtype.itemsize == 2
    return is_bfloat16 or array.dtype.kind in "biufc"


def _widen(array: np.ndarray) -> np.ndarray:
    """Returns an array in a dtype whose differences are not rounded away."""
    if array.dtype.kind == "V":
        # bfloat16, which files keep as its bytes alone: the upper half of a float32.
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _largest(array: np.ndarray) -> float:
    sizes = np.abs(array)
    finite = sizes[np.isfinite(sizes)]
    return float(finite.max()) if finite.size else 0.0
