"""A run in a real store: what is in it, and the status it ends with."""

import csv
import errno
import io
import json
import logging
import re
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.types import Schema, TensorSpec
from PIL import Image

from models.problems import ConfigError
from runner.composition import compose_config
from runner.config import SqliteTrackingConfig
from runner.data.examples import Examples
from runner.results import (
    ClassifyResult,
    DataResult,
    DrawingResult,
    FetchResult,
    JobResult,
    LearningRateResult,
    LoadedWeight,
    OperationTime,
    PredictionsWritten,
    PreprocessResult,
    PretrainedResult,
    SplitResult,
    SplitSummary,
    Started,
    StepsResult,
    TraceResult,
)
from runner.sweep.summary import summarize_jobs
from runner.tasks.regress import summarize_residuals
from runner.tracking.courier import describe_start, name_run
from runner.tracking.entries import ResultLogged, RunEnded, TagsAdded
from runner.tracking.mlflow import create_run, open_store, prepare_drawing
from runner.tracking.spool import SpoolReader, SpoolWriter
from runner.tracking.store import prepare_store
from runner.tracking.tracker import RunContext, Status
from tests.datalook import BALANCE, EXAMPLES
from tests.inspected import INSPECTED

SOURCE = Path(__file__).parent


@pytest.fixture
def context(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    (tmp_path / "feedfetch.log").write_text("a line\n", encoding="utf-8")
    return RunContext(overrides=["seed=0"], output_dir=tmp_path)


def run_with(config, context, *results, status=Status.FINISHED, error=None):
    """Returns the client and the run that spooled `results`, delivered."""
    file = context.output_dir / "entries.spool"
    with closing(SpoolWriter(file)) as spool:
        spool.append(describe_start(config, config.tracking, context, SOURCE))
        for result in results:
            spool.append(ResultLogged(result))
        spool.append(RunEnded(status, error))
    client = open_store(config.tracking)
    with closing(SpoolReader(file)) as reader:
        spooled_entries = list(reader.read())
    first = spooled_entries[0]
    run = create_run(client, first.entry, first.time_ms, spool=file)
    for spooled in spooled_entries:
        run.write(spooled.entry, spooled.time_ms)
    file.unlink()
    return client, client.get_run(run.run_id)


DATA = DataResult(
    name="digits",
    source="/data/digits.npz",
    digest="0123456789abcdef",
    source_digest=None,
    features={"image": {"shape": [8, None, 1], "dtype": "float32"}},
    labels={"digit": {"shape": [], "dtype": "int64"}},
    splits={
        "train": SplitSummary(3, "aa", {"digit": {"0": 2, "1": 1}}),
        "test": SplitSummary(1, "bb", {"digit": {"1": 1}}),
    },
)


def test_the_data_of_a_run_are_its_inputs(store, context):
    _, run = run_with(store, context, DATA)
    assert run.data.tags["data.digest"] == "0123456789abcdef"
    assert run.data.tags["data.source"] == "/data/digits.npz"
    inputs = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert {name: (one.name, one.digest) for name, one in inputs.items()} == {
        "train": ("digits", "aa"),
        "test": ("digits", "bb"),
    }
    assert json.loads(inputs["train"].profile) == {"num_rows": 3, "digit": {"0": 2, "1": 1}}
    tensors = json.loads(inputs["train"].schema)["mlflow_tensorspec"]
    assert Schema.from_json(tensors["features"]) == Schema(
        [TensorSpec(np.dtype("float32"), (-1, 8, -1, 1), "image")]
    )
    assert Schema.from_json(tensors["targets"]) == Schema(
        [TensorSpec(np.dtype("int64"), (-1,), "digit")]
    )


def test_weights_of_classes_are_a_tag_and_learning_rates_a_metric(store, context):
    rates = [LearningRateResult(9, 0.5, False), LearningRateResult(18, 0.25, True)]
    client, run = run_with(store, context, replace(DATA, class_weight={0: 0.75, 1: 1.5}), *rates)
    assert json.loads(run.data.tags["data.class_weight"]) == {"0": 0.75, "1": 1.5}
    history = client.get_metric_history(run.info.run_id, "learning_rate")
    assert [(one.step, one.value) for one in history] == [(9, 0.5), (18, 0.25)]


def test_a_run_on_changed_data_says_so(store, context, caplog):
    source = replace(DATA, source="/data/it's here.npz", source_digest="0123456789abcdef")
    run_with(store, context, source)
    run_with(store, context, replace(source, source_digest=None))
    # Read in another way, it is the same source.
    _, same = run_with(store, context, replace(source, digest="1123456789abcdef"))
    assert "data.changed_since" not in same.data.tags
    assert not caplog.messages
    _, other = run_with(store, context, replace(source, source_digest="fedcba9876543210"))
    assert other.data.tags["data.changed_since"] == same.info.run_id
    assert caplog.messages == [
        f"data: /data/it's here.npz has changed since run {same.info.run_id}: "
        "its digest was 0123456789abcdef and is fedcba9876543210"
    ]


def test_what_draws_is_imported_ahead(monkeypatch):
    drawing = "runner.tracking.pictures.drawing"
    monkeypatch.delitem(sys.modules, drawing, raising=False)
    prepare_drawing()
    assert drawing in sys.modules


def read_artifact(run, path):
    return Path(download_artifacts(artifact_uri=f"{run.info.artifact_uri}/{path}")).read_bytes()


def test_params_are_flattened_by_layer(store, context):
    _, run = run_with(store, context)
    params = run.data.params
    assert params["model.layers.conv1.filters"] == "32"
    assert params["model.layers.norm1.type"] == "BatchNormalization"
    assert params["model.inputs.image.shape"] == "[8, 8, 1]"
    assert params["model.loss.from_logits"] == "true"
    assert params["seed"] == "0"
    assert params["session.device"] == "null"
    assert not [path for path in params if path.startswith("tracking")]


def test_the_layers_behind_inputs_are_logged_with_their_statistics(store, context):
    stacks = {"text": {"tokens": {"type": "TextVectorization", "vocabulary": ["no", "é", "1"]}}}
    norm = "data.preprocess.image.norm={type: Normalization, mean: 0.5, variance: 2}"
    config = replace(compose_config([norm]), tracking=store.tracking)
    _, run = run_with(config, context, PreprocessResult(stacks))
    assert yaml.safe_load(read_artifact(run, "config/preprocess.yaml")) == stacks
    params = {path: value for path, value in run.data.params.items() if "preprocess" in path}
    assert params == {
        "data.preprocess.image.norm.type": "Normalization",
        "data.preprocess.image.norm.mean": "0.5",
        "data.preprocess.image.norm.variance": "2",
    }


def test_tags_say_where_and_with_what_a_run_was_made(store, context):
    _, run = run_with(store, context)
    tags = run.data.tags
    assert tags["overrides"] == "seed=0"
    assert tags["model"] == "cnn"
    assert tags["data"] == "digits"
    assert tags["task"] == "train"
    assert tags["host"]
    assert re.fullmatch(r"3\.\d+\.\d+\S*", tags["version.python"])
    assert tags["version.tensorflow"].startswith("2.21")


def test_metrics_keep_every_step(store, context):
    losses = 1 / np.arange(1, 2501)
    results = [
        StepsResult(1, first, losses[first - 1 : first + 499], {}) for first in range(1, 2501, 500)
    ]
    epoch = SplitResult("validation", 1, 2500, {"loss": 0.5, "accuracy": 0.75})
    client, run = run_with(store, context, *results, epoch)
    history = client.get_metric_history(run.info.run_id, "step/loss")
    points = sorted((metric.step, metric.value) for metric in history)
    assert points == [(step, 1 / step) for step in range(1, 2501)]
    (accuracy,) = client.get_metric_history(run.info.run_id, "validation/accuracy")
    assert (accuracy.step, accuracy.value) == (2500, 0.75)


def test_fetched_outputs_are_arrays_and_a_table(store, context):
    outputs = np.array([[0.25, 2.0], [3.5, 1.0]], np.float32)
    maps = np.arange(40, dtype=np.float32).reshape(2, 5, 4)
    result = FetchResult(
        split="test",
        fetched={"outputs": outputs, "maps": maps},
        batched=frozenset(["outputs", "maps"]),
        structure={"outputs": "logits", "maps": "conv1"},
        rows=np.array([7, 3]),
        labels={"digit": np.array([1, 1])},
        classes=2,
    )
    _, run = run_with(store, context, result)
    with np.load(io.BytesIO(read_artifact(run, "fetches/test.npz"))) as arrays:
        np.testing.assert_array_equal(arrays["outputs"], outputs)
        np.testing.assert_array_equal(arrays["maps"], maps)
        np.testing.assert_array_equal(arrays["row"], [7, 3])
        np.testing.assert_array_equal(arrays["label.digit"], [1, 1])
    table = list(csv.DictReader(io.StringIO(read_artifact(run, "fetches/test.csv").decode())))
    assert table[0] == {
        "row": "7",
        "digit": "1",
        "outputs.argmax": "1",
        "outputs[0]": "0.25",
        "outputs[1]": "2",
        "maps.min": "0",
        "maps.mean": "9.5",
        "maps.max": "19",
    }
    assert (table[1]["row"], table[1]["outputs.argmax"]) == ("3", "0")


FETCHED = FetchResult(
    split="test",
    fetched={
        "outputs": np.zeros((4, 2), np.float32),
        "image": np.zeros((4, 8, 8, 1), np.float32),
        "hidden.0": np.zeros((4, 8, 8, 16), np.float32),
    },
    batched=frozenset(["outputs", "image", "hidden.0"]),
    structure={"outputs": "logits", "image": "image", "hidden": ["conv1"]},
    rows=np.arange(4),
    labels={"digit": np.array([0, 1, 1, 0])},
    classes=2,
)
CLASSIFIED = ClassifyResult(
    split="test",
    output="logits",
    label="digit",
    classes=2,
    rows=np.arange(4),
    actual=np.array([0, 1, 1, 0]),
    predicted=np.array([0, 1, 0, 0]),
    confidence=np.array([0.5, 1.0, 0.75, 0.5]),
    left_out=0,
    shown=np.array([2]),
    features={"image": np.zeros((1, 8, 8, 1), np.float32)},
)
TABLES = [
    "fetches/logits.confusion.csv",
    "fetches/logits.mistakes.csv",
    "fetches/test.csv",
    "fetches/test.json",
    "fetches/test.npz",
]


def list_fetches(client, run):
    return sorted(file.path for file in client.list_artifacts(run.info.run_id, "fetches"))


def test_pictures_of_what_was_fetched_and_classified_are_artifacts(store, context):
    client, run = run_with(store, context, FETCHED, CLASSIFIED)
    pictures = [
        "fetches/hidden.0.histogram.png",
        "fetches/hidden.0.maps.png",
        "fetches/image.images.png",
        "fetches/logits.confusion.png",
        "fetches/logits.mistakes.png",
    ]
    assert list_fetches(client, run) == sorted([*TABLES, *pictures])
    for picture in pictures:
        assert Image.open(io.BytesIO(read_artifact(run, picture))).format == "PNG"
    assert read_artifact(run, "fetches/logits.mistakes.csv") == (
        b"row,digit,predicted,confidence\n2,1,0,0.75\n"
    )
    confusion = read_artifact(run, "fetches/logits.confusion.csv").decode().splitlines()
    assert confusion[1:] == ["0,2,0", "1,1,1"]


@pytest.mark.parametrize(
    ("pictures", "drawn", "messages"),
    [
        (0, [], []),
        (
            2,
            ["fetches/hidden.0.maps.png", "fetches/image.images.png"],
            [f"{more} more could be drawn; raise tracking.pictures" for more in (1, 2)],
        ),
    ],
)
def test_no_more_pictures_are_drawn_than_configured(
    store, context, caplog, monkeypatch, pictures, drawn, messages
):
    monkeypatch.setattr(store.tracking, "pictures", pictures)
    with caplog.at_level(logging.WARNING, "runner"):
        client, run = run_with(store, context, FETCHED, CLASSIFIED)
    assert list_fetches(client, run) == sorted([*TABLES, *drawn])
    assert caplog.messages == messages


def test_a_run_without_matplotlib_has_all_but_the_pictures(store, context, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, "runner.tracking.pictures.drawing", None)
    with caplog.at_level(logging.WARNING, "runner"):
        client, run = run_with(store, context, FETCHED, CLASSIFIED)
    assert list_fetches(client, run) == TABLES
    assert caplog.messages[0].startswith("pictures are not drawn: ")


def test_files_of_a_run_are_artifacts(store, context):
    _, run = run_with(store, context)
    assert read_artifact(run, "config/config.yaml") == b"seed: 0\n"
    assert read_artifact(run, "feedfetch.log") == b"a line\n"


def operation(name, kind, layer, is_backward, start, microseconds):
    return OperationTime(
        name=name,
        type=kind,
        layer=layer,
        is_backward=is_backward,
        device="CPU:0",
        start_microseconds=start,
        microseconds=microseconds,
        output_bytes=256,
        peak_bytes=512,
    )


def test_a_traced_step_is_a_timeline_tables_a_chart_and_metrics(store, context):
    trace = TraceResult(
        name="train_step_3",
        chrome_trace=json.dumps({"traceEvents": []}),
        operations=(
            operation("conv1/Relu", "Relu", "conv1", False, 0, 10),
            operation("conv1/Conv2D", "Conv2D", "conv1", False, 0, 60),
            operation("gradient_tape/conv1/Conv2D", "Conv2D", "conv1", True, 60, 20),
            operation("adam/mul", "Mul", "", False, 80, 10),
        ),
        peak_bytes={"cpu": 2048},
        partition_graphs=("node {}",),
        top=20,
    )
    _, run = run_with(store, context, trace)

    def rows_of(name):
        text = read_artifact(run, f"trace/train_step_3.{name}.csv").decode()
        return list(csv.DictReader(io.StringIO(text)))

    assert json.loads(read_artifact(run, "trace/train_step_3.json")) == {"traceEvents": []}
    assert [row["operation"] for row in rows_of("operations")][:2] == [
        "conv1/Conv2D",
        "gradient_tape/conv1/Conv2D",
    ]
    assert rows_of("types")[0] == {"type": "Conv2D", "operations": "2", "microseconds": "80"}
    assert rows_of("layers") == [
        {
            "layer": "conv1",
            "forward_microseconds": "70",
            "backward_microseconds": "20",
            "share": "0.9000",
        },
        {
            "layer": "(loss, metrics, optimizer)",
            "forward_microseconds": "10",
            "backward_microseconds": "0",
            "share": "0.1000",
        },
    ]
    assert read_artifact(run, "trace/train_step_3.graph0.pbtxt") == b"node {}"
    assert read_artifact(run, "trace/train_step_3.layers.png").startswith(b"\x89PNG")
    assert run.data.metrics["trace/train_step_3/cpu_peak_bytes"] == 2048
    assert run.data.metrics["trace/train_step_3/milliseconds"] == 0.09


@pytest.mark.parametrize("status", Status)
def test_the_status_is_as_the_run_ended(store, context, status):
    step = StepsResult(1, 1, np.array([0.5]), {})
    before_ms = time.time_ns() // 1_000_000
    _, run = run_with(store, context, step, status=status, error="ValueError: not finite")
    assert run.info.status == status.value
    assert before_ms <= run.info.start_time <= run.info.end_time <= time.time_ns() // 1_000_000
    assert run.data.metrics["step/loss"] == 0.5
    assert read_artifact(run, "error.txt") == b"ValueError: not finite"


def test_a_run_is_failed_where_no_file_can_be_written(store, context, monkeypatch):
    client = open_store(store.tracking)
    run = create_run(client, describe_start(store, store.tracking, context, SOURCE), 1000)

    def refuse(*_):
        raise PermissionError(errno.EACCES, "no files today")

    monkeypatch.setattr(client, "log_text", refuse)
    with pytest.raises(PermissionError, match="no files today"):
        run.fail("refused", 2000)
    ended = client.get_run(run.run_id).info
    assert (ended.status, ended.end_time) == ("FAILED", 2000)


def test_what_is_written_twice_is_there_once(store, context):
    results = [DATA, TWO_STEPS, SplitResult("test", 1, 2, {"accuracy": float("nan")})]
    file = context.output_dir / "entries.spool"
    with closing(SpoolWriter(file)) as spool:
        spool.append(describe_start(store, store.tracking, context, SOURCE))
        spool.append(TagsAdded({"devices": "/CPU:0"}))
        for result in results:
            spool.append(ResultLogged(result))
        spool.append(RunEnded(Status.FINISHED, None))
    with closing(SpoolReader(file)) as reader:
        spooled = list(reader.read())
    client = open_store(store.tracking)
    run = create_run(client, spooled[0].entry, spooled[0].time_ms)
    for _ in range(2):
        for one in spooled:
            run.write(one.entry, one.time_ms)
            run.flush()
    stored = client.get_run(run.run_id)
    assert len(client.get_metric_history(run.run_id, "step/loss")) == 2
    assert len(client.get_metric_history(run.run_id, "test/accuracy")) == 1
    assert len(stored.inputs.dataset_inputs) == 2
    assert (stored.info.status, stored.info.end_time) == ("FINISHED", spooled[-1].time_ms)


TWO_STEPS = StepsResult(1, 1, np.array([0.5, 0.5]), {})


def test_pictures_that_another_process_drew_are_counted(store, context):
    tracking = replace(store.tracking, pictures=1)
    started = describe_start(store, tracking, context, SOURCE)
    balance = ResultLogged(BALANCE)
    client = open_store(store.tracking)
    run = create_run(client, started, 0)
    run.recall(balance)
    run.write(balance, 1)
    drawn = [one.path for one in client.list_artifacts(run.run_id, "data")]
    assert drawn == ["data/balance.csv"]


def test_runs_of_an_experiment_are_training_runs_to_the_ui(store, context):
    client, run = run_with(store, context)
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.name == "digits"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_deleted_experiment_is_refused(store, context):
    store.tracking.experiment = "gone"
    try:
        client, run = run_with(store, context)
        client.delete_experiment(run.info.experiment_id)
        started = describe_start(store, store.tracking, context, SOURCE)
        with pytest.raises(ConfigError) as caught:
            create_run(client, started, 0)
    finally:
        store.tracking.experiment = "digits"
    assert str(caught.value) == (
        "tracking.experiment: the experiment 'gone' was deleted in this store; restore it or "
        "choose another name."
    )


def test_an_experiment_that_another_process_creates_meanwhile_is_taken(store, context, monkeypatch):
    client, run = run_with(store, context)
    found = [None, client.get_experiment(run.info.experiment_id)]
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *_: found.pop(0))
    started = describe_start(store, store.tracking, context, SOURCE)
    created = create_run(client, started, 0)
    assert client.get_run(created.run_id).info.experiment_id == run.info.experiment_id


