"""What the tasks yield, as they yield it; the tracker logs it and the console shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runner.fetches import nest_fetches

# What operations of no layer are summed under.
OTHER_LAYER = "(loss, metrics, optimizer)"

Metrics = Mapping[str, float]
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LayerSummary:
    """One row of the layer table: a call of a layer.

    Attributes:
        name: The call's name.
        type: The layer's Keras class.
        output_shapes: (batch, ...) of each output, None where an axis varies.
        parameters: Number of weights, trained or not; 0 for a further call of a shared layer.
    """

    name: str
    type: str
    output_shapes: tuple[tuple[int | None, ...], ...]
    parameters: int


@dataclass(frozen=True)
class LayersResult:
    """The layers of a model that is run.

    Attributes:
        batch_size: Examples in a batch.
        layers: The calls of layers, in order.
        flops: Floating-point operations that each call takes for a batch, forward, a multiply-add
            counted as 2, at the least.
        unknown: How many operations of a cost that is not known there are in each call; those that
            have none are left out.
    """

    batch_size: int
    layers: tuple[LayerSummary, ...]
    flops: Mapping[str, int]
    unknown: Mapping[str, int]


@dataclass(frozen=True)
class LoadedWeight:
    """A weight of a model, or of the source of its weights.

    Attributes:
        name: Its name, such as ``conv1.kernel``.
        shape: Its shape.
        dtype: Its dtype.
        reason: Why it was not loaded; "" where it was.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    reason: str


@dataclass(frozen=True)
class PretrainedResult:
    """What a model was given of the weights of an earlier one.

    Attributes:
        source: Where they come from.
        weights: The weights of the model.
        others: Those of the source that the model has no place for.
    """

    source: str
    weights: tuple[LoadedWeight, ...]
    others: tuple[LoadedWeight, ...]

    @property
    def loaded(self) -> tuple[LoadedWeight, ...]:
        """The weights that were loaded."""
        return tuple(weight for weight in self.weights if not weight.reason)


@dataclass(frozen=True)
class PredictionsResult:
    """What a model gives for a batch of examples.

    Attributes:
        rows: How many examples there are in all batches.
        columns: (examples, ...) arrays by name.
        parts: By the name of a column, what each index of its last axis is called.
    """

    rows: int
    columns: Arrays
    parts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class PredictionsWritten:
    """The predictions of a run are in a file.

    Attributes:
        file: The file.
        rows: How many examples there are in it.
        columns: What it holds of each.
    """

    file: Path
    rows: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SplitSummary:
    """What a split holds.

    Attributes:
        examples: How many.
        digest: Of its content and its rows.
        balance: By the name of each label that is a class, how many examples there are of each.
    """

    examples: int
    digest: str
    balance: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class DataResult:
    """The examples of a run.

    Attributes:
        name: The data's name.
        source: Where they come from: a file, a package, a seed.
        digest: Of the content of all, as they are read, in the order of the source.
        source_digest: Of the source itself, however it is read; None where it is always the same.
        features: ``shape`` and ``dtype`` of each feature, without the batch axis.
        labels: Likewise of each label.
        splits: Those that are not empty.
        class_weight: What the examples of each class count in training; empty where all count the
            same.
    """

    name: str
    source: str
    digest: str
    source_digest: str | None
    features: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, Mapping[str, Any]]
    splits: Mapping[str, SplitSummary]
    class_weight: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LabelBalance:
    """How often which values of a label are in which split.

    Attributes:
        label: The label's name.
        classes: Its classes; empty where it is a number.
        edges: (bars + 1,) between which of its values are counted; empty where it is a class.
        counts: By split, (classes,) or (bars,) how many examples there are of each. Of a label with
            several classes an example, each counts.
    """

    label: str
    classes: tuple[str, ...]
    edges: np.ndarray
    counts: Arrays


@dataclass(frozen=True)
class BalanceResult:
    """How the labels of a run are balanced.

    Attributes:
        examples: How many there are, by split.
        labels: Those that can be counted.
    """

    examples: Mapping[str, int]
    labels: tuple[LabelBalance, ...]


@dataclass(frozen=True)
class TensorSummary:
    """A feature or a label, and its values in short.

    Attributes:
        name: Its name.
        is_label: Whether it is a label.
        shape: Of an example; None where an axis varies.
        dtype: ``string``, or what NumPy calls it.
        classes: Number of classes; None where it is no class.
        least: The least finite value; NaN where there is none.
        mean: The mean of the finite ones.
        largest: The largest finite value.
        not_finite: How many are infinite or not a number.
    """

    name: str
    is_label: bool
    shape: tuple[int | None, ...]
    dtype: str
    classes: int | None
    least: float
    mean: float
    largest: float
    not_finite: int


