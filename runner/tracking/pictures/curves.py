"""Draws how a run learnt: its loss, its metrics and its learning rate over epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from runner.results import LearningRateResult, SplitResult, StepsResult, StopResult
from runner.tracking.pictures.charts import (
    BAND,
    MARK,
    SMALL,
    SPLITS,
    TRAIN,
    Canvas,
    Chart,
    format_tick,
)
from runner.tracking.pictures.plan import name_file
from runner.tracking.pictures.sheet import FAINT

_WIDTH, _HEIGHT = 400, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 46, 32, 10, 38
_MOST_BUCKETS = 160
_MOST_POINTS = 400
_MOST_DOTS = 30
# From here on, a loss is drawn by its logarithm.
_WIDE_RANGE = 20.0
_LOSS = "loss"


@dataclass(frozen=True)
class Progress:
    """A run's steps, and what was measured after which.

    Attributes:
        steps: All steps, in order.
        splits: The metrics over splits while it was trained, in order.
        rates: The learning rate after steps.
        stop: Why it ended early and which step was the best; None where it did neither.
        steps_per_epoch: Steps a pass over the training examples.
    """

    steps: Sequence[StepsResult]
    splits: Sequence[SplitResult]
    rates: Sequence[LearningRateResult]
    stop: StopResult | None
    steps_per_epoch: int

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics, the loss first."""
        names = dict.fromkeys(name for one in self.splits for name in one.metrics)
        return tuple(sorted(names, key=lambda name: name != _LOSS))

    def find_series(self, metric: str) -> dict[str, np.ndarray]:
        """Returns, by split, (points, 2) epochs and the values there, where there are any."""
        found: dict[str, list[tuple[float, float]]] = {}
        for one in self.splits:
            if metric in one.metrics and one.split in ("train", "validation"):
                epoch = one.step / self.steps_per_epoch
                found.setdefault(one.split, []).append((epoch, one.metrics[metric]))
        return {split: np.array(points) for split, points in found.items()}


def draw_metric(progress: Progress, metric: str) -> Chart:
    """Returns a metric over epochs: a line a split; of the loss also the range of the steps'."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = canvas.add_axes(_LEFT, _TOP, _RIGHT, _BOTTOM)
    series = progress.find_series(metric)
    legend = []
    if metric == _LOSS and progress.steps:
        _draw_steps(axes, progress)
        legend.append(("each step", BAND))
    for split, points in series.items():
        shown = _thin(points)
        dots = "o" if len(shown) <= _MOST_DOTS else ""
        axes.plot(
            *shown.T, color=SPLITS[split], linewidth=1.8, marker=dots, markersize=3.5, clip_on=False
        )
        legend.append((f"{split} {format_tick(points[-1, 1])}", SPLITS[split]))
    if metric == _LOSS:
        _scale_loss(axes, series)
    _finish(axes, progress)
    canvas.write_legend(legend)
    last = ", ".join(f"{name} {format_tick(points[-1, 1])}" for name, points in series.items())
    return canvas.to_chart(
        f"curve_{name_file(metric)}",
        metric,
        f"{metric} over {_count_epochs(progress)} epochs; at the end {last}",
    )


def draw_rate(progress: Progress) -> Chart:
    """Returns the learning rate over epochs."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    axes = canvas.add_axes(_LEFT, _TOP, _RIGHT, _BOTTOM)
    points = np.array([(one.step / progress.steps_per_epoch, one.value) for one in progress.rates])
    axes.plot(*_thin(points).T, color=TRAIN, linewidth=1.8, drawstyle="steps-post")
    reduced = [one for one in progress.rates if one.is_reduced]
    for one in reduced:
        axes.plot(one.step / progress.steps_per_epoch, one.value, "v", color=MARK, markersize=6)
    axes.set_ylim(0, 1.1 * float(points[:, 1].max()) or 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    _finish(axes, progress)
    canvas.write_legend(
        [
            (f"learning rate {points[-1, 1]:.3g}", TRAIN),
            *([("reduced, as nothing got better", MARK)] if reduced else []),
        ]
    )
    alt = f"learning rate over epochs, from {points[0, 1]:.3g} to {points[-1, 1]:.3g}"
    return canvas.to_chart("learning_rate", "learning rate", alt)


def _draw_steps(axes: Axes, progress: Progress) -> None:
    """Draws the loss of each step as a line; of many, the range of neighbouring ones as a band."""
    losses = np.concatenate([one.losses for one in progress.steps]).astype(np.float64)
    first = progress.steps[0].first_step
    places = (first + np.arange(len(losses))) / progress.steps_per_epoch
    if len(losses) <= _MOST_POINTS:
        dots = "o" if len(losses) <= _MOST_DOTS else ""
        axes.plot(places, losses, color=BAND, linewidth=1, marker=dots, markersize=3)
        return
    parts = np.array_split(np.arange(len(losses)), _MOST_BUCKETS)
    finite = [part[np.isfinite(losses[part])] for part in parts]
    finite = [part for part in finite if len(part)]
    low = [losses[part].min() for part in finite]
    high = [losses[part].max() for part in finite]
    middle = [places[part].mean() for part in finite]
    axes.fill_between(middle, low, high, color=BAND, alpha=0.45, linewidth=0)


def _scale_loss(axes: Axes, series: Mapping[str, np.ndarray]) -> None:
    values = np.concatenate([points[:, 1] for points in series.values()] or [np.ones(1)])
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() / values.min() > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.set_ylim(bottom=values.min() / 2)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _finish(axes: Axes, progress: Progress) -> None:
    epochs = _count_epochs(progress)
    axes.set_xlim(0, max(epochs, 1))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 5, 10]))
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_tick(value)))
    axes.set_xlabel("epoch", fontsize=SMALL, color=FAINT)
    stop = progress.stop
    if stop is not None and stop.best_step is not None:
        _draw_mark(axes, stop.best_step / progress.steps_per_epoch, "best")
    if stop is not None and stop.reason:
        _draw_mark(axes, stop.step / progress.steps_per_epoch, "stopped")


def _draw_mark(axes: Axes, epoch: float, text: str) -> None:
    axes.axvline(epoch, color=MARK, linewidth=1.2, linestyle=(0, (4, 3)))
    is_left = epoch > axes.get_xlim()[1] / 2
    axes.annotate(
        text,
        (epoch, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if is_left else 4, 7 if text == "best" else -4),
        textcoords="offset points",
        horizontalalignment="right" if is_left else "left",
        verticalalignment="center",
        fontsize=SMALL,
        color=MARK,
    )


def _count_epochs(progress: Progress) -> float:
    last = max((one.last_step for one in progress.steps), default=0)
    last = max(last, max((one.step for one in progress.splits), default=0))
    epochs = last / progress.steps_per_epoch
    return int(epochs) if epochs == int(epochs) else round(epochs, 2)


def _thin(points: np.ndarray) -> np.ndarray:
    """Returns no more points than can be told apart, the last among them."""
    if len(points) <= _MOST_POINTS:
        return points
    kept: np.ndarray = points[np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int)]
    return kept