def test_a_file_that_is_no_store_is_refused(tmp_path):
    database = tmp_path / "mlflow.db"
    database.write_text("not a database, but long enough to look at" * 50, encoding="utf-8")
    config = compose_config(
        [f"tracking.database={database}", f"tracking.artifacts={tmp_path}/artifacts"]
    )
    with pytest.raises(ConfigError, match=r"^tracking\.database: MLflow cannot open the store: "):
        open_store(config.tracking)


def test_a_database_that_is_a_folder_is_refused(tmp_path):
    config = compose_config(
        [f"tracking.database={tmp_path}", f"tracking.artifacts={tmp_path}/artifacts"]
    )
    with pytest.raises(ConfigError) as caught:
        prepare_store(config.tracking)
    assert str(caught.value) == (
        f"tracking.database: expected a file; received {str(tmp_path)!r} (str)."
    )


def test_an_experiments_files_stay_in_their_folder(store, context):
    store.tracking.experiment = "../../elsewhere"
    try:
        _, run = run_with(store, context)
    finally:
        store.tracking.experiment = "digits"
    is_file = isinstance(store.tracking, SqliteTrackingConfig)
    place = f"file://{store.tracking.artifacts}/" if is_file else "mlflow-artifacts:/"
    assert run.info.artifact_uri.startswith(place)
    assert ".." not in run.info.artifact_uri