@dataclass(frozen=True)
class ExamplesResult:
    """What the training split looks like.

    Attributes:
        tensors: Its features, then its labels.
        sampled: How many of its rows the values in short are of.
        total: How many there are.
        rows: (shown,) integers, the row in its source of each example shown.
        features: The features of those examples, (shown, ...) each.
        labels: Their labels likewise; the names of classes where they have names.
    """

    tensors: tuple[TensorSummary, ...]
    sampled: int
    total: int
    rows: np.ndarray
    features: Arrays
    labels: Arrays


@dataclass(frozen=True)
class PreprocessResult:
    """The layers between the data and the model.

    Attributes:
        stacks: ``data.preprocess``, with the statistics that layers were adapted to.
    """

    stacks: Mapping[str, Any]


@dataclass(frozen=True)
class Started:
    """A training run is about to take its first step.

    Attributes:
        epochs: Passes over the training examples.
        steps_per_epoch: Session calls a pass.
        examples: Number of examples by split.
    """

    epochs: int
    steps_per_epoch: int
    examples: Mapping[str, int]


@dataclass(frozen=True)
class PlanResult:
    """How training steps are put to the Session.

    Attributes:
        plan: What was chosen, such as ``loop, 1 thread``.
        measured: Microseconds a step of what was measured, by plan.
        passed_over: Why others were not measured or cannot run, by plan.
        notes: How it adapts to what is asked for at single steps.
    """

    plan: str
    measured: Metrics
    passed_over: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StepsResult:
    """Training steps that were taken in one go.

    Attributes:
        epoch: Counted from 1.
        first_step: Counted from 1 over all epochs.
        losses: (steps,) the loss of each step's batch.
        running: (steps,) the epoch's metrics so far, after each step, by name.
    """

    epoch: int
    first_step: int
    losses: np.ndarray
    running: Arrays

    @property
    def last_step(self) -> int:
        """The last of the steps."""
        return self.first_step + len(self.losses) - 1


@dataclass(frozen=True)
class SplitResult:
    """Metrics over a whole split.

    Attributes:
        split: ``train``, ``validation``, ``test``, or ``all``. For ``train`` in training the mean
            over an epoch's steps, with the weights of each step.
        epoch: The epoch it followed, counted from 1; 0 where nothing is trained.
        step: The training step it followed, counted from 1; 0 where nothing is trained.
        metrics: The loss and the configured metrics.
    """

    split: str
    epoch: int
    step: int
    metrics: Metrics


@dataclass(frozen=True)
class FetchResult:
    """What was fetched for some examples.

    Attributes:
        split: The split that the examples are of.
        fetched: The configured fetches by dotted name: arrays, sparse values as (indices, values,
            dense_shape), None for an operation that was run.
        batched: Which of them hold a value for each example, (examples, ...).
        structure: The configured fetches as they are nested.
        rows: (examples,) integers, each example's row in its source.
        labels: The examples' labels by name, (examples, ...) each.
        classes: Number of classes of the label; None where it is not a class.
        step: The training step that it followed, counted from 1; None where it is the last thing
            done.
    """

    split: str
    fetched: Mapping[str, Any]
    batched: frozenset[str]
    structure: Mapping[str, Any]
    rows: np.ndarray
    labels: Arrays
    classes: int | None
    step: int | None = None

    @property
    def name(self) -> str:
        """What it is told from others of the run by, such as ``test`` or ``validation_step_7``."""
        return self.split if self.step is None else f"{self.split}_step_{self.step}"

    @property
    def nested(self) -> Any:
        """What was fetched, in the structure that was asked for, as ``Session.run`` returns it."""
        return nest_fetches(self.structure, self.fetched)

    @property
    def by_example(self) -> Arrays:
        """The fetches with a value for each example."""
        return {name: value for name, value in self.fetched.items() if name in self.batched}


@dataclass(frozen=True)
class FaultResult:
    """A step in which a value was not finite.

    Attributes:
        name: What step it was, such as ``step_7``.
        message: Where the first such value was made, from what.
        statistics: Everything in the step, in order: its name, kind, shape, dtype, least, mean and
            largest finite value, and how many are NaN and infinite.
        arrays: The batch and the weights before the step, by name, as ``feeds`` takes them.
        is_training: Whether layers behaved as in training.
    """

    name: str
    message: str
    statistics: tuple[Mapping[str, str | int | float], ...]
    arrays: Arrays
    is_training: bool


