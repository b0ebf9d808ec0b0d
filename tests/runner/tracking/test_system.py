"""What a run uses of its machine, sampled."""

import os
import sys
import time
from types import SimpleNamespace

import psutil
import pytest
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from runner.tracking.system import SystemMonitor
from runner.tracking.tracker import TrackingError


def sample_once():
    samples = []
    SystemMonitor(10.0, samples.append).stop()
    (sample,) = samples
    return sample.metrics


def names_of(monitor):
    monitor.collect_metrics()
    return {f"system/{name}" for name in monitor.aggregate_metrics()}


def test_samples_have_the_names_of_mlflows_own():
    names = {
        name for each in (CPUMonitor, DiskMonitor, NetworkMonitor) for name in names_of(each())
    }
    own = {"system/process_memory_usage_megabytes", "system/process_cpu_utilization_percentage"}
    assert {name for name in sample_once() if "/gpu_" not in name} == names | own


def test_memory_is_that_of_this_process():
    measured = sample_once()["system/process_memory_usage_megabytes"]
    assert measured == pytest.approx(psutil.Process(os.getpid()).memory_info().rss / 1e6, rel=0.1)


def test_samples_come_until_it_is_stopped_and_are_counted():
    samples = []
    monitor = SystemMonitor(0.02, samples.append)
    ends = time.monotonic() + 10
    while len(samples) < 3:
        assert time.monotonic() < ends
        time.sleep(0.01)
    monitor.stop()
    count = len(samples)
    monitor.stop()
    time.sleep(0.06)
    assert len(samples) == count
    assert [each.sample for each in samples] == list(range(count))


def test_a_spool_that_takes_no_more_is_told_of_where_the_run_ends():
    def refuse(sample):
        raise TrackingError("the disk is full")

    monitor = SystemMonitor(0.01, refuse)
    monitor._thread.join(10)
    assert not monitor._thread.is_alive()
    with pytest.raises(TrackingError, match="the disk is full"):
        monitor.stop()


def fake_gpu(**broken):
    class NVMLError(Exception):
        pass

    def fail(*_):
        raise NVMLError

    given = {
        "NVMLError": NVMLError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(used=2e9, total=8e9),
        "nvmlDeviceGetUtilizationRates": lambda gpu: SimpleNamespace(gpu=30),
        "nvmlDeviceGetPowerUsage": lambda gpu: 50_000,
        "nvmlDeviceGetEnforcedPowerLimit": lambda gpu: 200_000,
    }
    return SimpleNamespace(**{**given, **dict.fromkeys(broken, fail)})


def test_gpus_are_sampled_as_mlflow_does(monkeypatch):
    pynvml = fake_gpu()
    monkeypatch.setitem(sys.modules, "pynvml", pynvml)
    monkeypatch.setattr("mlflow.system_metrics.metrics.gpu_monitor.pynvml", pynvml, raising=False)
    monitor = GPUMonitor()
    monitor.collect_metrics()
    expected = {f"system/{name}": value for name, value in monitor.aggregate_metrics().items()}
    sampled = {name: value for name, value in sample_once().items() if "/gpu_" in name}
    assert sampled == pytest.approx(expected)


@pytest.mark.parametrize("broken", ["nvmlInit", "nvmlDeviceGetMemoryInfo"])
def test_a_driver_that_tells_nothing_costs_no_run(monkeypatch, broken):
    monkeypatch.setitem(sys.modules, "pynvml", fake_gpu(**{broken: True}))
    assert not [name for name in sample_once() if "/gpu_" in name]
