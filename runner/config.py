"""The typed configuration of an experiment. Plain dataclasses; YAML holds the defaults.

Imports no TensorFlow. ``MISSING`` marks what a YAML file under conf/ must give.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from models.config import ModelConfig, TensorConfig
from runner.config_proto import (
    ClusterConfig,
    ExperimentalConfig,
    GPUOptionsConfig,
    GraphOptionsConfig,
    RPCOptionsConfig,
    ThreadPoolOptionConfig,
)

COLUMN_TYPES = ("numeric", "categorical", "text", "sequence", "ignore")
ENCODINGS = ("one_hot", "index")
DECODINGS = ("image", "raw")
LABEL_FORMATS = ("integer", "one_hot")
SYNTHETIC_KINDS = ("classification", "regression", "sequences")
KERAS_DATASETS = (
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
)
UNDECLARED = ("infer", "ignore")

# The endings of files that weights are taken from, and of those that predictions are written to.
WEIGHT_FILES = (".keras", ".weights.h5", ".npz")
PREDICTION_FILES = (".csv", ".parquet", ".npz")

# The keys of a split that name a column or an array.
SPLIT_COLUMNS = ("group", "time", "column")
# Those that name a file or a folder.
SPLIT_FILES = ("validation_file", "test_file")


@dataclass
class SplitConfig:
    """How examples are divided; the rest trains.

    Attributes:
        validation: Share of the examples held out for validation, 0 to 1; of those that no file and
            no column gives to another split.
        test: Share of the examples held out for the test, 0 to 1.
        group: A column or an array of the file: rows of one value in it are all in one split.
        time: One in whose order the last rows are the test, and those before them validation.
        column: One that says of each row in which split it is: train, validation or test.
        validation_file: A file or folder as ``data.file``, which is the validation split.
        test_file: One that is the test split.
    """

    validation: float = MISSING
    test: float = MISSING
    group: str | None = None
    time: str | None = None
    column: str | None = None
    validation_file: str | None = None
    test_file: str | None = None


@dataclass
class PadConfig:
    """How values whose lengths differ are padded.

    Attributes:
        length: What all are cut or padded to; null for the longest of each batch.
        value: What stands after the end of a shorter one.
    """

    length: int | None = None
    value: float = 0


@dataclass
class DataConfig:
    """A data source and how it is batched; each source is a class of its own.

    Attributes:
        name: The data's name; runs on the same data are listed under it.
        features: What the source gives as inputs, by name.
        labels: What the source gives as targets, by name, the main one first; empty where it has
            none.
        classes: Number of classes of the first label; null where it is no class.
        class_names: Their names, in order; empty where they have none.
        label_format: What the first label is where it is a class: ``integer``, or ``one_hot``, a 1
            among zeros.
        batch_size: Examples a step.
        drop_remainder: Whether to leave out the last batch of a pass where it is smaller.
        preprocess: Name of a feature to a stack of layers, as ``model.layers``, between it and the
            model. Those that have statistics are adapted to the training split.
        split: How the examples are divided.
        folds: Into how many parts the examples are divided where there is a fold.
        fold: Which of them, counted from 0, is the test split in place of ``split.test``; null for
            none.
        shards: Into how many parts the training examples are divided, for as many workers.
        shard: Which of them, counted from 0, this run trains on.
        buckets: Lengths, ascending; examples of lengths that differ come in batches of those up to
            the same one. None puts all lengths together.
        pad: How features whose lengths differ are padded, by name; with zeros to the longest of
            a batch where nothing is said.
        sample_weight: A label, a column or an array that holds what each example counts in the
            loss; null where all count the same.
        class_weight: What the examples of each class count in the loss in training, ``{0: 1.0, 1:
            5.0}``; ``balanced`` for the inverse of their share; null where all count the same.
    """

    name: str = MISSING
    features: dict[str, TensorConfig] = field(default_factory=dict)
    labels: dict[str, TensorConfig] = field(default_factory=dict)
    classes: int | None = MISSING
    class_names: list[str] = field(default_factory=list)
    label_format: str = field(default="integer", metadata={"choices": LABEL_FORMATS})
    batch_size: int = MISSING
    drop_remainder: bool = MISSING
    preprocess: dict[str, Any] = field(default_factory=dict)
    split: SplitConfig = field(default_factory=SplitConfig)
    folds: int = 5
    fold: int | None = None
    shards: int = 1
    shard: int = 0
    buckets: list[int] = field(default_factory=list)
    pad: dict[str, PadConfig] = field(default_factory=dict)
    sample_weight: str | None = None
    class_weight: Any = None


@dataclass
class DigitsDataConfig(DataConfig):
    """The handwritten digits that scikit-learn carries."""


@dataclass
class BreastCancerDataConfig(DataConfig):
    """The measurements of tumours that scikit-learn carries."""


@dataclass
class IrisDataConfig(DataConfig):
    """The measurements of irises that scikit-learn carries."""


@dataclass
class WineDataConfig(DataConfig):
    """The analyses of wines that scikit-learn carries."""


@dataclass
class DiabetesDataConfig(DataConfig):
    """The patients with diabetes that scikit-learn carries."""


@dataclass
class RandomDataConfig(DataConfig):
    """Random examples in the shapes of the model's inputs.

    Attributes:
        examples: How many examples to draw.
    """

    examples: int = MISSING


@dataclass
class KerasDataConfig(DataConfig):
    """A set of ``keras.datasets``, from Keras's cache or downloaded.

    Attributes:
        dataset: Which of them.
        num_words: Of imdb and reuters, how many of the most frequent words have numbers of their
            own.
    """

    dataset: str = field(default=MISSING, metadata={"choices": KERAS_DATASETS})
    num_words: int | None = MISSING


@dataclass
class DescribedDataConfig(DataConfig):
    """Examples whose features, labels and classes their source tells."""


@dataclass
class SyntheticDataConfig(DescribedDataConfig):
    """Examples made from the seed, of which something can be learned.

    Attributes:
        kind: ``classification``, ``regression`` or ``sequences``.
        examples: How many examples to make.
        numbers: Of classification and regression, how many numbers an example has.
        informative: How many of them the label depends on.
        noise: Of classification, the share of labels that are drawn at random; of regression, the
            standard deviation of what is added to the label; of sequences, of what is added to
            each value.
        length: Of sequences, the number of time steps.
        channels: Of sequences, the number of values a time step.
    """

    kind: str = field(default=MISSING, metadata={"choices": SYNTHETIC_KINDS})
    examples: int = MISSING
    numbers: int = MISSING
    informative: int = MISSING
    noise: float = MISSING
    length: int = MISSING
    channels: int = MISSING


@dataclass
class OwnDataConfig(DescribedDataConfig):
    """What a function or a class of the user's own returns.

    Attributes:
        source: ``class``, the function or class by its module, and its arguments.
    """

    source: dict[str, Any] = field(default_factory=dict)


@dataclass
class FileDataConfig(DescribedDataConfig):
    """Examples in files of the user's own, whose features, labels and classes are read from them.

    Attributes:
        file: Where they are; relative to the folder that the command is given in.
        stream: Whether examples are read while steps are taken, rather than held in memory; null
            for where they would take more than 512 MiB.
        full_digest: Whether the digest of what is so read is of all that is in the files, which
            reads them once more, rather than of parts of them.
    """

    file: str = MISSING
    stream: bool | None = None
    full_digest: bool = False


@dataclass
class ImagesDataConfig(FileDataConfig):
    """Pictures in a folder for each class.

    Attributes:
        size: Height and width in pixels that all are resized to; null where all are of one size.
        antialias: Whether a smaller picture is the mean of all pixels of a larger one, rather than
            of the four around each of its own.
        colors: ``grayscale`` or ``rgb``.
        corrupt: What becomes of files that cannot be read: ``refuse`` or ``skip``.
    """

    size: list[int] | None = MISSING
    antialias: bool = MISSING
    colors: str = MISSING
    corrupt: str = MISSING


@dataclass
class TextDataConfig(FileDataConfig):
    """Lines of text with labels, in a file for each class or with the label in front.

    Attributes:
        delimiter: What stands between label and text in a file that has both.
    """

    delimiter: str = MISSING


@dataclass
class ColumnsDataConfig(FileDataConfig):
    """Examples in files whose columns or arrays have names.

    Attributes:
        targets: The names of those to predict, the main one first; none where there are none.
        missing: What becomes of rows in which a value is missing: ``refuse``, ``drop`` or ``keep``.
        id: The name of the one that tells examples apart, which is no feature; null for none.
    """

    targets: list[str] = MISSING
    missing: str = MISSING
    id: str | None = None


@dataclass
class ArraysDataConfig(ColumnsDataConfig):
    """Arrays in an .npz file, or in the .npy files of a folder.

    Attributes:
        fill: What NaN is replaced with; null for nothing.
    """

    fill: float | None = MISSING


@dataclass
class RecordConfig:
    """How a feature or a label stands in a TFRecord.

    Attributes:
        key: What the record calls it; null for its own name.
        decode: What its bytes are: an ``image`` (PNG, JPEG, BMP or GIF; 0 to 1 in floats), or
            ``raw`` values of its dtype; null where the record holds its values.
        default: What stands for it in a record that has none; null refuses such a record.
    """

    key: str | None = None
    decode: str | None = field(default=None, metadata={"choices": DECODINGS})
    default: Any = None


@dataclass
class TFRecordDataConfig(FileDataConfig):
    """Records of ``tf.train.Example`` in TFRecord files; what they hold is declared.

    Attributes:
        records: How those features and labels stand in a record that are not there by their own
            name, shape and dtype.
        corrupt: What becomes of records that cannot be read: ``refuse`` or ``skip``.
    """

    records: dict[str, RecordConfig] = field(default_factory=dict)
    corrupt: str = MISSING


@dataclass
class ColumnConfig:
    """What becomes of a column of a table.

    Attributes:
        type: ``numeric``, ``categorical``, ``text``, ``sequence`` (lists of numbers) or ``ignore``;
            null for what its values look like.
        feature: The feature that it stands in, beside others that name it; null for ``numbers``,
            or for one of the column's name where it is text, a sequence or an index.
        encoding: Of a category: ``one_hot``, a 1 among zeros, or ``index``, an integer.
        categories: The values of a category in the order of their indices; null for those that
            there are, sorted.
        fill: What stands for a missing value; null for nothing.
        label: Of a target, the label that it stands in, a vector of the numbers of all targets that
            name it; null for one of the column's name.
    """

    type: str | None = field(default=None, metadata={"choices": COLUMN_TYPES})
    feature: str | None = None
    encoding: str = field(default="one_hot", metadata={"choices": ENCODINGS})
    categories: list[str] | None = None
    fill: Any = None
    label: str | None = None


@dataclass
class TableDataConfig(ColumnsDataConfig):
    """A table, CSV or Parquet.

    Attributes:
        columns: What becomes of which column, as a ``ColumnConfig``.
        undeclared: What becomes of the others: ``infer``, what their values look like, or
            ``ignore``. Then features are in the order of ``columns``, not of the table.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    undeclared: str = field(default="infer", metadata={"choices": UNDECLARED})


