"""Gives the variables of a graph values in a Session."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import tensorflow as tf

VariableValue = tuple[tf.Variable, np.ndarray]

_AT_ONCE = 64


def assign_variables(session: tf.compat.v1.Session, values: Iterable[VariableValue]) -> None:
    """Gives variables values in `session`, fed in the place of their initial ones.

    So the graph needs no operation for it. An array whose memory begins at a multiple of 64 bytes
    becomes the variable's own on the CPU, and is changed by what is assigned to it later; give it a
    copy where it is to last.
    """
    remaining = iter(values)
    while batch := list(islice(remaining, _AT_ONCE)):
        initializers = [variable.initializer for variable, _ in batch]
        fed = {
            initializer.inputs[1]: value
            for initializer, (_, value) in zip(initializers, batch, strict=True)
        }
        session.run(initializers, fed)


def read_variables(
    session: tf.compat.v1.Session, variables: Iterable[tf.Variable]
) -> Iterator[VariableValue]:
    """Yields each of `variables` with its value in `session`."""
    known = list(variables)
    yield from zip(known, session.run(known), strict=True)