@dataclass(frozen=True)
class ClassifyResult:
    """How an output classifies the examples of a split.

    Attributes:
        split: The split that the examples are of.
        output: The output's name.
        label: The label that it is compared with.
        classes: Number of classes.
        rows: (examples,) integers, each example's row in its source.
        actual: (examples,) integers, the class that each is labelled with.
        predicted: (examples,) integers, the class that the output gives it.
        confidence: (examples,) floats, the probability of the class predicted, 0 to 1.
        left_out: Number of further examples that have no class, or an output that is not finite.
        shown: (shown,) integers, the places above of the worst mistakes, the most confident first;
            of the least confident where there is no mistake.
        features: The features of those examples by name, (shown, ...) each.
        class_names: The names of the classes, in order; empty where they have none.
    """

    split: str
    output: str
    label: str
    classes: int
    rows: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    left_out: int
    shown: np.ndarray
    features: Arrays
    class_names: tuple[str, ...] = ()

    def name_class(self, index: int) -> str:
        """Returns what a class is called: its name, or its number."""
        return self.class_names[index] if self.class_names else str(index)

    @property
    def mistakes(self) -> int:
        """The number of examples whose class is not the one predicted."""
        return int((self.actual != self.predicted).sum())


@dataclass(frozen=True)
class RegressResult:
    """How far a number that an output gives is off over the examples of a split.

    Attributes:
        split: The split that the examples are of.
        output: The output's name, with the place of the number where there are several.
        label: Likewise what it is compared with.
        examples: How many there are.
        left_out: Number of further examples of which either is not finite.
        mean_error: The mean of what is predicted less what is actual.
        mean_absolute_error: The mean of how far it is off.
        root_mean_squared_error: The root of the mean of its square.
        r2: The share of the variance of the label that is explained; NaN where there is none.
        edges: (bars + 1,) between which the errors are counted.
        counts: (bars,) how many examples there are of each.
        actual: (sampled,) the labels of every so many of them.
        predicted: (sampled,) what the output gives for it.
        shown_rows: (shown,) integers, the rows in their source of those that are the furthest off.
        shown_actual: (shown,) their labels.
        shown_predicted: (shown,) what the output gives for them.
        features: Their features by name, (shown, ...) each.
    """

    split: str
    output: str
    label: str
    examples: int
    left_out: int
    mean_error: float
    mean_absolute_error: float
    root_mean_squared_error: float
    r2: float
    edges: np.ndarray
    counts: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    shown_rows: np.ndarray
    shown_actual: np.ndarray
    shown_predicted: np.ndarray
    features: Arrays


@dataclass(frozen=True)
class OperationTime:
    """One operation of a traced step.

    Attributes:
        name: Its name in the graph.
        type: What it does, such as ``MatMul``.
        layer: The call of a layer that it belongs to; "" for losses, metrics and the optimizer.
        is_backward: Whether it computes gradients.
        device: Where it ran, such as ``CPU:0``.
        start_microseconds: When it was ready to run, counted from the first operation.
        microseconds: How long it computed.
        output_bytes: What its outputs take.
        peak_bytes: The most that it had allocated at once.
    """

    name: str
    type: str
    layer: str
    is_backward: bool
    device: str
    start_microseconds: int
    microseconds: int
    output_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class LayerTime:
    """How long the operations of a layer computed, summed.

    Attributes:
        name: The call; "" for losses, metrics and the optimizer.
        forward_microseconds: Without those of gradients.
        backward_microseconds: Those of gradients.
        share: Of the sum over all layers, 0 to 1.
    """

    name: str
    forward_microseconds: int
    backward_microseconds: int
    share: float

    @property
    def microseconds(self) -> int:
        """Both."""
        return self.forward_microseconds + self.backward_microseconds


@dataclass(frozen=True)
class TraceResult:
    """What TensorFlow noted of one traced step.

    Attributes:
        name: What was traced, such as ``train_step_3``.
        chrome_trace: A trace in Chrome's JSON format, as Perfetto opens it.
        operations: Each operation, once; their times add up to more than the step's where several
            run at once.
        peak_bytes: The most memory in tensors at once, by allocator, such as ``cpu``.
        partition_graphs: The graph that ran on each device, as text, if it was asked for.
        top: How many layers a chart is to show.
    """

    name: str
    chrome_trace: str
    operations: tuple[OperationTime, ...]
    peak_bytes: Mapping[str, int]
    partition_graphs: tuple[str, ...]
    top: int

    @property
    def microseconds(self) -> int:
        """From the first operation's start to the last one's end."""
        ends = [one.start_microseconds + one.microseconds for one in self.operations]
        return max(ends, default=0)

    @property
    def layers(self) -> tuple[LayerTime, ...]:
        """The time of each layer, the longest first."""
        times: dict[str, Counter[bool]] = {}
        for one in self.operations:
            times.setdefault(one.layer, Counter())[one.is_backward] += one.microseconds
        total = sum(time.total() for time in times.values()) or 1
        layers = [
            LayerTime(name, time[False], time[True], time.total() / total)
            for name, time in times.items()
        ]
        return tuple(sorted(layers, key=lambda layer: -layer.microseconds))