@dataclass
class SeriesDataConfig(TableDataConfig):
    """Windows over the rows of a table, in their order.

    Attributes:
        window: How many rows an example has.
        horizon: How many rows after the window's last the label is.
        stride: How many rows after the start of a window the next one starts.
    """

    window: int = MISSING
    horizon: int = MISSING
    stride: int = MISSING


@dataclass
class TaskConfig:
    """What to do with the model; each task is a class of its own.

    Attributes:
        name: What runs of the task are labelled with.
    """

    name: str = MISSING


@dataclass
class ExamplesTaskConfig(TaskConfig):
    """A task that takes some examples at once.

    Attributes:
        examples: How many examples the configured fetches are computed and logged for.
    """

    examples: int = MISSING


@dataclass
class StopConfig:
    """When training ends before its last epoch; null for never.

    Attributes:
        steps: After so many steps.
        minutes: After the call of steps in which so many minutes of training have passed.
        monitor: What is looked at, each time it is known: ``train/`` or ``validation/`` and a
            metric, or ``step/loss``, the loss of each step's batch.
        mode: ``min`` or ``max``, which of two values is the better; null for what the metric's name
            and type say.
        target: The value of ``monitor`` at which training ends.
        patience: After so many looks that bettered nothing.
        min_delta: By how much a value has to be better to count.
        restore_best: Whether the weights of the best look are what remains, where there is a
            target or a patience.
    """

    steps: int | None = MISSING
    minutes: float | None = MISSING
    monitor: str = MISSING
    mode: str | None = MISSING
    target: float | None = MISSING
    patience: int | None = MISSING
    min_delta: float = MISSING
    restore_best: bool = MISSING