@pytest.mark.parametrize("key", ["database", "artifacts"])
def test_a_path_that_cannot_be_written_to_is_refused(tmp_path, key):
    (tmp_path / "file").write_text("", encoding="utf-8")
    path = tmp_path / "file" / "below" / "mlflow.db"
    config = compose_config(
        [
            f"tracking.database={tmp_path}/mlflow.db",
            f"tracking.artifacts={tmp_path}/artifacts",
            f"tracking.{key}={path}",
        ]
    )
    with pytest.raises(ConfigError) as caught:
        prepare_store(config.tracking)
    assert str(caught.value) == (
        f"tracking.{key}: expected a path that can be written to; received {str(path)!r} (str). "
        "Not a directory: choose another folder."
    )


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "cnn"),
        (["model=cnn", "data=digits"], "cnn"),
        (
            ["optimizer.learning_rate=0.1", "+model.layers.conv1.strides=2"],
            "cnn optimizer.learning_rate=0.1 model.layers.conv1.strides=2",
        ),
        (["tracking.run_name=x", "seed=3"], "cnn seed=3"),
    ],
)
def test_a_run_is_named_for_its_model_and_what_was_set(store, overrides, name):
    assert name_run(store, overrides) == name


def test_what_a_model_costs_is_logged_as_a_table_as_json_and_as_metrics(store, context):
    _, run = run_with(store, context, INSPECTED)
    assert run.data.metrics == {
        "inspect/trained_parameters": 18496,
        "inspect/frozen_parameters": 64,
        "inspect/flops": 20_054_016,
        "inspect/activation_bytes": 262144,
        "inspect/parameter_bytes": 74240,
        "inspect/unknown_operations": 2,
        "inspect/varying_outputs": 0,
    }
    table = list(csv.DictReader(io.StringIO(read_artifact(run, "inspect/layers.csv").decode())))
    numbers = {
        "trained_parameters": "18496",
        "frozen_parameters": "64",
        "flops": "20054016",
        "activation_bytes": "262144",
        "parameter_bytes": "74240",
        "unknown_operations": "2 ResizeBicubic",
        "varying_outputs": "0",
    }
    named = {"name": "block.0.conv", "type": "Conv2D", "output_shapes": "(batch, 8, ?, 32)"}
    totals = {"name": "total", "type": "", "output_shapes": ""}
    assert table == [{**named, **numbers}, {**totals, **numbers}]
    described = json.loads(read_artifact(run, "inspect/layers.json"))
    assert described["batch_size"] == 32
    assert described["inputs"] == {"image": [None, 8, None, 1]}
    assert described["outputs"] == {"conv": "block.0.conv"}
    assert described["flops_by_operation"] == {"Conv2D": 20_054_016}
    assert described["totals"]["flops"] == 20_054_016
    (layer,) = described["layers"]
    assert layer["sources"] == ["image"]
    assert layer["output_shapes"] == [[None, 8, None, 32]]
    assert layer["unknown_operations"] == {"ResizeBicubic": 2}


