"""Times how long a model takes to answer, over sizes of batches."""

import time
from collections.abc import Iterator

import numpy as np

from runner.config import BenchmarkConfig, ExperimentConfig, RandomDataConfig
from runner.data.sources.random import draw_random
from runner.engine.service import ForwardService
from runner.results import BatchLatency, BenchmarkResult

_LEAST_CALLS = 10


def benchmark(config: ExperimentConfig, task: BenchmarkConfig) -> Iterator[BenchmarkResult]:
    """Yields the times of calls of the forward service with random examples.

    Args:
        config: The whole experiment.
        task: Its task.
    """
    with ForwardService(config) as service:
        yield BenchmarkResult(
            tuple(_measure(config, task, service, size) for size in task.batch_sizes)
        )


def _measure(
    config: ExperimentConfig, task: BenchmarkConfig, service: ForwardService, size: int
) -> BatchLatency:
    plan = service.prepare(size)
    drawn = draw_random(RandomDataConfig(examples=size), config.model.inputs, config.seed)
    times: list[float] = []
    end = time.perf_counter() + task.seconds
    while (start := time.perf_counter()) < end or len(times) < _LEAST_CALLS:
        service(drawn.features)
        times.append(time.perf_counter() - start)
    return BatchLatency(size, str(plan), np.asarray(times) * 1e6)
