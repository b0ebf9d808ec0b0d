"""Chooses how training steps are put to the Session: as configured, or as measured to be fastest.

A plan is measured on the first batches of the run, and the variables are given back the values that
they had, so that the steps of measuring leave no trace. What would take longer to prepare and
measure than it could save in the steps to come is passed over. What was measured is remembered.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from models.problems import ConfigError, Problem
from runner.config import ExperimentConfig
from runner.engine.errors import StepError
from runner.engine.measurements import Cost, Measured, describe_run, recall, remember
from runner.engine.plans import Plan, PlanError, TrainingPlans
from runner.engine.session import GraphSession
from runner.engine.variables import VariableValue
from runner.plan_choice import PlanChoice
from runner.results import PlanResult

AUTO = "auto"

# What each was found to save of a run's time where it did, at the most and in round numbers.
_SAVED_BY_LOOP = 0.3
_SAVED_BY_THREADS = 0.3
_SAVED_BY_XLA = 0.4
_SAVED_BY_PIPELINE = 0.03
_XLA_SECONDS = 0.4
_XLA_SECONDS_PER_OPERATION = 1.5e-3
_MEASURED_SECONDS = 0.03
_ROUNDS = 4
_STREAMED = "the examples are read while the steps are taken, which takes no other plan"
_TOO_SHORT = "the run is too short for it to be worth measuring"


def choose_plan(
    config: ExperimentConfig, session: GraphSession, plans: TrainingPlans, steps: int
) -> tuple[Plan, PlanResult]:
    """Returns the plan that a run goes by, open in `session`, and why.

    Callables that were made of the Session before cannot be called afterwards.

    Args:
        config: The experiment.
        session: The Session, in the state that the run is to begin with.
        plans: The plans of the run.
        steps: How many steps it is to take.

    Raises:
        ConfigError: If the configured plan cannot run.
        StepError: If a step fails in the Session.
    """
    if config.plan.name != AUTO:
        choice = PlanChoice(config.plan.name, bool(config.plan.jit_compile), session.threads)
        return _open_configured(plans, choice, session), PlanResult(str(choice), {}, {}, ())
    if plans.feeder.arrays is None:
        choice = PlanChoice("step", bool(config.plan.jit_compile), session.threads)
        passed_over = {"loop": _STREAMED, "pipeline": _STREAMED}
        return plans.open(choice, session), PlanResult(str(choice), {}, passed_over, ())
    planner = _Planner(config, session, plans, steps)
    choice = planner.choose()
    return planner.open(choice), planner.result(choice)


def _open_configured(plans: TrainingPlans, choice: PlanChoice, session: GraphSession) -> Plan:
    try:
        return plans.open(choice, session)
    except PlanError as error:
        path = "plan.jit_compile" if "XLA" in str(error) else "plan.name"
        hint = "Use plan=step." if path == "plan.name" else "Set it to false."
        message = f"the plan '{choice}' cannot run: {error}. {hint}"
        raise ConfigError([Problem(path, message)]) from error


class _Planner:
    """Measures one plan after the other, each in the Session whose threads it names."""

    def __init__(
        self, config: ExperimentConfig, session: GraphSession, plans: TrainingPlans, steps: int
    ) -> None:
        self._config = config
        self._session = session
        self._plans = plans
        self._steps = steps
        self._file = Path(config.plan.measurements) if config.plan.measurements else None
        self._run = describe_run(config, plans.examples, session.devices)
        self._measured = recall(self._file, self._run) if self._file else Measured()
        self._costs: dict[PlanChoice, Cost] = {}
        self._skipped: dict[str, str] = {}
        self._forks: dict[int, GraphSession] = {}
        self._own_threads = session.threads
        self._opened: dict[PlanChoice, Plan] = {}
        self._saved: list[VariableValue] | None = None

    def choose(self) -> PlanChoice:
        """Returns the plan with which the whole run is estimated to end first."""
        first = PlanChoice("step", bool(self._config.plan.jit_compile), self._own_threads)
        known = len(self._measured.costs)
        try:
            self._consider(first, self._steps * 1.0, is_needed=True)
            for choice, share in self._candidates():
                self._consider(choice, share * self._best_seconds())
            best = min(self._costs, key=self._total)
        except BaseException:
            self._close_forks(None)
            raise
        if self._file and len(self._measured.costs) > known:
            remember(self._file, self._run, self._measured)
        return best

    def open(self, choice: PlanChoice) -> Plan:
        """Returns the plan, open in the run's Session, whose variables are as before."""
        if choice.threads != self._own_threads:
            self._saved = self._saved or self._session.save()
            self._session.adopt(self._fork(choice.threads))
        self._close_forks(choice.threads)
        if self._saved is not None:
            self._session.load(self._saved)
        return self._opened.get(choice) or self._plans.open(choice, self._session)

    def result(self, choice: PlanChoice) -> PlanResult:
        """Returns what was chosen, and from what."""
        # A run of a step or two measures nothing.
        measured = {
            str(known): cost.step_seconds * 1e6
            for known, cost in self._costs.items()
            if cost.step_seconds
        }
        return PlanResult(str(choice), measured, {**self._skipped}, ())

    def _candidates(self) -> Iterator[tuple[PlanChoice, float]]:
        """Yields what to consider next, given what is known by then, and what it may save."""
        wanted = self._config.plan.jit_compile
        yield PlanChoice("loop", bool(wanted), self._own_threads), _SAVED_BY_LOOP
        if self._may_change_threads():
            yield replace(self._best(), threads=1), _SAVED_BY_THREADS
        if wanted is None:
            yield PlanChoice("loop", True, self._own_threads), _SAVED_BY_XLA
            if self._may_change_threads() and self._best().jit_compile:
                yield replace(self._best(), threads=1), _SAVED_BY_THREADS
        yield replace(self._best(), name="pipeline"), _SAVED_BY_PIPELINE

    def _may_change_threads(self) -> bool:
        is_free = self._own_threads == 0 and not self._config.session.deterministic_ops
        return is_free and all("CPU" in device for device in self._session.devices)

    def _consider(self, choice: PlanChoice, saved: float, *, is_needed: bool = False) -> None:
        """Finds out what `choice` costs, if what it may save, in seconds, is worth it."""
        name = str(choice)
        if choice in self._costs:
            return
        if name in self._measured.costs:
            self._costs[choice] = self._measured.costs[name]
            return
        if name in self._measured.passed_over:
            self._skipped[name] = self._measured.passed_over[name]
            return
        if is_needed and self._steps < _ROUNDS:
            self._costs[choice] = Cost(0.0, 0.0)
            return
        if not is_needed and saved < self._guess_seconds(choice):
            self._skipped[name] = _TOO_SHORT
            return
        try:
            cost = self._measure(choice)
        except (PlanError, StepError) as error:
            if is_needed:
                raise
            self._skipped[name] = self._measured.passed_over[name] = str(error).splitlines()[0]
            return
        self._costs[choice] = self._measured.costs[name] = cost

    def _guess_seconds(self, choice: PlanChoice) -> float:
        """Returns about how long it takes to prepare and measure a plan."""
        base = min(self._costs.values(), key=lambda cost: cost.prepare_seconds)
        seconds = base.prepare_seconds + _ROUNDS * max(_MEASURED_SECONDS, base.step_seconds)
        if choice.jit_compile:
            operations = len(self._plans.steps.function.graph.get_operations())
            seconds += _XLA_SECONDS + operations * _XLA_SECONDS_PER_OPERATION
        return seconds

    def _measure(self, choice: PlanChoice) -> Cost:
        if self._saved is None:
            self._saved = self._session.save()
        session = self._session
        if choice.threads != self._own_threads:
            session = self._fork(choice.threads)
        session.load(self._saved)
        size = self._plans.batch_size
        rows = np.arange(max(self._plans.most_steps, 1) * size) % self._plans.count
        start = time.perf_counter()
        plan = self._plans.open(choice, session)
        plan.take(rows, 0, size)
        prepared = time.perf_counter() - start
        seconds = _seconds(plan, rows, size)
        steps = max(1, min(self._plans.most_steps, int(_MEASURED_SECONDS / seconds)))
        rounds = _ROUNDS if seconds < _MEASURED_SECONDS else 1
        best = min(_seconds(plan, rows, steps * size) for _ in range(rounds))
        self._opened[choice] = plan
        return Cost(prepared, min(best / steps, seconds))

    def _fork(self, threads: int) -> GraphSession:
        if threads not in self._forks:
            self._forks[threads] = self._session.fork(threads)
        return self._forks[threads]

    def _close_forks(self, kept: int | None) -> None:
        for threads, fork in self._forks.items():
            if threads != kept:
                fork.close()

    def _best(self) -> PlanChoice:
        return min(self._costs, key=lambda choice: self._costs[choice].step_seconds)

    def _best_seconds(self) -> float:
        return self._steps * self._costs[self._best()].step_seconds

    def _total(self, choice: PlanChoice) -> float:
        # What has been prepared in this process needs not be again.
        cost = self._costs[choice]
        return (
            self._steps * cost.step_seconds if choice in self._opened else cost.total(self._steps)
        )


def _seconds(plan: Plan, rows: np.ndarray, end: int) -> float:
    start = time.perf_counter()
    plan.take(rows, 0, end)
    return time.perf_counter() - start
