"""Finds how often a loop of a graph runs, without running it."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from runner.engine.constants import Values, evaluate
from runner.engine.functions import Body

_MOST_STEPS = 100_000


def count_steps(initial: Sequence[np.ndarray | None], condition: Body, body: Body) -> int | None:
    """Returns how often `body` runs; None where that depends on what is fed.

    Goes through the steps with what is known: the counters and lengths that the condition tests.

    Args:
        initial: What goes into the loop, None where it is not known.
        condition: The function that tests whether to go on.
        body: The function of a step, from what goes in to what comes out.
    """
    carried = _find_carried(condition, body)
    current = {index: initial[index] for index in carried}
    for step in range(_MOST_STEPS):
        goes_on = evaluate(condition.outputs[0], _feed(condition, current))
        if goes_on is None:
            return None
        if not goes_on:
            return step
        values = _feed(body, current)
        current = {index: evaluate(body.outputs[index], values) for index in carried}
    return None


def _feed(body: Body, current: dict[int, np.ndarray | None]) -> Values:
    return {body.inputs[index].name: value for index, value in current.items()}


def _find_carried(condition: Body, body: Body) -> list[int]:
    """Returns the indices of the loop's variables that its condition depends on."""
    carried: set[int] = set()
    pending = _find_inputs(condition, condition.outputs[:1])
    while pending:
        carried |= pending
        pending = _find_inputs(body, [body.outputs[index] for index in pending]) - carried
    return sorted(carried)


def _find_inputs(body: Body, tensors: Iterable[tf.Tensor]) -> set[int]:
    """Returns the indices of the inputs of `body` that `tensors` are made of."""
    indices = {tensor.name: index for index, tensor in enumerate(body.inputs)}
    found: set[int] = set()
    seen: set[str] = set()
    pending = list(tensors)
    while pending:
        tensor = pending.pop()
        if tensor.name in indices:
            found.add(indices[tensor.name])
        elif tensor.name not in seen:
            seen.add(tensor.name)
            pending += tensor.op.inputs
    return found