@dataclass
class PlateauConfig:
    """When the learning rate is reduced, as by ``keras.callbacks.ReduceLROnPlateau``.

    Attributes:
        monitor: What is looked at, as ``task.stop.monitor``.
        mode: ``min`` or ``max``; null for what the metric's name and type say.
        factor: What the learning rate is multiplied by, above 0 and below 1.
        patience: After so many looks that bettered nothing; null for never.
        min_delta: By how much a value has to be better to count.
        cooldown: Looks after a reduction that are not counted.
        min_learning_rate: What the learning rate is not reduced below.
    """

    monitor: str = MISSING
    mode: str | None = MISSING
    factor: float = MISSING
    patience: int | None = MISSING
    min_delta: float = MISSING
    cooldown: int = MISSING
    min_learning_rate: float = MISSING


@dataclass
class EveryConfig:
    """After how many steps something is done, each time; a call of steps ends there.

    Attributes:
        validate: Evaluate on the validation split; null for after each epoch.
        fetch: Log the configured fetches for ``task.examples`` held-out examples; null for never.
        checkpoint: Log the weights and the optimizer's variables; null for never.
    """

    validate: int | None = MISSING
    fetch: int | None = MISSING
    checkpoint: int | None = MISSING


@dataclass
class TrainConfig(ExamplesTaskConfig):
    """Train, evaluate on held-out data, fetch outputs for held-out examples.

    Attributes:
        epochs: Passes over the training examples.
        stop: When training ends before that.
        plateau: When the learning rate is reduced.
        every: What is done every so many steps.
    """

    epochs: int = MISSING
    stop: StopConfig = field(default_factory=StopConfig)
    plateau: PlateauConfig = field(default_factory=PlateauConfig)
    every: EveryConfig = field(default_factory=EveryConfig)