def test_the_balance_of_the_data_is_logged_as_a_table_and_drawn(store, context):
    _, run = run_with(store, context, BALANCE)
    assert read_artifact(run, "data/balance.csv").decode().splitlines() == [
        "label,class,from,to,train,test",
        "digit,0,,,3,1",
        "digit,1,,,1,1",
        "size,,0,0.5,4,0",
        "size,,0.5,1,0,2",
    ]
    assert Image.open(io.BytesIO(read_artifact(run, "data/balance.png"))).size[0] > 600


def test_examples_of_the_data_are_logged_as_tables_and_drawn(store, context):
    _, run = run_with(store, context, EXAMPLES)
    assert read_artifact(run, "data/schema.csv").decode().splitlines() == [
        "name,is,shape,dtype,classes,min,mean,max,not_finite,rows",
        "image,feature,2x2x1,float32,,0,0.25,1,0,3",
        "digit,label,,int64,2,0,0.5,1,0,3",
    ]
    assert read_artifact(run, "data/examples.csv").decode().splitlines() == [
        "row,digit,numbers[0],numbers[1],text",
        "0,0,0.5,1,short",
        f"5,1,2,3,{('long ' * 40)[:80]}",
    ]
    assert Image.open(io.BytesIO(read_artifact(run, "data/examples.png"))).size[0] > 600


