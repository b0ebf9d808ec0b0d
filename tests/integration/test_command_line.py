"""`python -m runner` as users start it: real processes, a real SQLite store."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from runner.composition import PROJECT
from runner.tracking.folders import place_folder
from runner.verbs import VERBS

pytestmark = pytest.mark.integration

TIMEOUT_SECONDS = 240
QUICK = ("model=mlp", "task.epochs=2")


class Project:
    """A store and an output folder of a test's own."""

    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "mlflow.db"

    def command(self, *arguments):
        is_verb = bool(arguments) and arguments[0] in VERBS
        places = [
            f"hydra.run.dir={self.folder}/runs/${{now:%Y-%m-%d}}/${{now:%H-%M-%S-%f}}",
            f"hydra.sweep.dir={self.folder}/sweep",
        ]
        return [
            sys.executable,
            "-m",
            "runner",
            *arguments,
            f"tracking.database={self.database}",
            f"tracking.artifacts={self.folder}/artifacts",
            *([] if is_verb else places),
        ]

    def start(self, *arguments):
        return subprocess.Popen(
            self.command(*arguments),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background job ignores SIGINT, and so would what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments, **options):
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            **{"cwd": PROJECT, **options},
        )

    def runs(self):
        client = MlflowClient(f"sqlite:///{self.database}")
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return client.search_runs(experiments, order_by=["attributes.start_time"])


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def artifact(run, path):
    return Path(run.info.artifact_uri.removeprefix("file://")) / path


def test_the_main_job_trains_to_its_accuracy_and_logs_all_of_it(project):
    finished = project.run()
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""

    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "cnn"
    assert run.data.metrics["test/accuracy"] >= 0.98
    assert run.data.params["model.layers.conv2.filters"] == "64"
    assert run.data.params["seed"] == "0"
    tags = run.data.tags
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.strip()
    assert tags.get("mlflow.source.git.commit", "") == commit
    assert "/CPU:0" in tags["devices"]
    assert tags["host"]
    assert tags["version.tensorflow"]

    client = MlflowClient(f"sqlite:///{project.database}")
    steps = client.get_metric_history(run.info.run_id, "step/loss")
    assert sorted(metric.step for metric in steps) == list(range(1, 801))
    with np.load(artifact(run, "fetches/test.npz")) as arrays:
        assert arrays["outputs"].shape == (64, 10)
        shown_accuracy = (arrays["outputs"].argmax(axis=1) == arrays["label.digit"]).mean()
    assert shown_accuracy >= 0.9
    assert len(artifact(run, "fetches/test.csv").read_text().splitlines()) == 65
    assert artifact(run, "data/balance.png").exists()
    assert "conv1" in artifact(run, "config/config.yaml").read_text()
    trace = json.loads(artifact(run, "trace/train_step_3.json").read_text())
    assert any(event["ph"] == "X" for event in trace["traceEvents"])

    (output_dir,) = (project.folder / "runs").glob("*/*")
    assert (output_dir / ".hydra" / "config.yaml").exists()
    assert "layer conv1 Conv2D (batch, 8, 8, 32) 320" in (output_dir / "feedfetch.log").read_text()

    lines = dict(line.split(maxsplit=1) for line in finished.stdout.splitlines())
    assert set(lines) == {"plan", "trace", "data", "test", "fetched", "time", "run", "open"}
    assert "conv2" in lines["trace"]
    assert lines["run"] == run.info.run_id
    assert lines["open"].endswith(
        f"-m runner ui tracking.database={project.database} "
        f"tracking.artifacts={project.folder}/artifacts --run {run.info.run_id}"
    )