@dataclass
class EvaluateConfig(ExamplesTaskConfig):
    """Measure the model on held-out data, fetch outputs for examples of it; nothing is trained.

    Attributes:
        splits: What is evaluated on: ``train``, ``validation``, ``test``, or ``all`` for all that
            the source gives.
    """

    splits: list[str] = MISSING


@dataclass
class PredictConfig(TaskConfig):
    """Write what the model gives for each example of a source to a file; nothing is trained.

    Attributes:
        split: ``all`` that the source gives, or ``train``, ``validation`` or ``test``.
        file: The file, .csv, .parquet or .npz; null for ``predictions.csv`` in the run's folder.
    """

    split: str = MISSING
    file: str | None = MISSING


@dataclass
class ForwardConfig(ExamplesTaskConfig):
    """Feed a batch, fetch, log.

    Attributes:
        training: Whether layers such as Dropout behave as in training.
        mask: For a model of one input with time steps, a list of one boolean a step, true where the
            step is to be used, the same for every example; null for none.
    """

    training: bool = MISSING
    mask: list[bool] | None = MISSING


@dataclass
class InspectConfig(ExamplesTaskConfig):
    """Say what the model is made of and costs, and what the data look like; nothing is run.

    ``examples`` is the batch size that operations and memory are counted at.

    Attributes:
        show: How many examples of the training split are logged, as pictures or in a table.
    """

    show: int = MISSING


