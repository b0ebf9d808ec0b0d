"""The arithmetic that YAML can do: ``${mul:2,${data.classes}}`` and its like.

A list among the operands stands for its items, so that ``${mul:${data.features.image.shape}}`` is
the number of values in an image.
"""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

Number = int | float


def add(*operands: object) -> Number:
    """Returns the sum of all operands."""
    return sum(_numbers("add", operands))


def sub(*operands: object) -> Number:
    """Returns the first operand less the others."""
    return reduce(operator.sub, _numbers("sub", operands))


def mul(*operands: object) -> Number:
    """Returns the product of all operands."""
    return math.prod(_numbers("mul", operands))


def div(*operands: object) -> Number:
    """Returns the first operand divided by the others: an integer where nothing remains.

    Raises:
        ValueError: If an operand to divide by is 0.
    """
    first, *rest = _numbers("div", operands)
    divisor = math.prod(rest)
    if divisor == 0:
        raise ValueError("div: cannot divide by 0")
    is_whole = isinstance(first, int) and isinstance(divisor, int) and first % divisor == 0
    return first // divisor if is_whole else first / divisor


def _numbers(name: str, operands: Sequence[object]) -> list[Number]:
    numbers = list(_flatten(operands))
    if not numbers:
        raise ValueError(f"{name}: expected at least one number")
    checked: list[Number] = []
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            kind = type(number).__name__
            raise ValueError(f"{name}: expected numbers; received {number!r} ({kind})")
        checked.append(number)
    return checked


def _flatten(operands: Sequence[object]) -> Iterator[object]:
    for operand in operands:
        if isinstance(operand, Sequence) and not isinstance(operand, str):
            yield from _flatten(operand)
        else:
            yield operand


ARITHMETIC: dict[str, Callable[..., Number]] = {"add": add, "sub": sub, "mul": mul, "div": div}