@pytest.mark.slow
def test_a_seed_repeats_a_run_bit_for_bit_across_processes_wherever_started(project, tmp_path):
    overrides = ("task.epochs=2", "task.examples=359")
    first = project.run(*overrides)
    second = project.run(*overrides, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    other = project.run(*overrides, "seed=1")
    for finished in (first, second, other):
        assert finished.returncode == 0, finished.stderr

    runs = project.runs()
    outputs = []
    for run in runs:
        with np.load(artifact(run, "fetches/test.npz")) as arrays:
            outputs.append(arrays["outputs"])
    np.testing.assert_array_equal(outputs[0], outputs[1])
    losses = [run.data.metrics["test/loss"] for run in runs]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_forward_feeds_fetches_and_logs(project):
    finished = project.run("model=cnn", "task=forward", "data=random", "fetches.features=conv1")
    assert finished.returncode == 0, finished.stderr
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    with np.load(artifact(run, "fetches/test.npz")) as arrays:
        assert arrays["outputs"].shape == (32, 10)
        assert arrays["features"].shape == (32, 8, 8, 32)
    assert artifact(run, "trace/forward.json").exists()


@pytest.mark.slow
def test_a_trained_run_is_evaluated_and_predicts(project, tmp_path):
    wine = (PROJECT / "tests" / "samples" / "wine.csv").read_text(encoding="utf-8").splitlines()
    table = ("data=table", f"data.file={PROJECT}/tests/samples/wine.csv")
    trained = project.run("model=tabular", *table, "data.targets=[cultivar]", "task.epochs=2")
    assert trained.returncode == 0, trained.stderr
    (run,) = project.runs()
    origin = f"from_run={run.info.run_id}"

    evaluated = project.run("task=evaluate", origin)
    assert evaluated.returncode == 0, evaluated.stderr
    _, evaluation = project.runs()
    assert evaluation.data.tags["from_run"] == run.info.run_id
    assert evaluation.info.run_name == f"tabular {origin}"
    for name in ("test/loss", "test/accuracy"):
        assert evaluation.data.metrics[name] == run.data.metrics[name]
    assert artifact(evaluation, "fetches/logits.confusion.csv").exists()

    # New data has no targets, another order of columns, and one that the run did not see.
    rows = [f"b{index}," + ",".join(row.split(",")[-2::-1]) for index, row in enumerate(wine)]
    new = tmp_path / "new.csv"
    new.write_text("\n".join(["bottle" + rows[0][2:], *rows[1:]]) + "\n", encoding="utf-8")
    files = [tmp_path / "old.parquet", tmp_path / "new.csv.csv"]
    for file, further in (
        (files[0], ()),
        (files[1], (f"data.file={new}", "data.targets=[]", "data.id=bottle")),
    ):
        finished = project.run("task=predict", origin, f"task.file={file}", *further)
        assert finished.returncode == 0, finished.stderr
        assert f"of 178 examples to {file}" in finished.stdout
    old, again = parquet.read_table(files[0]), arrow_csv.read_csv(files[1])
    assert again["id"].to_pylist() == [f"b{index}" for index in range(1, 179)]
    for name in ("row", "class", "class_name"):
        assert again[name].to_pylist() == old[name].to_pylist()
    chances = [table["probability.a"].to_numpy() for table in (again, old)]
    np.testing.assert_allclose(*chances, rtol=1e-5)
    assert artifact(project.runs()[-1], "predictions/new.csv.csv").exists()

    tuned = project.run(
        "model=tabular",
        *table,
        "data.targets=[cultivar]",
        "model.layers.dense1.trainable=false",
        f"pretrained.source={run.info.run_id}",
        "pretrained.layers=[dense*]",
        "task.epochs=1",
    )
    assert tuned.returncode == 0, tuned.stderr
    assert "loaded   4 of " in tuned.stdout
    with (
        np.load(artifact(run, "weights/weights.npz")) as before,
        np.load(artifact(project.runs()[-1], "weights/weights.npz")) as after,
    ):
        np.testing.assert_array_equal(after["dense1.kernel"], before["dense1.kernel"])
        assert not np.array_equal(after["dense2.kernel"], before["dense2.kernel"])
    rows = artifact(project.runs()[-1], "weights/loaded.csv").read_text().splitlines()
    assert "dense1.bias,64,float32,loaded," in rows

    unknown = project.run("task=evaluate", "from_run=123")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith(
        "from_run: expected a run's id, its name, its folder or last; received '123' (str). "
    )


def test_inspect_tells_what_a_model_costs_shows_the_data_and_runs_nothing(project):
    finished = project.run("model=cnn", "task=inspect", "task.examples=7")
    assert (finished.returncode, finished.stderr) == (0, "")
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["task"] == "inspect"
    assert "devices" not in run.data.tags  # no Session was opened
    costs = {name: value for name, value in run.data.metrics.items() if "time/" not in name}
    assert costs["inspect/trained_parameters"] == 21578
    assert costs["inspect/activation_bytes"] == 7 * 27688
    assert {name.partition("/")[0] for name in costs} == {"inspect", "system"}
    phases = {name for name in run.data.metrics if "time/" in name}
    assert not phases & {"time/session_seconds", "time/train_seconds"}
    assert len(run.inputs.dataset_inputs) == 3
    assert artifact(run, "data/examples.png").exists()
    assert artifact(run, "data/balance.png").exists()
    assert len(artifact(run, "data/examples.csv").read_text().splitlines()) == 17
    rows = artifact(run, "inspect/layers.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows[1:3]] == ["conv1", "norm1"]
    assert json.loads(artifact(run, "inspect/layers.json").read_text())["batch_size"] == 7
    graph = ElementTree.parse(artifact(run, "inspect/graph.svg"))
    shown = {text.text for text in graph.iter("{http://www.w3.org/2000/svg}text")}
    assert {"image", "conv1", "norm1", "logits"} <= shown
    assert not artifact(run, "fetches").exists()
    lines = [line.split() for line in finished.stdout.splitlines()]
    assert ["image", "feature", "(8,", "8,", "1)", "float32", "0", "0.3052", "1"] in lines
    assert ["digit", "train", "validation", "test"] in lines
    assert ["layer", "type"] in [line[:2] for line in lines]
    assert ["flops", "4.53", "M", "a", "batch", "of", "7,"] in [line[:7] for line in lines]


@pytest.mark.slow
def test_processes_that_open_a_fresh_store_at_once_all_finish(project):
    processes = [project.start(*QUICK, f"seed={seed}") for seed in range(3)]
    for process in processes:
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0, stderr
    assert [run.info.status for run in project.runs()] == ["FINISHED"] * 3


def test_a_sweep_runs_every_combination_under_a_run_of_its_own(project):
    varying = ["data.fold=0,1,2", "model.layers.logits.units=10,1"]
    finished = project.run("-m", "model=mlp", "task.epochs=1", "model.loss.label=parity", *varying)
    assert finished.returncode == 1
    parent, *jobs = project.runs()
    assert parent.info.run_name == " ".join(varying)
    assert parent.info.status == "FAILED"
    assert parent.data.tags["folder"] == place_folder(project.folder / "sweep")
    assert {job.data.tags["mlflow.parentRunId"] for job in jobs} == {parent.info.run_id}
    assert [job.info.status for job in jobs] == ["FINISHED", "FAILED"] * 3
    assert [job.data.params["data.fold"] for job in jobs] == ["0", "0", "1", "1", "2", "2"]

    table = list(csv.DictReader(artifact(parent, "sweep/jobs.csv").read_text().splitlines()))
    assert [row["status"] for row in table] == [job.info.status for job in jobs]
    accuracies = [job.data.metrics["test/accuracy"] for job in jobs[::2]]
    assert [float(row["test/accuracy"]) for row in table[::2]] == accuracies
    assert "Received a label value" in table[1]["error"]
    groups = list(csv.DictReader(artifact(parent, "sweep/groups.csv").read_text().splitlines()))
    assert [row["model.layers.logits.units"] for row in groups] == ["10", "1"]
    assert float(groups[0]["test/accuracy_mean"]) == pytest.approx(np.mean(accuracies))
    assert float(groups[0]["test/accuracy_std"]) == pytest.approx(np.std(accuracies, ddof=1))
    assert (parent.data.metrics["jobs/finished"], parent.data.metrics["jobs/failed"]) == (3, 3)
    lines = finished.stdout.splitlines()
    assert "jobs     3 FINISHED, 3 FAILED" in lines
    assert f"sweep    {parent.info.run_id}" in lines


@pytest.mark.slow
def test_runs_are_found_shown_compared_and_collected(project, tmp_path):
    for seed in (0, 1):
        assert project.run(*QUICK, f"seed={seed}", "tracking.pictures=0").returncode == 0
    first, second = project.runs()
    listed = project.run("runs").stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]] == [
        second.info.run_id[:8],
        first.info.run_id[:8],
    ]
    assert {"test/accuracy", "seed"} <= set(listed[0].split())

    folder = next(
        path
        for path in (project.folder / "runs").glob("*/*")
        if "seed: 1" in (path / "resolved.yaml").read_text()
    )
    for name in (second.info.run_id[:8], second.info.run_name, "last", str(folder)):
        shown = json.loads(project.run("show", name, "--json").stdout)
        assert shown["run_id"] == second.info.run_id
    assert shown["folder"] == str(folder)
    files = {file["path"]: file["bytes"] for file in shown["artifacts"]}
    assert files["weights/weights.npz"] == artifact(second, "weights/weights.npz").stat().st_size

    told = project.run("diff", "last~1", "last", "--exit-code", "--json")
    assert told.returncode == 1
    differences = json.loads(told.stdout)["differences"]
    assert {"name": "seed", "first": "0", "second": "1", "absolute": None, "relative": None} in (
        differences["configuration"]
    )
    assert "test/accuracy" in {one["name"] for one in differences["metrics"]}

    finished = project.run("task=evaluate", "from_run=last-1", "tracking.pictures=0")
    assert (finished.returncode, finished.stderr) == (0, "")
    third = project.runs()[-1]
    assert third.data.tags["from_run"] == first.info.run_id
    assert third.data.metrics["test/accuracy"] == first.data.metrics["test/accuracy"]

    MlflowClient(f"sqlite:///{project.database}").delete_run(second.info.run_id)
    given = ("gc", "--outputs", str(project.folder))
    assert "nothing was deleted" in project.run(*given).stdout
    assert folder.is_dir()
    finished = project.run(*given, "--yes")
    assert finished.stdout.endswith("; deleted\n"), finished.stderr
    assert not folder.exists()
    assert [run.info.run_id for run in project.runs()] == [first.info.run_id, third.info.run_id]
    assert artifact(first, "weights/weights.npz").exists()