@dataclass
class SessionConfig:
    """The Session's devices and threads: ``tf.compat.v1.ConfigProto`` and three options of our own.

    Null keeps TensorFlow's default.

    Attributes:
        device: Where the graph is placed, such as ``/GPU:0``; null lets TensorFlow choose.
        deterministic_ops: Whether operations give the same bits each time; for the whole process.
        tensorflow_log_level: What TensorFlow prints and logs: 0 all, 1 no information, 2 no
            warnings either, 3 nothing. An environment's ``TF_CPP_MIN_LOG_LEVEL`` goes before it.
        device_count: Device type to the most devices of it to use, such as ``{GPU: 0}``.
        intra_op_parallelism_threads: Threads within an operation; 0 for one a core.
        inter_op_parallelism_threads: Operations at once; 0 for one a core; -1 runs them one after
            the other in the thread that calls.
        use_per_session_threads: Have threads of the Session's own for operations at once.
        session_inter_op_thread_pool: Thread pools of the Session's own, of which the first is used.
        placement_period: Steps after which operations are placed anew.
        device_filters: Names of the only devices to use, such as ``/job:worker``.
        gpu_options: Memory and visibility of GPUs.
        pluggable_device_options: Memory and visibility of devices that plug-ins bring.
        allow_soft_placement: Move an operation that has no kernel on its device to one that has.
        log_device_placement: Have TensorFlow print where each operation runs.
        graph_options: What is done to the graph before it is run.
        operation_timeout_in_ms: Milliseconds that a blocking operation may take; 0 for no limit.
        rpc_options: How the Session speaks to a server.
        cluster_def: The processes of its cluster.
        isolate_session_state: Share no variables with other Sessions of the server.
        share_cluster_devices_in_session: Use the devices of the whole cluster.
        experimental: What TensorFlow may change without notice.
    """

    device: str | None = MISSING
    deterministic_ops: bool = MISSING
    tensorflow_log_level: int = MISSING
    device_count: dict[str, int] = field(default_factory=dict)
    intra_op_parallelism_threads: int | None = None
    inter_op_parallelism_threads: int | None = None
    use_per_session_threads: bool | None = None
    session_inter_op_thread_pool: list[ThreadPoolOptionConfig] = field(default_factory=list)
    placement_period: int | None = None
    device_filters: list[str] = field(default_factory=list)
    gpu_options: GPUOptionsConfig = field(default_factory=GPUOptionsConfig)
    pluggable_device_options: GPUOptionsConfig = field(default_factory=GPUOptionsConfig)
    allow_soft_placement: bool | None = None
    log_device_placement: bool | None = None
    graph_options: GraphOptionsConfig = field(default_factory=GraphOptionsConfig)
    operation_timeout_in_ms: int | None = field(default=None, metadata={"bits": 64})
    rpc_options: RPCOptionsConfig = field(default_factory=RPCOptionsConfig)
    cluster_def: ClusterConfig = field(default_factory=ClusterConfig)
    isolate_session_state: bool | None = None
    share_cluster_devices_in_session: bool | None = None
    experimental: ExperimentalConfig = field(default_factory=ExperimentalConfig)


