"""Sums up the jobs of a sweep: in what they differ, and how repetitions of one spread."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from runner.results import JobGroup, JobResult, Spread, SweepResult

# Jobs that differ in nothing else are repetitions of one.
_REPEATED = ("seed", "data.fold")
_TEST = "test/"
# Between this quantile of Student's t and its opposite lies 95 % of it.
_QUANTILE = 0.975


def summarize_jobs(jobs: Sequence[JobResult]) -> SweepResult:
    """Returns what came of `jobs`, in the order in which they were started."""
    varying = find_varying([job.overrides for job in jobs])
    return SweepResult(tuple(jobs), varying, tuple(_group(jobs, varying)))


def find_varying(overrides: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Returns the keys that are not of one value in all of `overrides`."""
    keys = dict.fromkeys(key for each in overrides for key in each)
    return tuple(key for key in keys if len({each.get(key) for each in overrides}) > 1)


def measure_spread(values: Sequence[float]) -> Spread:
    """Returns how `values`, of one job each, spread.

    The interval of the mean is that of Student's t with one degree of freedom fewer than there are
    values: of normal values, with as many drawn anew each time, 95 % of such intervals hold the
    mean that they are drawn about. Folds share most of their training examples, so that for them
    it is somewhat too narrow (Bengio and Grandvalet, 2004).
    """
    count, mean = len(values), float(np.mean(values))
    if count == 1:
        return Spread(count, mean, np.nan, np.nan, np.nan)
    # scipy.stats, which has it by its name, takes a second to import.
    from scipy.special import stdtrit

    std = float(np.std(values, ddof=1))
    reach = float(stdtrit(count - 1, _QUANTILE)) * std / count**0.5
    return Spread(count, mean, std, mean - reach, mean + reach)


def _group(jobs: Sequence[JobResult], varying: Sequence[str]) -> Iterator[JobGroup]:
    """Yields the groups of repetitions; none where no job is repeated."""
    groups: dict[tuple[tuple[str, str], ...], list[JobResult]] = {}
    for job in jobs:
        groups.setdefault(tuple(_settings(job, varying)), []).append(job)
    if all(len(group) == 1 for group in groups.values()):
        return
    for settings, group in groups.items():
        yield JobGroup(dict(settings), len(group), dict(_measure(group)))


def _settings(job: JobResult, varying: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the overrides that tell which jobs `job` is a repetition of."""
    for key, value in job.overrides.items():
        if key in varying and key.lstrip("+") not in _REPEATED:
            yield key, value


def _measure(jobs: Sequence[JobResult]) -> Iterator[tuple[str, Spread]]:
    names = dict.fromkeys(name for job in jobs for name in job.metrics if name.startswith(_TEST))
    for name in names:
        yield name, measure_spread([job.metrics[name] for job in jobs if name in job.metrics])