def test_a_sweep_is_logged_as_tables_and_its_only_groups_spread_as_metrics(store, context):
    jobs = [
        JobResult(seed, {"seed": str(seed)}, "FINISHED", {"test/loss": float(seed)}, "1a")
        for seed in range(2)
    ]
    _, run = run_with(store, context, summarize_jobs(jobs))
    low, high = 0.5 - 12.7062047 * 0.5, 0.5 + 12.7062047 * 0.5
    assert run.data.metrics == pytest.approx(
        {
            "jobs/finished": 2,
            "jobs/failed": 0,
            "jobs/killed": 0,
            "test/loss_jobs": 2,
            "test/loss_mean": 0.5,
            "test/loss_std": 0.5**0.5,
            "test/loss_ci95_low": low,
            "test/loss_ci95_high": high,
        }
    )
    assert read_artifact(run, "sweep/jobs.csv").decode().splitlines() == [
        "job,seed,status,test/loss,run_id,error",
        "0,0,FINISHED,0.0,1a,",
        "1,1,FINISHED,1.0,1a,",
    ]
    header, row = read_artifact(run, "sweep/groups.csv").decode().splitlines()
    parts = [f"test/loss_{part}" for part in ("jobs", "mean", "std", "ci95_low", "ci95_high")]
    assert header == ",".join(["jobs", *parts])
    assert [float(cell) for cell in row.split(",")] == pytest.approx(
        [2, 2, 0.5, 0.5**0.5, low, high]
    )