def test_a_step_that_fails_fails_the_run(project):
    finished = project.run(*QUICK, "model.layers.logits.units=1", "model.loss.label=parity")
    assert finished.returncode == 1
    assert finished.stderr.startswith(
        "step 'train': InvalidArgumentError: Received a label value of 1 which is outside the "
        "valid range of [0, 1)."
    )
    assert "Traceback" not in finished.stderr
    (run,) = project.runs()
    assert run.info.status == "FAILED"
    assert "InvalidArgumentError" in artifact(run, "error.txt").read_text()


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [(signal.SIGTERM, 143, "terminated\n"), (signal.SIGINT, 130, "interrupted\n")],
)
def test_a_run_that_is_asked_to_end_is_killed(project, number, status, message):
    process = project.start("model=mlp", "task.epochs=100000")
    wait_for_metrics(project)
    process.send_signal(number)
    try:
        _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, stderr) == (status, message)
    (run,) = project.runs()
    assert run.info.status == "KILLED"
    assert run.data.metrics["step/loss"] > 0


def wait_for_metrics(project):
    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        # The store is opened here only once the process has made it.
        is_made = (project.folder / "artifacts" / "digits").exists()
        if is_made and any("step/loss" in run.data.metrics for run in project.runs()):
            return
        time.sleep(0.5)
    pytest.fail("the run logged nothing")