@dataclass
class TrackingConfig:
    """Where a run is logged; each kind of store is a class of its own.

    Attributes:
        experiment: MLflow's experiment, the group that the run is listed in.
        run_name: The run's name; null makes one of the model and the overrides.
        tags: Labels of the user's own.
        pictures: Most pictures drawn of what a run fetched and classified; 0 draws none.
        model: Whether task=train keeps the trained model in Keras's format, with its signature and
            an example of its input.
        register: The registered model that the trained one becomes a version of; null for none.
        alias: What that version is called from then on, such as champion; null for nothing.
        system_metrics_seconds: Time between samples of what a run uses of its machine; null takes
            none.
        report: Whether a run has a page that tells of it, ``report.html``.
    """

    experiment: str = MISSING
    run_name: str | None = MISSING
    tags: dict[str, str] = field(default_factory=dict)
    pictures: int = MISSING
    model: bool = MISSING
    register: str | None = MISSING
    alias: str | None = MISSING
    system_metrics_seconds: float | None = MISSING
    report: bool = MISSING


@dataclass
class OffTrackingConfig(TrackingConfig):
    """Nowhere."""


@dataclass
class StoreTrackingConfig(TrackingConfig):
    """MLflow, of whatever kind its store is.

    Attributes:
        spool: Absolute path of the folder in which what a run logs waits for the store.
        wait_seconds: How long a run that has ended waits for a store that takes nothing.
    """

    spool: str = MISSING
    wait_seconds: float = MISSING


@dataclass
class SqliteTrackingConfig(StoreTrackingConfig):
    """MLflow on a SQLite file and a folder.

    Attributes:
        database: Absolute path of the SQLite file.
        artifacts: Absolute path of the folder for files.
    """

    database: str = MISSING
    artifacts: str = MISSING


@dataclass
class ServerTrackingConfig(StoreTrackingConfig):
    """An MLflow server; who asks is told by MLFLOW_TRACKING_USERNAME, _PASSWORD or _TOKEN.

    Attributes:
        uri: The server's address, such as http://127.0.0.1:5000, without user information.
    """

    uri: str = MISSING


@dataclass
class TraceConfig:
    """Which steps are traced, and what is noted of them.

    Attributes:
        steps: The training steps traced, counted from 1; one beyond the last means the last. In
            task=forward, whether there is any. null or none traces nothing.
        level: ``RunOptions.TraceLevel`` by name: SOFTWARE_TRACE, HARDWARE_TRACE or FULL_TRACE.
        partition_graphs: Whether the graph that ran on each device is logged too.
        top: How many layers the chart shows.
    """

    steps: list[int] | None = MISSING
    level: str = MISSING
    partition_graphs: bool = MISSING
    top: int = MISSING


@dataclass
class DebugConfig:
    """What is watched while steps are taken.

    Attributes:
        check_finite: Whether the run stops where a loss, a gradient or a fetched value is not
            finite, and says which layer made it.
    """

    check_finite: bool = MISSING


@dataclass
class BenchmarkConfig(TaskConfig):
    """Time how long the model takes to answer batches of random examples; nothing is trained.

    Attributes:
        batch_sizes: Examples in a batch, each timed.
        seconds: How long calls of each size are made.
    """

    batch_sizes: list[int] = field(default_factory=list)
    seconds: float = MISSING


@dataclass
class PlanConfig:
    """How training steps are put to the Session; the losses and weights are the same in each way.

    Attributes:
        name: ``step`` (a call a step, whose batch is fed), ``pipeline`` (a call a step, whose batch
            tf.data gathers beside the step before), ``loop`` (many steps a call, in a loop of the
            graph), or ``auto``, which measures what is worth it and takes the fastest.
        jit_compile: Whether XLA compiles the steps; null is no, and for ``auto`` what is faster.
        steps_per_call: Most steps of one call; null for as many as take 0.2 s.
        fused_kernels: Whether batch normalization, Adam and short recurrences run on TensorFlow's
            fused kernels, rather than on the many operations that Keras makes of them.
        measurements: The file in which ``auto`` remembers what it measured; null for none.
    """

    name: str = MISSING
    jit_compile: bool | None = MISSING
    steps_per_call: int | None = MISSING
    fused_kernels: bool = MISSING
    measurements: str | None = MISSING