def test_of_one_repetition_the_mean_alone_is_a_metric(store, context):
    jobs = [
        JobResult(0, {"seed": "0"}, "FINISHED", {"test/loss": 1.0}, "1a"),
        JobResult(1, {"seed": "1"}, "FAILED", {}, None, "ValueError: no"),
    ]
    _, run = run_with(store, context, summarize_jobs(jobs))
    told = {name: value for name, value in run.data.metrics.items() if "test/" in name}
    assert told == {"test/loss_jobs": 1, "test/loss_mean": 1.0}


def test_a_drawing_is_logged_as_it_is(store, context):
    _, run = run_with(store, context, DrawingResult("graph", "<svg/>"))
    assert read_artifact(run, "inspect/graph.svg") == b"<svg/>"


def test_what_was_loaded_and_written_is_kept_with_the_whole_configuration(store, context):
    (context.output_dir / "resolved.yaml").write_text("kinds: {}\n", encoding="utf-8")
    file = context.output_dir / "predictions.csv"
    file.write_text("row\n0\n", encoding="utf-8")
    kernel = LoadedWeight("a.kernel", (3, 2), "float32", "")
    other = LoadedWeight("b.bias", (2,), "float32", "not in the source")
    _, run = run_with(
        replace(store, from_run="abc"),
        context,
        PretrainedResult("w.npz", (kernel, other), (replace(other, reason="no place"),)),
        PredictionsWritten(file, 1, ("row",)),
    )
    assert (run.data.tags["from_run"], run.data.tags["pretrained"]) == ("abc", "w.npz")
    assert read_artifact(run, "config/resolved.yaml") == b"kinds: {}\n"
    assert read_artifact(run, "predictions/predictions.csv") == b"row\n0\n"
    assert read_artifact(run, "weights/loaded.csv").decode().splitlines() == [
        "weight,shape,dtype,state,reason",
        "a.kernel,3x2,float32,loaded,",
        "b.bias,2,float32,initialized,not in the source",
        "b.bias,2,float32,unused,no place",
    ]


