"""Adds up the floating-point operations of a graph, function by function, nothing run."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import tensorflow as tf

from runner.engine.constants import Values, evaluate
from runner.engine.functions import Body, Functions
from runner.engine.loops import count_steps
from runner.engine.operations import count_flops

_LOOPS = ("While", "StatelessWhile")
_BRANCHES = ("If", "StatelessIf", "Case", "StatelessCase")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")


@dataclass(frozen=True)
class Cost:
    """What a run of some operations takes, at the least.

    Attributes:
        flops: Floating-point operations by the type of operation.
        unknown: How many operations of each type there are whose cost is not known.
    """

    flops: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All floating-point operations that are known."""
        return sum(self.flops.values())

    def __add__(self, other: "Cost") -> "Cost":
        """Returns the cost of both."""
        return Cost(self.flops + other.flops, self.unknown + other.unknown)

    def times(self, count: int) -> "Cost":
        """Returns the cost of as many runs; an operation of unknown cost stays one."""
        flops = Counter({name: count * flops for name, flops in self.flops.items()})
        return Cost(flops, self.unknown)


def find_needed(tensors: Iterable[tf.Tensor]) -> set[str]:
    """Returns the names of all operations that a run for `tensors` runs."""
    needed: set[str] = set()
    pending = [tensor.op for tensor in tensors]
    while pending:
        operation = pending.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            pending += [tensor.op for tensor in operation.inputs]
            pending += operation.control_inputs
    return needed


class FlopsCounter:
    """Counts operations; keeps what it found of each function that they call."""

    def __init__(self, graph: tf.Graph) -> None:
        """Counts operations that call the functions of `graph`."""
        self._functions = Functions(graph)
        self._values: Values = {}
        self._costs: dict[int, Cost] = {}

    def count(self, operations: Iterable[tf.Operation]) -> Cost:
        """Returns the cost of one run of each of `operations`, which are not within a function."""
        return self._count(operations, self._values)

    def _count(self, operations: Iterable[tf.Operation], values: Values) -> Cost:
        total = Cost()
        for operation in operations:
            cost = self._count_one(operation, values)
            total.flops.update(cost.flops)
            total.unknown.update(cost.unknown)
        return total

    def _count_one(self, operation: tf.Operation, values: Values) -> Cost:
        if operation.type in _LOOPS:
            return self._count_loop(operation, values)
        if operation.type in _BRANCHES:
            return self._count_branches(operation, values)
        if operation.type in _CALLS:
            function = operation.get_attr("f").name
            return self._count_body(self._functions.open(function, operation.inputs))
        flops = count_flops(operation)
        if flops is None:
            return Cost(unknown=Counter([operation.type]))
        return Cost(flops=Counter({operation.type: flops} if flops else {}))

    def _count_loop(self, loop: tf.Operation, values: Values) -> Cost:
        """A loop of an unknown number of steps takes one at the least."""
        body = self._functions.open_step(loop.get_attr("body").name, loop.inputs)
        condition = self._functions.open(loop.get_attr("cond").name, body.inputs)
        initial = [evaluate(tensor, values) for tensor in loop.inputs]
        steps = count_steps(initial, condition, body)
        test, step = self._count_body(condition), self._count_body(body)
        if steps is None:
            return test + step + Cost(unknown=Counter([loop.type]))
        return test + (test + step).times(steps)

    def _count_branches(self, operation: tf.Operation, values: Values) -> Cost:
        """Of branches between which a feed decides, the cheapest is taken at the least."""
        chosen, *inputs = operation.inputs
        if operation.type.endswith("If"):
            functions = [operation.get_attr(name) for name in ("else_branch", "then_branch")]
        else:
            functions = operation.get_attr("branches")
        costs = [
            self._count_body(self._functions.open(function.name, inputs)) for function in functions
        ]
        index = evaluate(chosen, values)
        if index is not None:
            is_valid = 0 <= int(index) < len(costs)
            return costs[int(index) if is_valid else -1]
        least = min(costs, key=lambda cost: cost.total)
        if all(cost == least for cost in costs):
            return least
        return least + Cost(unknown=Counter([operation.type]))

    def _count_body(self, body: Body) -> Cost:
        if id(body) not in self._costs:
            needed = find_needed(body.outputs)
            operations = [each for each in body.operations if each.name in needed]
            self._costs[id(body)] = self._count(operations, {})
        return self._costs[id(body)]