@dataclass
class PretrainedConfig:
    """The weights that a model begins with, rather than with those drawn from the seed.

    Attributes:
        source: A ``.keras`` file, a ``.weights.h5`` file, an ``.npz`` file of weights by our names,
            such as ``conv1.kernel``, or an earlier run as ``from_run``; null for none.
        layers: Patterns, such as ``conv*``, of the names of the layers whose weights are loaded.
    """

    source: str | None = MISSING
    layers: list[str] = MISSING


@dataclass
class ExperimentConfig:
    """All of a run.

    Attributes:
        from_run: An earlier run, whose model, data, seed and weights are taken over; what is set
            beside it holds. Its id, the beginning of it, its name, its folder, or ``last``,
            ``last-1`` for the newest ones. Null for none.
        seed: Seeds initial weights, dropout masks, splits, order and random data.
        model: The layer stack, its loss and its metrics.
        data: The examples.
        task: What to do with them.
        pretrained: The weights that the model begins with.
        optimizer: ``type`` and arguments of one of ``keras.optimizers``.
        plan: How training steps are put to the Session.
        session: Devices and threads.
        tracking: Where the run is logged.
        feeds: What is fed in place of the data in task=forward: an .npz file, or name to a value, a
            file or ``{file, array}``. A name is an input, a label, a layer whose output is
            replaced, a tensor such as ``conv1/Relu:0``, or a weight such as ``conv1.kernel``.
        fetches: Name to what is fetched: a layer (its output), its input (``conv1.input``), a
            weight (``conv1.kernel``), a gradient (``grad:image``), ``loss``, ``metric:accuracy``,
            a tensor (``conv1/Relu:0``) or an operation, or a pattern (``conv*``); mappings and
            lists of these may be nested.
        trace: Which steps are traced.
        debug: What is watched.
        trusted_modules: Modules of your own whose classes ``class`` may name.
    """

    from_run: str | None = MISSING
    seed: int = MISSING
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    pretrained: PretrainedConfig = field(default_factory=PretrainedConfig)
    optimizer: dict[str, Any] = field(default_factory=dict)
    plan: PlanConfig = field(default_factory=PlanConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    feeds: Any = field(default_factory=dict)
    fetches: dict[str, Any] = field(default_factory=dict)
    trace: TraceConfig = field(default_factory=TraceConfig)
    debug: DebugConfig = field(default_factory=DebugConfig)
    trusted_modules: list[str] = field(default_factory=list)


# The kinds that a group's YAML files are of: `/schema_data_digits@_here_` in a defaults list.
SCHEMAS: dict[str, dict[str, type]] = {
    "data": {
        "arrays": ArraysDataConfig,
        "breast_cancer": BreastCancerDataConfig,
        "diabetes": DiabetesDataConfig,
        "digits": DigitsDataConfig,
        "images": ImagesDataConfig,
        "iris": IrisDataConfig,
        "keras": KerasDataConfig,
        "own": OwnDataConfig,
        "random": RandomDataConfig,
        "series": SeriesDataConfig,
        "synthetic": SyntheticDataConfig,
        "table": TableDataConfig,
        "text": TextDataConfig,
        "tfrecord": TFRecordDataConfig,
        "wine": WineDataConfig,
    },
    "task": {
        "train": TrainConfig,
        "evaluate": EvaluateConfig,
        "predict": PredictConfig,
        "forward": ForwardConfig,
        "inspect": InspectConfig,
        "benchmark": BenchmarkConfig,
    },
    "tracking": {
        "off": OffTrackingConfig,
        "server": ServerTrackingConfig,
        "sqlite": SqliteTrackingConfig,
    },
}


def name_kind(group: str, config: object) -> str:
    """Returns the kind of `config`, one of a group's: ``sqlite`` of a ``SqliteTrackingConfig``."""
    return next(name for name, kind in SCHEMAS[group].items() if type(config) is kind)