def test_a_run_has_a_report_and_its_figures(store, context):
    steps = StepsResult(1, 1, np.array([2.0, 1.0]), {"loss": np.array([2.0, 1.5])})
    results = [Started(1, 2, {"train": 2}), steps, SplitResult("train", 1, 2, {"loss": 1.5})]
    traced = (operation("conv1/op", "Conv2D", "conv1", False, 0, 90),)
    trace = TraceResult("train_step_3", "{}", traced, {"cpu": 4096}, (), 5)
    client, run = run_with(store, context, *results, trace)
    page = read_artifact(run, "report.html").decode()
    assert page.startswith("<!DOCTYPE html>")
    assert run.info.run_id in page
    figures = client.list_artifacts(run.info.run_id, "figures")
    assert [one.path for one in figures] == [
        "figures/curve_loss.png",
        "figures/timeline_train_step_3.png",
    ]
    with Image.open(io.BytesIO(read_artifact(run, "figures/curve_loss.png"))) as picture:
        assert picture.size == (800, 500)


def test_a_run_without_report_has_none(store, context):
    config = replace(store, tracking=replace(store.tracking, report=False))
    client, run = run_with(config, context)
    assert "report.html" not in [one.path for one in client.list_artifacts(run.info.run_id)]


def test_a_report_that_cannot_be_made_is_a_warning(store, context, caplog, monkeypatch):
    def fail(*arguments):
        raise ValueError("too odd")

    monkeypatch.setattr("runner.tracking.report.writing.format_page", fail)
    client, run = run_with(store, context)
    assert run.info.status == "FINISHED"
    (warning,) = [one for one in caplog.records if one.name.startswith("runner")]
    assert warning.getMessage() == (
        "tracking.report: the report of this run cannot be made: ValueError('too odd')"
    )
    assert "report.html" not in [one.path for one in client.list_artifacts(run.info.run_id)]


def test_numbers_that_are_far_off_are_a_table(store, context):
    examples = Examples({}, {}, rows=np.array([5, 6]))
    result = summarize_residuals(
        np.array([1.0, 2.0]),
        np.array([1.5, 4.0]),
        examples,
        split="test",
        output="price",
        label="paid",
    )
    _, run = run_with(store, context, result)
    table = read_artifact(run, "fetches/price.residuals.csv").decode()
    assert table == "row,paid,predicted,error\n6,2,4,2\n5,1,1.5,0.5\n"
