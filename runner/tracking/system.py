"""Samples what a run uses of its machine, under the names by which MLflow's UI shows it.

The names are those of MLflow's own monitor, which writes to the store itself and imports MLflow;
this one hands its samples to the run's spool. Source: mlflow/system_metrics, MLflow 3.17.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil

from runner.tracking.entries import MetricsSampled
from runner.tracking.tracker import TrackingError

_MEGABYTE = 1e6
# So that a run of a few seconds has some.
_FIRST_SECONDS = 1.0


class SystemMonitor:
    """Samples in a thread of its own, until it is stopped."""

    def __init__(self, interval_seconds: float, write: Callable[[MetricsSampled], None]) -> None:
        """Starts to sample.

        Args:
            interval_seconds: The time between samples, except for the first and the last.
            write: Called with each sample, in the monitor's thread.
        """
        self._interval = interval_seconds
        self._write = write
        self._sampler = _Sampler()
        self._samples = 0
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes a last sample; none comes later."""
        if self._is_stopped.is_set():
            return
        self._is_stopped.set()
        self._thread.join()
        self._sample()

    def _run(self) -> None:
        wait = min(_FIRST_SECONDS, self._interval)
        while not self._is_stopped.wait(wait):
            try:
                self._sample()
            except TrackingError:
                # The run is told so when it says something itself.
                return
            wait = self._interval

    def _sample(self) -> None:
        metrics = {f"system/{name}": value for name, value in self._sampler.sample()}
        self._write(MetricsSampled(metrics, self._samples))
        self._samples += 1


class _Sampler:
    """Reads what the machine and this process use; rates are those since it read them last."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        # The first that is asked for is of no time at all.
        psutil.cpu_percent()
        self._process.cpu_percent()
        self._network = psutil.net_io_counters()
        self._gpus = _open_gpus()

    def sample(self) -> Iterator[tuple[str, float]]:
        """Yields names and values: percent, or megabytes of 1e6 bytes."""
        memory = psutil.virtual_memory()
        yield "cpu_utilization_percentage", psutil.cpu_percent()
        yield "system_memory_usage_megabytes", memory.used / _MEGABYTE
        yield "system_memory_usage_percentage", memory.used / memory.total * 100
        yield "process_cpu_utilization_percentage", self._process.cpu_percent()
        yield "process_memory_usage_megabytes", self._process.memory_info().rss / _MEGABYTE
        disk = psutil.disk_usage(os.sep)
        yield "disk_usage_percentage", disk.percent
        yield "disk_usage_megabytes", disk.used / _MEGABYTE
        yield "disk_available_megabytes", disk.free / _MEGABYTE
        network = psutil.net_io_counters()
        if network is not None and self._network is not None:
            received = network.bytes_recv - self._network.bytes_recv
            sent = network.bytes_sent - self._network.bytes_sent
            yield "network_receive_megabytes", received / _MEGABYTE
            yield "network_transmit_megabytes", sent / _MEGABYTE
        yield from _sample_gpus(self._gpus)


def _open_gpus() -> Mapping[int, Any]:
    """Returns the GPUs by number; none where nvidia-ml-py is not installed, or finds none."""
    try:
        import pynvml
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        return {index: pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)}
    except pynvml.NVMLError:
        return {}


def _sample_gpus(gpus: Mapping[int, Any]) -> Iterator[tuple[str, float]]:
    if not gpus:
        return
    import pynvml

    for index, gpu in gpus.items():
        try:
            memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
            yield f"gpu_{index}_memory_usage_percentage", memory.used / memory.total * 100
            yield f"gpu_{index}_memory_usage_megabytes", memory.used / _MEGABYTE
            used = pynvml.nvmlDeviceGetUtilizationRates(gpu)
            yield f"gpu_{index}_utilization_percentage", float(used.gpu)
            watts = pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000
            yield f"gpu_{index}_power_usage_watts", watts
            most = pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu) / 1000
            yield f"gpu_{index}_power_usage_percentage", watts / most * 100
        except pynvml.NVMLError:
            # Not every GPU tells all of it.
            continue