WITHOUT_TENSORFLOW = """
import sys
import importlib.abc

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "mlflow", "sklearn"):
            raise SystemExit(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
sys.argv = ["runner", *sys.argv[1:]]
from runner.__main__ import main
main()
"""


def run_without_tensorflow(*arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--help"], "optimizer: adam, adamw, sgd"),
        (["help"], "python -m runner diff RUN RUN"),
        (["--cfg", "job"], "conv1:"),
        (["model=mlp", "--cfg", "job"], "dense1:"),
    ],
)
def test_questions_are_answered_without_tensorflow(arguments, shown):
    finished = run_without_tensorflow(*arguments)
    assert finished.returncode == 0, finished.stderr
    assert shown in finished.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["optimzer.learning_rate=1"],
            "optimzer: expected a key of the configuration; received 'optimzer' (str). "
            "Did you mean 'optimizer'?\n",
        ),
        (
            ["rus"],
            "rus: there is no such verb, and an override has a =, such as model=mlp. Did you mean "
            "'runs'?\n",
        ),
        (
            ["optimizer=adm"],
            "optimizer: expected one of adam, adamw, sgd; received 'adm' (str). "
            "Did you mean 'adam'?\n",
        ),
        (
            ["model.layers.conv2.type=Conv2d", "model.layers.conv1.kernel_sise=3"],
            "model.layers.conv1: Conv2D has no argument 'kernel_sise'; did you mean "
            "'kernel_size'?\n"
            "    command line: model.layers.conv1.kernel_sise=3\n"
            "model.layers.conv2.type: expected a layer; received 'Conv2d' (str). "
            "Did you mean 'Conv2D'?\n"
            "    command line: model.layers.conv2.type=Conv2d\n",
        ),
        (
            ["model.inputs.image.dtype=float23"],
            "model.inputs.image.dtype: expected a dtype such as float32; received 'float23' "
            "(str). Did you mean 'float32'?\n"
            "    command line: model.inputs.image.dtype=float23\n",
        ),
        (
            ["~model.inputs.image", "model.inputs={picture:{shape:[8,8,1],dtype:float32}}"],
            "model.inputs.picture: expected a feature of data 'digits' to feed it; received "
            "'picture' (str). Choose from image.\n"
            "    command line: model.inputs={picture:{shape:[8,8,1],dtype:float32}}\n",
        ),
        (
            ["tracking.database=/dev/null/here/mlflow.db"],
            "tracking.database: expected a path that can be written to; received "
            "'/dev/null/here/mlflow.db' (str). Not a directory: choose another folder.\n"
            "    command line: tracking.database=/dev/null/here/mlflow.db\n",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_before_tensorflow_is_imported(
    tmp_path, arguments, message
):
    finished = run_without_tensorflow(*arguments, f"hydra.run.dir={tmp_path}")
    assert (finished.returncode, finished.stderr) == (2, message)


def test_schema_writes_the_schemas_without_tensorflow(tmp_path):
    finished = run_without_tensorflow("schema", "--output-dir", str(tmp_path / "schema"))
    assert finished.returncode == 0, finished.stderr
    written = sorted((tmp_path / "schema").iterdir())
    assert sorted(finished.stdout.splitlines()) == [str(file) for file in written]
    committed = PROJECT / "docs" / "schema"
    assert [file.name for file in written] == sorted(file.name for file in committed.iterdir())


def test_a_shape_that_cannot_fit_is_refused_and_leaves_no_run(project):
    finished = project.run("model.layers.pool1.pool_size=9")
    assert (finished.returncode, finished.stderr) == (
        2,
        "model.layers.pool1: MaxPooling2D cannot take (batch, 8, 8, 32): the window (9, 9) is "
        "larger than the input. The input was (batch, 8, 8, 1); conv1, norm1 came before.\n"
        "    conf/model/cnn.yaml:12\n"
        "    command line: model.layers.pool1.pool_size=9\n"
        "    image  (batch, 8, 8, 1)\n"
        "    conv1  (batch, 8, 8, 32)\n"
        "    norm1  (batch, 8, 8, 32)\n",
    )
    assert project.runs() == []


MANY_MISTAKES = """\
name: mine
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  conv: {type: Conv2d, filters: 8, kernel_size: 3}
  flatten: {type: Flatten}
  add: {type: Add, from: [flatten, hidden]}
  logits: {type: Dense, unit: 10}
outputs: logits
loss: {type: SparseCategoricalCrossentropy, from_logit: true}
metrics: {}
"""
SHAPE_MISTAKES = """\
name: mine
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  conv: {type: Conv2D, filters: 8, kernel_size: 3}
  pool: {type: MaxPooling2D, pool_size: 7}
  flatten: {type: Flatten, from: conv}
  sum: {type: Add, from: [conv, image]}
outputs: [flatten, pool, sum]
loss: null
metrics: {}
"""


def write_model(folder, text):
    (folder / "model").mkdir()
    (folder / "model" / "mine.yaml").write_text(text, encoding="utf-8")


def test_validate_says_all_that_is_wrong_and_where_without_tensorflow(tmp_path):
    write_model(tmp_path, MANY_MISTAKES)
    finished = run_without_tensorflow(
        "validate", "--no-shapes", "--config-dir", str(tmp_path), "model=mine", "seed=half"
    )
    assert (finished.returncode, finished.stderr) == (
        2,
        "seed: expected a whole number; received 'half' (str).\n    command line: seed=half\n",
    )
    finished = run_without_tensorflow(
        "validate", "--config-dir", str(tmp_path), "model=mine", "model.layers.conv.filters=many"
    )
    file = f"{tmp_path}/model/mine.yaml"
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.splitlines() == [
        "model.layers.conv.type: expected a layer; received 'Conv2d' (str). Did you mean 'Conv2D'?",
        f"    {file}:5",
        "model.layers.add.from[1]: expected the name of an input or of a layer that comes before; "
        "received 'hidden' (str). Choose from image, conv, flatten.",
        f"    {file}:7",
        "model.layers.logits: Dense has no argument 'unit'; did you mean 'units'?",
        f"    {file}:8",
        "model.layers.logits: Dense needs the argument 'units'.",
        f"    {file}:8",
        "model.loss: SparseCategoricalCrossentropy has no argument 'from_logit'; did you mean "
        "'from_logits'?",
        f"    {file}:10",
    ]


def test_validate_says_every_shape_that_does_not_fit_and_those_on_the_way(project):
    write_model(project.folder, SHAPE_MISTAKES)
    finished = validate("--config-dir", str(project.folder), "model=mine", "task=forward")
    file = f"{project.folder}/model/mine.yaml"
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.splitlines() == [
        "model.layers.pool: MaxPooling2D cannot take (batch, 6, 6, 8): the window (7, 7) is larger "
        "than the input. The input was (batch, 8, 8, 1); conv came before.",
        f"    {file}:6",
        "    image  (batch, 8, 8, 1)",
        "    conv   (batch, 6, 6, 8)",
        "model.layers.sum: Add cannot take (batch, 6, 6, 8), (batch, 8, 8, 1): Inputs have "
        "incompatible shapes. Received shapes (6, 6, 8) and (8, 8, 1). The input was "
        "(batch, 8, 8, 1); conv came before.",
        f"    {file}:8",
        "    image  (batch, 8, 8, 1)",
        "    conv   (batch, 6, 6, 8)",
    ]


def test_validate_shows_the_layers_of_what_is_valid_and_runs_nothing(project):
    finished = validate("model=cnn", f"tracking.database={project.database}")
    assert (finished.returncode, finished.stderr) == (0, "")
    lines = finished.stdout.splitlines()
    assert lines[1].split() == ["conv1", "Conv2D", "(batch,", "8,", "8,", "32)", "320"]
    assert lines[-1] == "cnn: valid"
    assert not project.database.exists()
    finished = run_without_tensorflow("validate", "--no-shapes", "model=cnn")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == "cnn: names, arguments and types are valid\n"


def validate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "runner", "validate", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )


