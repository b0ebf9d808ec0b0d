import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks import measuring, training
from benchmarks.chart import draw_chart
from benchmarks.forward import Forward, format_forward
from benchmarks.measuring import OURS, Measured, Opened, take_turns
from benchmarks.work import Skipped, Task, Work, check_logits
from benchmarks.workers import Turn


class FakeWorker:
    """Takes seconds that are told, and notes whose turn it was."""

    def __init__(self, seconds, losses=(2.0, 1.0)):
        self.seconds = {name: iter(times) for name, times in seconds.items()}
        self.losses = losses
        self.turns = []

    def run(self, name, rounds=1):
        self.turns.append(name)
        return Turn(next(self.seconds[name]) * rounds, np.array(self.losses))


def open_fakes(worker):
    return {name: Opened(worker, name) for name in worker.seconds}


def test_ratios_are_of_one_round_and_times_of_one_step():
    worker = FakeWorker({OURS: [0.01, 0.02, 0.03], "other": [0.02, 0.06, 0.03]})
    ours, other = take_turns(open_fakes(worker), 3, repeats={OURS: 5, "other": 7}, steps=10)
    assert other.ratios == pytest.approx([2, 3, 1])
    assert other.ratio == pytest.approx(2)
    assert other.microseconds == pytest.approx(0.03 / 10 * 1e6)
    assert ours.ratios == pytest.approx([1, 1, 1])


def test_each_second_round_goes_the_other_way():
    worker = FakeWorker({OURS: [1.0] * 2, "one": [1.0] * 2, "two": [1.0] * 2})
    take_turns(open_fakes(worker), 2, repeats=dict.fromkeys(worker.seconds, 1), steps=1)
    assert worker.turns == [OURS, "one", "two", "two", "one", OURS]


def test_a_peer_whose_first_two_turns_are_long_has_no_third_one(monkeypatch):
    monkeypatch.setattr(measuring, "_LONG_SECONDS", 4.0)
    worker = FakeWorker({OURS: [5.0] * 3, "slow": [20.0, 15.0], "disturbed": [20.0, 1.0, 2.0]})
    _, slow, disturbed = take_turns(
        open_fakes(worker), 3, repeats=dict.fromkeys(worker.seconds, 1), steps=1
    )
    assert slow.ratios == [4, 3]
    assert disturbed.ratios == [4, 0.2, 0.4]


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param([2.1, 1.0, 0.5], id="another start"),
        pytest.param([2.0, 1.0, 0.9], id="another way"),
        pytest.param([float("nan")] * 3, id="not finite"),
        pytest.param([1.5], id="another mean"),
    ],
)
def test_a_side_that_does_other_work_is_refused(losses):
    peers = {
        OURS: Opened(FakeWorker({OURS: [1.0]}, [2.0, 1.0, 0.5]), OURS),
        "other": Opened(FakeWorker({"other": [1.0]}, losses), "other"),
    }
    with pytest.raises(ValueError, match="other did other work: its losses begin with"):
        training.check_losses(peers)


@pytest.mark.parametrize("losses", [[2.0, 1.0, 0.503], [3.503 / 3]])
def test_a_side_may_differ_as_sums_in_another_order_do(losses):
    peers = {
        OURS: Opened(FakeWorker({OURS: [1.0]}, [2.0, 1.0, 0.5]), OURS),
        "other": Opened(FakeWorker({"other": [1.0]}, losses), "other"),
    }
    assert training.check_losses(peers) == pytest.approx(0.003 / 3.5)


def test_a_twin_that_computes_something_else_is_refused():
    task, rows = Task("mlp", 2, 1), np.zeros((1, 2), np.int64)
    work = Work(task, {}, rows, np.zeros((1, 2, 8, 8, 1)), rows, np.zeros((2, 10)))
    check_logits("twin", np.full((2, 10), 1e-5), work)
    with pytest.raises(ValueError, match=r"twin is not mlp: .*; they differ by 0\.5"):
        check_logits("twin", np.full((2, 10), 0.5), work)
    with pytest.raises(ValueError, match="they differ by nan"):
        check_logits("twin", np.full((2, 10), np.nan), work)


MEASURED = [
    Measured(OURS, "loop", [1e-4, 2e-4, 3e-4], [1.0, 1.0, 1.0]),
    Measured("jax jit", "", [4e-4, 4e-4, 4e-4], [4.0, 2.0, 1.5]),
]


def test_the_table_shows_times_rates_ratios_and_what_was_left_out():
    skipped = {"pytorch compile": Skipped("no compiler")}
    trained = training.Training(Task("cnn", 32, 10), MEASURED, 0.001, skipped)
    lines = list(training.format_training([trained], 3))
    assert lines[2].split()[:6] == ["cnn", "32", "feedfetch:", "loop", "200", "5000"]
    assert " ".join(lines[3].split()) == "cnn 32 jax jit 400 2500 2.00 [1.50 to 4.00]"
    assert " ".join(lines[4].split()) == "cnn 32 pytorch compile left out: no compiler"
    assert "0.10%" in lines[5]
    assert "geometric mean 2.00, least 2.00" in lines[6]
    called = list(format_forward([Forward(Task("mlp", 256, 1), MEASURED, {})], 3))
    assert called[2].split()[:5] == ["mlp", "256", "feedfetch:", "loop", "200.0"]


def test_the_chart_has_a_panel_for_each_question_and_batch_size(monkeypatch):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    trained = training.Training(Task("cnn", 32, 10), MEASURED, 0.0, {})
    called = Forward(Task("mlp", 1, 1), MEASURED, {})
    draw_chart([trained], [called])
    (figure,) = drawn
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["training, batch 32", "forward, batch 1"]
    rows = [[label.get_text() for label in axis.get_yticklabels()] for axis in figure.axes]
    assert rows == [["cnn"], ["mlp"]]
    (mark,) = [line for line in figure.axes[0].lines if line.get_label() == "jax jit"]
    assert (list(mark.get_xdata()), list(mark.get_ydata())) == ([2.0], [0])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["jax jit"]


def test_the_chart_is_a_png():
    trained = training.Training(Task("cnn", 32, 10), MEASURED, 0.0, {})
    assert draw_chart([trained], []).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_chart([], [])
