"""What a person sees at the end of a sweep."""

import io

from rich.console import Console

from runner.results import JobResult
from runner.sweep.summary import summarize_jobs
from runner.sweep.table import print_sweep

JOBS = (
    JobResult(0, {"model": "mlp", "seed": "0"}, "FINISHED", {"test/accuracy": 0.75}, "1a"),
    JobResult(1, {"model": "mlp", "seed": "1"}, "FINISHED", {"test/accuracy": 0.5}, "1b"),
    JobResult(2, {"model": "cnn", "seed": "0"}, "FINISHED", {"test/accuracy": 1.0}, "1c"),
    JobResult(
        3, {"model": "cnn", "seed": "1"}, "FAILED", {}, None, "runner.engine.errors.StepError: [x]"
    ),
)
# The interval of 0.5 and 0.75: 0.625 ± 12.706 x 0.17678 / sqrt(2).
SHOWN = """\

job  model  seed  status    test/accuracy
0    mlp    0     FINISHED         0.7500
1    mlp    1     FINISHED         0.5000
2    cnn    0     FINISHED          1.000
3    cnn    1     FAILED

model  metric         jobs    mean     std  95 % from     to
mlp    test/accuracy     2  0.6250  0.1768    -0.9633  2.213
cnn    test/accuracy     1   1.000

job 3    StepError: [x]
jobs     3 FINISHED, 1 FAILED
sweep    1234
"""


def show(jobs, *, is_terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=120, color_system=None)
    print_sweep(summarize_jobs(jobs), ["sweep    1234"], console)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_the_jobs_the_spread_and_the_errors_are_shown():
    assert show(JOBS, is_terminal=False) == SHOWN.splitlines()
    assert show(JOBS, is_terminal=True) == SHOWN.splitlines()


def test_without_repetitions_no_spread_is_shown():
    assert "std" not in "\n".join(show(JOBS[1:3], is_terminal=False))


def test_values_that_look_like_markup_are_shown_as_they_are():
    jobs = [
        JobResult(number, {"fetches.a": value}, "FINISHED", {"test/loss": 1.0}, "1a")
        for number, value in enumerate(("[red]", "[conv1,/red]"))
    ]
    for is_terminal in (False, True):
        shown = [line.split()[:2] for line in show(jobs, is_terminal=is_terminal)]
        assert shown[2:4] == [["0", "[red]"], ["1", "[conv1,/red]"]]
