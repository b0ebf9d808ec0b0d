"""What is wrong with an experiment's configuration, as far as can be told without TensorFlow."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.config import TensorConfig
from models.declarations import check_call
from models.objectives import validate_labels
from models.problems import ConfigError, Problem, did_you_mean, expected
from models.registry import DTYPES
from models.validation import validate_model, validate_tensors
from models.wiring import Wiring, parse_reference, read_wiring
from runner.config import (
    KERAS_DATASETS,
    LABEL_FORMATS,
    PREDICTION_FILES,
    SCHEMAS,
    SPLIT_COLUMNS,
    SPLIT_FILES,
    WEIGHT_FILES,
    BenchmarkConfig,
    ColumnsDataConfig,
    DataConfig,
    EvaluateConfig,
    ExamplesTaskConfig,
    ExperimentConfig,
    FileDataConfig,
    ForwardConfig,
    InspectConfig,
    KerasDataConfig,
    PlateauConfig,
    PredictConfig,
    RandomDataConfig,
    SeriesDataConfig,
    ServerTrackingConfig,
    SqliteTrackingConfig,
    StoreTrackingConfig,
    TaskConfig,
    TextDataConfig,
    TraceConfig,
    TrackingConfig,
    TrainConfig,
)
from runner.example_weights import list_targets, validate_example_weights, weighs_classes
from runner.feeds import flatten_feeds, validate_feeds
from runner.fetches import OPTIMIZER, Fetch, flatten_fetches, parse_call, parse_fetch
from runner.monitor import validate_monitors
from runner.preprocessing import validate_features
from runner.registration import validate_registration
from runner.session_options import validate_session

# Names in the file of fetched arrays, and those of numpy.savez's own arguments.
_TAKEN_FETCHES = ("row", "file", "allow_pickle")
# RunOptions.TraceLevel, but for the one that traces nothing.
TRACE_LEVELS = ("SOFTWARE_TRACE", "HARDWARE_TRACE", "FULL_TRACE")
# The ways to put training steps to the Session, and the choice among them.
PLANS = ("auto", "step", "pipeline", "loop")
_MOST_SEED = 2**32 - 1
_SYSTEM_SECONDS = (0.1, 86400.0)
# What is evaluated on and predicted for: a split, or all that the source gives.
_CHOICES = ("train", "validation", "test", "all")


def validate(config: ExperimentConfig) -> None:
    """Checks the whole of `config`.

    Raises:
        ConfigError: With every problem found, in the order of the composed file.
    """
    of_model = validate_model(config.model, trusted=config.trusted_modules)
    trains = weighs_classes(config.task) and not of_model
    problems = [
        *_at_least("seed", config.seed, 0),
        *of_model,
        *_validate_data(config.data),
        *validate_features(config),
        *validate_example_weights(config, trains=trains),
        *_validate_feeds(config),
        *_validate_batch_size(config),
        *_validate_task(config),
        *_validate_pretrained(config),
        *check_call("optimizer", "optimizers", config.optimizer, trusted=config.trusted_modules),
        *_validate_plan(config),
        *validate_session(config.session),
        *validate_tracking(config.tracking),
        *validate_registration(config.tracking, config.task),
        *_validate_replacements(config),
        *_validate_fetches(config),
        *_validate_trace(config.trace),
    ]
    if config.seed > _MOST_SEED:
        problems.insert(0, expected("seed", f"a number of at most {_MOST_SEED}", config.seed))
    if problems:
        raise ConfigError(problems)


def _at_least(path: str, value: float | None, least: float) -> Iterator[Problem]:
    if value is not None and value < least:
        yield expected(path, f"a number of {least} or more", value)


def _validate_trace(trace: TraceConfig) -> Iterator[Problem]:
    for index, step in enumerate(trace.steps or ()):
        yield from _at_least(f"trace.steps[{index}]", step, 1)
    if trace.level not in TRACE_LEVELS:
        hint = did_you_mean(trace.level, TRACE_LEVELS)
        yield expected("trace.level", "a level of RunOptions", trace.level, hint)
    yield from _at_least("trace.top", trace.top, 1)


def _validate_plan(config: ExperimentConfig) -> Iterator[Problem]:
    plan = config.plan
    if plan.name not in PLANS:
        yield expected("plan.name", f"one of {', '.join(PLANS)}", plan.name)
    yield from _at_least("plan.steps_per_call", plan.steps_per_call, 1)
    if plan.measurements is not None and not Path(plan.measurements).is_absolute():
        yield expected("plan.measurements", "an absolute path, or null", plan.measurements)
    texts = [name for name, tensor in config.model.inputs.items() if tensor.dtype == "string"]
    if plan.jit_compile and texts and isinstance(config.task, TrainConfig):
        what = f"null or false, since XLA takes no text, as model.inputs.{texts[0]} is"
        yield expected("plan.jit_compile", what, plan.jit_compile)


def _share(path: str, value: float | None) -> Iterator[Problem]:
    if value is not None and not 0 <= value <= 1:
        yield expected(path, "a share from 0 to 1", value)


def _validate_schema(path: str, config: object, parent: type) -> Iterator[Problem]:
    """Yields that a YAML file names no schema: what it says is of no particular kind."""
    if type(config) is parent:
        kinds = ", ".join(f"/schema_{path}_{name}@_here_" for name in SCHEMAS[path])
        yield Problem(path, f"expected a schema in the file's defaults list; choose from {kinds}.")


def _validate_data(data: DataConfig) -> Iterator[Problem]:
    yield from _validate_schema("data", data, DataConfig)
    yield from validate_tensors(data.features, "data.features", "a feature")
    if data.labels:
        yield from validate_tensors(data.labels, "data.labels", "a label")
    yield from _at_least("data.classes", data.classes, 1)
    yield from _validate_classes(data)
    yield from _at_least("data.batch_size", data.batch_size, 1)
    yield from _validate_split(data)
    yield from _at_least("data.shards", data.shards, 1)
    if not 0 <= data.shard < max(data.shards, 1):
        yield expected("data.shard", f"0 to {data.shards - 1}, as data.shards is", data.shard)
    yield from _validate_lengths(data)
    if isinstance(data, RandomDataConfig):
        yield from _at_least("data.examples", data.examples, 1)
    if isinstance(data, KerasDataConfig):
        if data.dataset not in KERAS_DATASETS:
            hint = did_you_mean(data.dataset, KERAS_DATASETS)
            yield expected("data.dataset", "a set of keras.datasets", data.dataset, hint)
        yield from _at_least("data.num_words", data.num_words, 1)
    if isinstance(data, TextDataConfig) and not data.delimiter:
        yield expected("data.delimiter", "what stands between label and text", data.delimiter)


def _validate_lengths(data: DataConfig) -> Iterator[Problem]:
    """Yields what is wrong with what is said of features whose lengths differ."""
    features = list(data.features)
    for name in data.pad:
        if name not in features:
            what = f"a feature of data {data.name!r}"
            yield expected(f"data.pad.{name}", what, name, did_you_mean(name, features))
    buckets = list(data.buckets)
    if buckets != sorted(set(buckets)) or min(buckets, default=1) < 1:
        yield expected("data.buckets", "lengths of 1 or more, ascending", buckets)
    elif buckets and not any(tensor.shape[:1] == [None] for tensor in data.features.values()):
        what = f"none, since no feature of data {data.name!r} has lengths that differ"
        yield expected("data.buckets", what, buckets)


def _validate_classes(data: DataConfig) -> Iterator[Problem]:
    names = list(data.class_names)
    if names and data.classes is not None and len(names) != data.classes:
        yield expected("data.class_names", f"{data.classes} names, as data.classes is", names)
    if len(set(names)) < len(names):
        yield expected("data.class_names", "names that differ", names)
    if data.label_format not in LABEL_FORMATS:
        hint = did_you_mean(data.label_format, LABEL_FORMATS)
        yield expected("data.label_format", " or ".join(LABEL_FORMATS), data.label_format, hint)
    elif data.label_format == "one_hot" and (data.classes is None or not data.labels):
        what = f"integer, since the label of data {data.name!r} is no class"
        yield expected("data.label_format", what, data.label_format)


def _validate_split(data: DataConfig) -> Iterator[Problem]:
    split = data.split
    yield from _share("data.split.validation", split.validation)
    yield from _share("data.split.test", split.test)
    held_out = split.validation + (split.test if data.fold is None else 1 / max(data.folds, 1))
    if held_out >= 1:
        test = f"test {split.test:g}" if data.fold is None else f"a fold of {data.folds}"
        received = f"validation {split.validation:g} and {test}"
        yield expected("data.split", "shares that leave some examples to train on", received)
    yield from _at_least("data.folds", data.folds, 2)
    if data.fold is not None and not 0 <= data.fold < data.folds:
        yield expected("data.fold", f"0 to {data.folds - 1}, as data.folds is", data.fold)
    named = [key for key in (*SPLIT_COLUMNS, *SPLIT_FILES) if getattr(split, key) is not None]
    yield from _validate_split_keys(data, named)
    if data.fold is not None and named not in ([], ["group"]):
        yield expected("data.fold", f"null, since data.split.{named[0]} is given", data.fold)


def _validate_split_keys(data: DataConfig, named: list[str]) -> Iterator[Problem]:
    """Yields which of the keys that are given the source does not have, or not together."""
    split = data.split
    for key in named:
        value = getattr(split, key)
        if key in SPLIT_FILES:
            if not isinstance(data, FileDataConfig) or isinstance(data, SeriesDataConfig):
                what = f"null, since data {data.name!r} takes no further files"
                yield expected(f"data.split.{key}", what, value)
        elif isinstance(data, KerasDataConfig):
            if (key, value) != ("column", "split"):
                what = "split, the only column of keras.datasets" if key == "column" else "null"
                yield expected(f"data.split.{key}", what, value)
        elif not isinstance(data, ColumnsDataConfig):
            what = f"null, since data {data.name!r} has no columns"
            yield expected(f"data.split.{key}", what, value)
        elif isinstance(data, SeriesDataConfig) and key != "column":
            what = "null, since windows are divided in the order of the rows"
            yield expected(f"data.split.{key}", what, value)
    for key in named[1:]:
        if not (named[0] in SPLIT_FILES and key in SPLIT_FILES):
            what = f"null, since data.split.{named[0]} is given"
            yield expected(f"data.split.{key}", what, getattr(split, key))
    if isinstance(data, SeriesDataConfig) and data.fold is not None:
        what = "null, since windows are divided in the order of the rows"
        yield expected("data.fold", what, data.fold)


def _has_test(data: DataConfig) -> bool:
    split = data.split
    is_given = split.column is not None or split.test_file is not None
    return split.test > 0 or data.fold is not None or is_given


def _validate_feeds(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields what keeps the data from feeding the model's inputs."""
    data = config.data
    if isinstance(config.task, InspectConfig) and not isinstance(data, RandomDataConfig):
        return  # what is read is shown, and fed to nothing
    draws = isinstance(data, RandomDataConfig) or isinstance(config.task, BenchmarkConfig)
    for name, tensor in config.model.inputs.items():
        path = f"model.inputs.{name}"
        if draws:
            yield from _validate_random(path, tensor)
        elif name not in data.features:
            features = list(data.features)
            what = f"a feature of data {data.name!r} to feed it"
            yield expected(path, what, name, did_you_mean(name, features))
        else:
            yield from _validate_feed(path, tensor, data.features[name], f"data.features.{name}")
    for name in data.labels:
        if name in config.model.inputs:
            message = f"the name {name!r} is taken by an input; choose another."
            yield Problem(f"data.labels.{name}", message)