EXPORT = """
import sys

import keras

keras.utils.set_random_seed(3)
image = keras.Input((8, 8, 1), name="image")
hidden = keras.layers.Dense(16, "relu", name="hidden")(keras.layers.Flatten()(image))
model = keras.Model(image, keras.layers.Dense(10, name="last")(hidden))
model.save(sys.argv[1])
"""
IMPORTED = """\
name: mine
inputs:
  image: {shape: "${data.features.image.shape}", dtype: float32}
layers:
  net: {file: %s}
outputs: net
loss: {type: SparseCategoricalCrossentropy, from_logits: true}
metrics: {accuracy: {type: SparseCategoricalAccuracy}}
"""


@pytest.mark.slow
def test_a_model_of_a_keras_file_is_run_and_trained_further(project):
    file = project.folder / "net.keras"
    subprocess.run([sys.executable, "-c", EXPORT, str(file)], check=True, timeout=TIMEOUT_SECONDS)
    write_model(project.folder, IMPORTED % file)
    own = ("--config-dir", str(project.folder), "model=mine")
    finished = project.run(*own, "task=forward", "task.examples=5", "fetches.fed=image")
    assert (finished.returncode, finished.stderr) == (0, "")
    (run,) = project.runs()
    with np.load(artifact(run, "fetches/test.npz")) as arrays:
        wanted = keras.saving.load_model(file)(arrays["fed"])
        np.testing.assert_allclose(arrays["outputs"], wanted, rtol=1e-5, atol=1e-6)
    finished = project.run(*own, "task.epochs=10")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert project.runs()[-1].data.metrics["test/accuracy"] > 0.8


