import subprocess
import sys
import time

import pytest

from benchmarks import training
from benchmarks.load import watch_load
from benchmarks.processes import run_process
from benchmarks.workers import Worker, WorkerError, open_workers
from runner.composition import PROJECT

pytestmark = pytest.mark.integration


def test_a_process_tells_its_output_and_its_peak_of_memory():
    size = 300 * 2**20
    held = f"held = bytes({size - 1}) + b'1'; del held; print('done')"
    # In a process of its own: a peak counts from that of the process that starts it, on Linux.
    code = (
        "import sys; from benchmarks.processes import run_process\n"
        f"finished = run_process([sys.executable, '-c', {held!r}])\n"
        "print(finished.output.strip(), finished.peak_bytes)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    output, peak = told.stdout.split()
    assert output == "done"
    # The sum is made of the parts, which are there at once.
    assert size <= int(peak) < 3 * size


def test_a_process_that_fails_is_an_error_with_what_it_wrote():
    code = "print('half'); raise ValueError('it broke')"
    with pytest.raises(RuntimeError, match=r"failed:\nhalf(?s:.)*ValueError: it broke"):
        run_process([sys.executable, "-c", code])


def test_the_load_of_others_is_not_that_of_what_was_measured():
    code = "import time; end = time.time() + 1\nwhile time.time() < end: pass"
    with watch_load() as load:
        other = subprocess.Popen([sys.executable, "-c", code])
        own = subprocess.run([sys.executable, "-c", code], check=True)
        time.sleep(0.5)
    other.wait()
    assert own.returncode == 0
    # About one core for a second of one and a half; others may be at work besides.
    assert load.cores > 0.3
    assert f"used {load.cores:.2f} of" in load.describe()


def test_a_worker_that_fails_is_an_error_with_its_traceback():
    message = r"No module named 'benchmarks\.peers\.nowhere'"
    with open_workers("nowhere") as workers, pytest.raises(WorkerError, match=message):
        workers["nowhere"].call("anything")


def test_a_worker_that_dies_is_an_error_that_says_how():
    worker = Worker("nowhere")
    worker._process.kill()
    with pytest.raises(WorkerError, match="nowhere: the process ended with -9"):
        worker.call("anything")
    worker.close()


@pytest.mark.slow
def test_keras_trains_as_feedfetch_does(monkeypatch):
    monkeypatch.setitem(training._STEPS, "cnn", 10)
    (trained,) = training.measure(["cnn"], [32], rounds=1, peers=("feedfetch", "keras_peers"))
    names = [one.name for one in trained.measured]
    assert names == ["feedfetch", "keras fit", "keras fit, steps_per_execution", "tf.function"]
    assert trained.difference < training.TOLERANCE
    assert all(one.microseconds > 0 for one in trained.measured)