def _validate_batch_size(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields what gives an input another number of examples than the only one it takes."""
    data, task = config.data, config.task
    for name, tensor in config.model.inputs.items():
        size = tensor.batch_size
        if size is None:
            continue
        place = f"model.inputs.{name}.batch_size"
        if isinstance(task, ExamplesTaskConfig) and task.examples != size:
            yield expected("task.examples", f"{size}, as {place} is", task.examples)
        if isinstance(task, PredictConfig) and data.batch_size != size:
            yield expected("data.batch_size", f"{size}, as {place} is", data.batch_size)
        if isinstance(task, TrainConfig | EvaluateConfig):
            if data.batch_size != size:
                yield expected("data.batch_size", f"{size}, as {place} is", data.batch_size)
            if not data.drop_remainder:
                hint = f"A last batch of fewer than {size} examples does not fit."
                yield expected("data.drop_remainder", "true", False, hint)


def _validate_random(path: str, tensor: TensorConfig) -> Iterator[Problem]:
    if None in tensor.shape:
        what = "whole numbers, since data=random draws arrays of this shape"
        yield expected(f"{path}.shape", what, list(tensor.shape))
    if tensor.dtype == "string" or tensor.dtype.startswith("complex"):
        yield expected(f"{path}.dtype", "a dtype that data=random can draw", tensor.dtype)


def _validate_feed(
    path: str, tensor: TensorConfig, feature: TensorConfig, source: str
) -> Iterator[Problem]:
    given, wanted = list(feature.shape), list(tensor.shape)
    fits = len(given) == len(wanted) and all(
        want is None or want == have for want, have in zip(wanted, given, strict=True)
    )
    if not fits:
        hint = f"Interpolate it: ${{{source}.shape}}."
        yield expected(f"{path}.shape", f"{given}, as {source} is", wanted, hint)
    if tensor.dtype in DTYPES and _loses(feature.dtype, tensor.dtype):
        what = f"a dtype that holds {feature.dtype}, as {source} is"
        yield expected(f"{path}.dtype", what, tensor.dtype)


def _loses(given: str, wanted: str) -> bool:
    """Returns whether a cast from `given` to `wanted` changes what the values mean."""
    if "string" in (given, wanted):
        return given != wanted
    if wanted == "bool":
        return given != "bool"
    return "float" in given and "float" not in wanted and "complex" not in wanted


def _validate_task(config: ExperimentConfig) -> Iterator[Problem]:
    task = config.task
    yield from _validate_schema("task", task, TaskConfig)
    if isinstance(task, ExamplesTaskConfig):
        yield from _at_least("task.examples", task.examples, 1)
    if isinstance(task, InspectConfig):
        yield from _at_least("task.show", task.show, 0)
    if isinstance(task, BenchmarkConfig):
        yield from _validate_benchmark(config, task)
    if isinstance(task, EvaluateConfig):
        yield from _validate_evaluation(config, task)
    if isinstance(task, PredictConfig):
        yield from _validate_prediction(task)
    if isinstance(task, TrainConfig):
        yield from _at_least("task.epochs", task.epochs, 1)
        for key, least in (("steps", 1), ("minutes", 0), ("patience", 0), ("min_delta", 0)):
            yield from _at_least(f"task.stop.{key}", getattr(task.stop, key), least)
        yield from _validate_plateau(task.plateau, config.optimizer)
        split = config.data.split
        is_given = split.column is not None or split.validation_file is not None
        validates = split.validation > 0 or is_given
        yield from validate_monitors(task, config.model, validates=validates)
        for key, value in vars(task.every).items():
            yield from _at_least(f"task.every.{key}", value, 1)
        yield from _validate_compared(config)
        if not _has_test(config.data):
            yield expected("data.split.test", "a share above 0 to evaluate on", 0.0)
    if isinstance(task, ForwardConfig) and task.mask is not None:
        yield from _validate_mask(config, task.mask)


def _validate_plateau(plateau: PlateauConfig, optimizer: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("patience", "min_delta", "cooldown", "min_learning_rate"):
        yield from _at_least(f"task.plateau.{key}", getattr(plateau, key), 0)
    if not 0 < plateau.factor < 1:
        yield expected("task.plateau.factor", "a number above 0 and below 1", plateau.factor)
    path = "optimizer"
    while isinstance(optimizer.get("inner_optimizer"), Mapping):
        path, optimizer = f"{path}.inner_optimizer", optimizer["inner_optimizer"]
    if plateau.patience is not None and isinstance(optimizer.get("learning_rate"), Mapping):
        what = f"null, since {path}.learning_rate is a schedule"
        yield expected("task.plateau.patience", what, plateau.patience)


def _validate_compared(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields what keeps the task from comparing the outputs with labels."""
    yield from _validate_labels(config)
    if config.model.loss is None and not _may_add_loss(config):
        name = config.task.name
        what = f"a loss, which task={name} needs where no layer of your own adds one"
        yield expected("model.loss", what, None)


def _validate_evaluation(config: ExperimentConfig, task: EvaluateConfig) -> Iterator[Problem]:
    yield from _validate_compared(config)
    if not task.splits:
        yield expected("task.splits", f"some of {', '.join(_CHOICES)}", list(task.splits))
    for index, split in enumerate(task.splits):
        yield from _validate_choice(f"task.splits[{index}]", split)


def _validate_prediction(task: PredictConfig) -> Iterator[Problem]:
    yield from _validate_choice("task.split", task.split)
    if task.file is None:
        return
    endings = ", ".join(PREDICTION_FILES)
    if not task.file.endswith(PREDICTION_FILES):
        yield expected("task.file", f"a file that ends in one of {endings}", task.file)
    elif not Path(task.file).absolute().parent.is_dir():
        yield expected("task.file", "a file in a folder that is there", task.file)


def _validate_choice(path: str, split: str) -> Iterator[Problem]:
    if split not in _CHOICES:
        what = f"one of {', '.join(_CHOICES)}"
        yield expected(path, what, split, did_you_mean(split, _CHOICES))


def _validate_pretrained(config: ExperimentConfig) -> Iterator[Problem]:
    source = config.pretrained.source
    if source is None:
        return
    if isinstance(config.task, InspectConfig | BenchmarkConfig):
        what = f"null, since task={config.task.name} uses no weights"
        yield expected("pretrained.source", what, source)
    elif source.endswith(WEIGHT_FILES) and not Path(source).is_file():
        what = f"a file, {', '.join(WEIGHT_FILES)}, or a run"
        hint = f"There is nothing at {Path(source).absolute()}."
        yield expected("pretrained.source", what, source, hint)
    if not config.pretrained.layers:
        yield expected("pretrained.layers", "patterns of the names of layers", [])


def _may_add_loss(config: ExperimentConfig) -> bool:
    """Returns whether a layer is of a class whose code is not known here."""
    return any({"class", "file"} & set(call.spec) for call in read_wiring(config.model).calls)


def _validate_benchmark(config: ExperimentConfig, task: BenchmarkConfig) -> Iterator[Problem]:
    if not task.batch_sizes:
        yield expected("task.batch_sizes", "some sizes", list(task.batch_sizes))
    for index, size in enumerate(task.batch_sizes):
        yield from _at_least(f"task.batch_sizes[{index}]", size, 1)
    yield from _at_least("task.seconds", task.seconds, 0)
    for name, tensor in config.model.inputs.items():
        if tensor.sparse:
            hint = "The forward service takes no sparse input."
            yield expected(f"model.inputs.{name}.sparse", "false", True, hint)
        if tensor.batch_size is not None and list(task.batch_sizes) != [tensor.batch_size]:
            what = f"[{tensor.batch_size}], as model.inputs.{name}.batch_size is"
            yield expected("task.batch_sizes", what, list(task.batch_sizes))


def _validate_mask(config: ExperimentConfig, mask: list[bool]) -> Iterator[Problem]:
    if len(config.model.inputs) > 1:
        what = "null for a model of several inputs; declare the mask as one of them"
        yield expected("task.mask", what, list(mask))
        return
    for name, tensor in config.model.inputs.items():
        steps = tensor.shape[0] if tensor.shape else 0
        if steps is not None and steps != len(mask):
            what = f"{steps} booleans, one for each step of model.inputs.{name}"
            yield expected("task.mask", what, list(mask))


def validate_tracking(tracking: TrackingConfig) -> Iterator[Problem]:
    """Yields what is wrong with where runs are kept, for verbs that read them too."""
    yield from _validate_schema("tracking", tracking, TrackingConfig)
    if not tracking.experiment:
        yield expected("tracking.experiment", "a name", tracking.experiment)
    yield from _at_least("tracking.pictures", tracking.pictures, 0)
    if tracking.report and not isinstance(tracking, StoreTrackingConfig):
        yield expected("tracking.report", "false, since tracking=off keeps no artifacts", True)
    if isinstance(tracking, StoreTrackingConfig):
        if not Path(tracking.spool).is_absolute():
            yield expected("tracking.spool", "an absolute path", tracking.spool)
        yield from _at_least("tracking.wait_seconds", tracking.wait_seconds, 0)
    seconds = tracking.system_metrics_seconds
    least, most = _SYSTEM_SECONDS
    if seconds is not None and not least <= seconds <= most:
        what = f"a number from {least:g} to {most:g}, or null"
        yield expected("tracking.system_metrics_seconds", what, seconds)
    if isinstance(tracking, SqliteTrackingConfig):
        for key, path in (("database", tracking.database), ("artifacts", tracking.artifacts)):
            if not Path(path).is_absolute():
                yield expected(f"tracking.{key}", "an absolute path", path)
            if set(path) & set("?%#"):
                yield expected(f"tracking.{key}", "a path without ?, % and #", path)
    if isinstance(tracking, ServerTrackingConfig):
        yield from _validate_server(tracking)


def _validate_server(tracking: ServerTrackingConfig) -> Iterator[Problem]:
    what = "a server's address, such as http://127.0.0.1:5000"
    try:
        parts = urlsplit(tracking.uri)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_address = False
    if "@" in tracking.uri:
        # Not shown: it holds a secret.
        yield Problem(
            "tracking.uri",
            "expected an address without user information. Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment.",
        )
    elif not is_address or parts.query or parts.fragment:
        yield expected("tracking.uri", what, tracking.uri)


def _validate_replacements(config: ExperimentConfig) -> Iterator[Problem]:
    """Yields what is wrong with what is fed in place of the data, as far as its names tell."""
    yield from validate_feeds(config.feeds)
    fed = flatten_feeds(config.feeds)
    if fed and not isinstance(config.task, ForwardConfig):
        hint = "Use task=forward, or a data source of your own."
        what = f"{{}} for task={config.task.name}; only task=forward takes values of your own"
        yield expected("feeds", what, config.feeds, hint)
    wiring = read_wiring(config.model)
    for name, source in fed.items():
        if name not in config.data.labels and not _is_fetchable(name, config, wiring):
            what = "the name of an input, a label, a layer or a weight, or of a tensor"
            known = list(dict.fromkeys([*wiring.names, *config.data.labels]))
            yield expected(source.path, what, name, did_you_mean(name, known))


def _validate_fetches(config: ExperimentConfig) -> Iterator[Problem]:
    wiring = read_wiring(config.model)
    for name, fetched in flatten_fetches(config.fetches).items():
        path = f"fetches.{name}"
        what = "the name of a layer, or of a tensor such as 'conv1/Relu:0'"
        is_id = name == "id" and isinstance(config.task, PredictConfig)
        if name in _TAKEN_FETCHES or is_id:
            yield Problem(path, f"the name {name!r} is taken; choose another.")
        elif not isinstance(fetched, str):
            yield expected(path, what, fetched)
        else:
            fetch = parse_fetch(fetched)
            if fetch.needs_labels:
                yield from _validate_comparison(path, fetch, config)
            for named in (fetch.name if fetch.kind in ("value", "grad") else None, fetch.of):
                if named is not None and not _is_fetchable(named, config, wiring):
                    known = list(dict.fromkeys([*wiring.names, *wiring.outputs]))
                    hint = did_you_mean(named, known)
                    if named.startswith(f"{OPTIMIZER}."):
                        hint = "There is an optimizer only in task=train."
                    yield expected(path, what, fetched, hint)


def _validate_comparison(path: str, fetch: Fetch, config: ExperimentConfig) -> Iterator[Problem]:
    """Yields what keeps outputs from being compared with labels for a fetch."""
    model = config.model
    if fetch.kind == "metric":
        if not fetch.is_pattern and fetch.name not in model.metrics:
            hint = did_you_mean(fetch.name, list(model.metrics)) if model.metrics else ""
            yield expected(path, "a metric of the model", fetch.name, hint)
    elif model.loss is None and not _may_add_loss(config):
        yield expected("model.loss", f"a loss, which {path} needs", None)
    if not isinstance(config.task, TrainConfig | EvaluateConfig):
        yield from _validate_labels(config)


def _validate_labels(config: ExperimentConfig) -> Iterator[Problem]:
    data = config.data
    labels = list_targets(data)
    others = dict.fromkeys([*config.model.inputs, *data.features, *data.labels])
    features = [name for name in others if name not in labels]
    yield from validate_labels(config.model, labels, features)


def _is_fetchable(fetched: str, config: ExperimentConfig, wiring: Wiring) -> bool:
    """Returns whether something can be of that name, as far as can be told without the graph."""
    if any(sign in fetched for sign in ":/*?") or wiring.problems or fetched in wiring.outputs:
        return True
    reference = parse_reference(fetched)
    if reference is not None and reference.name in wiring.names:
        return True
    call = parse_call(fetched)
    layers = {call.layer for call in wiring.calls} | {call.name for call in wiring.calls}
    if call is not None:
        return call[0] in layers
    if fetched.startswith(f"{OPTIMIZER}."):
        return isinstance(config.task, TrainConfig)
    return any(fetched.startswith(f"{layer}.") for layer in layers)