@pytest.mark.slow
def test_the_ui_shows_the_store_of_a_run(project):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    assert project.run(*QUICK).returncode == 0
    (run,) = project.runs()
    process = project.start("ui", "--run", "last", "--port", port)
    try:
        url = process.stdout.readline().split()[0]
        assert url == (
            f"http://127.0.0.1:{port}/#/experiments/{run.info.experiment_id}/runs/"
            f"{run.info.run_id}?workflowType=machine_learning"
        )
        served = fetch_when_up(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/get?run_id={run.info.run_id}"
        )
        assert served["run"]["info"]["status"] == "FINISHED"
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT_SECONDS)


def fetch_when_up(url):
    import urllib.request

    give_up_at = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < give_up_at:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return json.load(response)
        except OSError:
            time.sleep(0.5)
    return pytest.fail("the UI did not answer")


def test_the_ui_refuses_a_run_that_is_not_there(project):
    assert project.run(*QUICK).returncode == 0
    finished = project.run("ui", "--run", "abc", "--port", "58232")
    assert finished.returncode == 2
    assert finished.stderr.startswith(
        "--run: expected a run's id, its name, its folder or last; received 'abc' (str). "
    )


def test_the_ui_refuses_a_store_that_is_not_there(project):
    finished = project.run("ui")
    assert (finished.returncode, finished.stderr) == (
        2,
        f"tracking.database: expected a store with runs in it; received "
        f"{str(project.database)!r} (str). Run one first.\n",
    )
