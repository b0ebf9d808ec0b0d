"""Names of plans, which are read back."""

import itertools

import pytest

from runner.plan_choice import PlanChoice


@pytest.mark.parametrize(
    "choice",
    [PlanChoice(*each) for each in itertools.product(("step", "loop"), (False, True), (0, 1, 2))],
    ids=str,
)
def test_a_plan_is_read_as_it_is_written(choice):
    assert PlanChoice.parse(str(choice)) == choice


def test_a_plan_is_written_as_people_say_it():
    assert str(PlanChoice("loop", True, 1)) == "loop, XLA, 1 thread"