@dataclass(frozen=True)
class LayerCost:
    """What a call of a layer costs at inference.

    Attributes:
        name: The call's name.
        type: The layer's Keras class.
        sources: The inputs and calls that it takes from.
        output_shapes: (batch, ...) of each output, None where an axis varies.
        trained_parameters: Number of weights that training changes by gradients; 0 for a further
            call of a shared layer.
        frozen_parameters: Likewise of all others, such as moving averages.
        parameter_bytes: What both take in memory.
        flops: Floating-point operations a batch, a multiply-add counted as 2, at the least.
        activation_bytes: What the outputs that are new in memory take for a batch, at the least;
            0 for those that are reshaped or passed on, and where the model's outputs need none.
        unknown: How many operations of each type there are whose cost is not known.
        varying_outputs: How many outputs there are of a size that is not known.
    """

    name: str
    type: str
    sources: tuple[str, ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    trained_parameters: int
    frozen_parameters: int
    parameter_bytes: int
    flops: int
    activation_bytes: int
    unknown: Mapping[str, int]
    varying_outputs: int


@dataclass(frozen=True)
class InspectResult:
    """What a model is made of and what it costs, nothing run.

    Attributes:
        batch_size: Examples in a batch.
        inputs: (batch, ...) of each input by name.
        layers: The cost of each call of each layer, in order.
        outputs: The call that gives each output, by the output's name.
        flops_by_operation: Floating-point operations by the type of operation.
    """

    batch_size: int
    inputs: Mapping[str, tuple[int | None, ...]]
    layers: tuple[LayerCost, ...]
    outputs: Mapping[str, str]
    flops_by_operation: Mapping[str, int]

    @property
    def totals(self) -> LayerCost:
        """The sums over all layers."""
        unknown: Counter[str] = Counter()
        for layer in self.layers:
            unknown.update(layer.unknown)
        return LayerCost(
            name="total",
            type="",
            sources=(),
            output_shapes=(),
            trained_parameters=sum(layer.trained_parameters for layer in self.layers),
            frozen_parameters=sum(layer.frozen_parameters for layer in self.layers),
            parameter_bytes=sum(layer.parameter_bytes for layer in self.layers),
            flops=sum(layer.flops for layer in self.layers),
            activation_bytes=sum(layer.activation_bytes for layer in self.layers),
            unknown=unknown,
            varying_outputs=sum(layer.varying_outputs for layer in self.layers),
        )


@dataclass(frozen=True)
class WeightsResult:
    """What training made.

    Attributes:
        arrays: The model's weights, statistics and seeds by name, such as ``conv1.kernel``.
    """

    arrays: Arrays


@dataclass(frozen=True)
class AnswersResult:
    """What the Session gives for a few examples, by which a saved model is checked.

    Attributes:
        split: The split that they are of.
        features: (examples, ...) arrays by input name.
        outputs: (examples, ...) arrays by the name of the model's output.
        has_gpu: Whether a GPU may have computed them.
    """

    split: str
    features: Arrays
    outputs: Arrays
    has_gpu: bool


@dataclass(frozen=True)
class ModelTensor:
    """An input or an output of a saved model.

    Attributes:
        name: Its name.
        shape: Its shape without the batch axis, None where it varies.
        dtype: Its dtype, as TensorFlow names it.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class ModelResult:
    """The trained model is in a folder, in Keras's format.

    Attributes:
        folder: What holds ``model.keras``, and the classes of its own that it needs.
        inputs: What it takes.
        outputs: What it gives.
        example: (examples, ...) arrays by input name.
        difference: How far its outputs for them are from the Session's, relative to their scale.
        code: Modules and packages that it needs, as files and folders.
        requirements: Distributions that it needs, with their versions.
    """

    folder: Path
    inputs: tuple[ModelTensor, ...]
    outputs: tuple[ModelTensor, ...]
    example: Arrays
    difference: float
    code: tuple[Path, ...]
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class CheckpointResult:
    """What training had made by a step.

    Attributes:
        step: The step that it followed, counted from 1.
        arrays: The variables of the model and of the optimizer by name.
    """

    step: int
    arrays: Arrays


@dataclass(frozen=True)
class LearningRateResult:
    """The learning rate after a step.

    Attributes:
        step: Counted from 1.
        value: The rate.
        is_reduced: Whether it was reduced there, since nothing got better.
    """

    step: int
    value: float
    is_reduced: bool


@dataclass(frozen=True)
class StopResult:
    """Training ended before its last epoch, or its best weights were taken back.

    Attributes:
        step: The step that it ended with, counted from 1.
        reason: Why it ended; "" where it came to its end.
        best_step: The step whose weights remain; None where they are those of the last.
    """

    step: int
    reason: str
    best_step: int | None


@dataclass(frozen=True)
class WaitResult:
    """How long training steps waited for their batches.

    Attributes:
        waited_seconds: Until a batch was there, over all steps.
        seconds: What all steps took, waiting included.
    """

    waited_seconds: float
    seconds: float

    @property
    def share(self) -> float:
        """The part of the time that was waited, 0 to 1."""
        return self.waited_seconds / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class RunOutcome:
    """What remains of a run once it is over.

    Attributes:
        run_id: Its id in MLflow; None where it is not kept.
        metrics: The last ones over each split, such as ``test/accuracy``.
    """

    run_id: str | None
    metrics: Metrics


@dataclass(frozen=True)
class JobResult:
    """A job of a sweep.

    Attributes:
        number: Its place in the sweep, counted from 0.
        overrides: What it was started with: key to value.
        status: How it ended, in MLflow's terms.
        metrics: The last ones over each split, such as ``test/accuracy``; none if it failed.
        run_id: Its run's id in MLflow; None where there is none.
        error: What ended it, in a line; "" where nothing did.
    """

    number: int
    overrides: Mapping[str, str]
    status: str
    metrics: Metrics
    run_id: str | None
    error: str = ""


@dataclass(frozen=True)
class Spread:
    """How a metric spreads over jobs that are to tell the same.

    Attributes:
        jobs: How many have it.
        mean: Their mean.
        std: The sample standard deviation; NaN of one job.
        low: The lower end of the 95 % interval of the mean, by Student's t; NaN of one job.
        high: The upper end.
    """

    jobs: int
    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class JobGroup:
    """Jobs that differ in nothing but the seed and the fold.

    Attributes:
        overrides: What they have in common of that in which the sweep varies: key to value.
        jobs: How many there are, finished or not.
        spreads: Of each metric of the test.
    """

    overrides: Mapping[str, str]
    jobs: int
    spreads: Mapping[str, Spread]


@dataclass(frozen=True)
class SweepResult:
    """What came of a sweep.

    Attributes:
        jobs: Those that were started, in order.
        varying: The keys of the overrides in which they differ.
        groups: Those that are repetitions of one another; empty where none are.
    """

    jobs: tuple[JobResult, ...]
    varying: tuple[str, ...]
    groups: tuple[JobGroup, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many jobs ended in which status."""
        return Counter(job.status for job in self.jobs)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics, in the order in which they first come."""
        return tuple(dict.fromkeys(name for job in self.jobs for name in job.metrics))


@dataclass(frozen=True)
class BatchLatency:
    """How long a model took to answer batches of one size.

    Attributes:
        batch_size: Examples in a batch.
        plan: How they were answered.
        microseconds: (calls,) the time of each call.
    """

    batch_size: int
    plan: str
    microseconds: np.ndarray

    @property
    def examples_per_second(self) -> float:
        """Over all calls."""
        return float(self.batch_size / self.microseconds.mean() * 1e6)

    def percentile(self, percent: float) -> float:
        """Returns the microseconds that `percent` of the calls took at the most."""
        return float(np.percentile(self.microseconds, percent))


@dataclass(frozen=True)
class BenchmarkResult:
    """How long a model took to answer, over sizes of batches."""

    latencies: tuple[BatchLatency, ...]


@dataclass(frozen=True)
class DrawingResult:
    """A picture.

    Attributes:
        name: What it shows, such as ``graph``.
        svg: An SVG document.
    """

    name: str
    svg: str


Result = (
    DataResult
    | LayersResult
    | BalanceResult
    | ExamplesResult
    | PreprocessResult
    | PretrainedResult
    | PredictionsResult
    | PredictionsWritten
    | Started
    | PlanResult
    | StepsResult
    | SplitResult
    | FetchResult
    | ClassifyResult
    | RegressResult
    | TraceResult
    | InspectResult
    | DrawingResult
    | WeightsResult
    | AnswersResult
    | ModelResult
    | CheckpointResult
    | LearningRateResult
    | StopResult
    | WaitResult
    | SweepResult
    | BenchmarkResult
    | FaultResult
)
