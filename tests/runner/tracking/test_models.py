"""The trained model of a run in a real SQLite store: loaded by MLflow, made once, registered."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import keras
import mlflow
import numpy as np
import pytest
import yaml
from mlflow.entities import LoggedModelStatus
from mlflow.types import Schema, TensorSpec

from runner.composition import compose_config
from runner.engine.twin import CLASSES_FILE, MODEL_FILE
from runner.results import DataResult, ModelResult, ModelTensor, SplitResult, SplitSummary
from runner.tracking.courier import describe_start
from runner.tracking.entries import ResultLogged
from runner.tracking.mlflow import create_run, open_store
from runner.tracking.models import log_model
from runner.tracking.store import prepare_store, store_uri
from runner.tracking.tracker import RunContext

# Keras 3.15, when it writes a variable.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EXAMPLE = np.arange(6, dtype=np.float32).reshape(2, 3)
OWN_CODE = '''
import keras


class Tripled(keras.layers.Layer):
    """Three times the inputs."""

    def call(self, inputs):
        return 3 * inputs
'''
# Prints what MLflow gives for the example, in a process that knows nothing of the project.
LOAD = """
import json, sys
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
served = mlflow.pyfunc.load_model(sys.argv[2])
model = mlflow.tensorflow.load_model(sys.argv[2])
example = served.input_example
own = sys.modules["own_layers"].__file__
answers = [served.predict(example).tolist(), model(example).numpy().tolist()]
print("ANSWER", json.dumps([*answers, own]))
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    place = [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]
    prepare_store(compose_config(place).tracking)
    return place


@pytest.fixture
def keep(tmp_path):
    """Returns what keeps a model in a folder, as a run does."""

    def keep(model, **given):
        folder = tmp_path / "model"
        folder.mkdir()
        model.save(folder / MODEL_FILE)
        result = {
            "folder": folder,
            "inputs": (ModelTensor("x", (3,), "float32"),),
            "outputs": (ModelTensor("y", (2,), "float32"),),
            "example": {"x": EXAMPLE},
            "difference": 0.0,
            "code": (),
            "requirements": ("tensorflow==2.21.0", "keras==3.15.1", "numpy==2.4.6"),
            **given,
        }
        return ModelResult(**result)

    return keep


def make_model(*layers):
    inputs = keras.Input((3,), name="x")
    outputs = inputs
    for layer in (*layers, keras.layers.Dense(2, name="y")):
        outputs = layer(outputs)
    return keras.Model({"x": inputs}, outputs)


def open_run(config, folder):
    client = open_store(config.tracking)
    context = RunContext([], folder)
    started = describe_start(config, config.tracking, context, folder)
    run = create_run(client, started, 1)
    run.write(started, 1)
    summary = SplitSummary(2, "bb", {})
    tensors = {"x": {"shape": [3], "dtype": "float32"}}
    data = DataResult("few", "/data", "0123456789abcdef", None, tensors, {}, {"test": summary})
    for result in (
        data,
        SplitResult("train", 1, 5, {"loss": 0.5}),
        SplitResult("test", 1, 5, {"loss": 0.25, "accuracy": 0.75}),
    ):
        run.write(ResultLogged(result), 2)
    return client, run


def models_of(client, run):
    experiment = client.get_run(run.run_id).info.experiment_id
    return client.search_logged_models([experiment], f"source_run_id = '{run.run_id}'")


def folder_of(logged):
    return Path(url2pathname(urlsplit(logged.artifact_location).path))


def test_a_model_is_one_of_the_run_with_its_params_and_the_metrics_of_the_test(
    store, keep, tmp_path
):
    config = compose_config([*store, "seed=7"])
    client, run = open_run(config, tmp_path)
    result = keep(make_model())
    run.write(ResultLogged(result), 3)
    (logged,) = models_of(client, run)
    assert (logged.name, logged.status) == ("model", LoggedModelStatus.READY)
    assert logged.params == client.get_run(run.run_id).data.params
    assert logged.params["seed"] == "7"
    metrics = {
        metric.key: (metric.value, metric.step, metric.dataset_name, metric.dataset_digest)
        for metric in logged.metrics
    }
    assert metrics == {
        "test/loss": (0.25, 0, "few", "bb"),
        "test/accuracy": (0.75, 0, "few", "bb"),
    }
    outputs = client.get_run(run.run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [logged.model_id]
    assert not result.folder.exists()


def test_a_model_says_what_it_takes_gives_and_needs(store, keep, tmp_path):
    client, run = open_run(compose_config(store), tmp_path)
    several = {
        "inputs": (
            ModelTensor("x", (None, 3), "bfloat16"),
            ModelTensor("text", (), "string"),
        ),
        "outputs": (ModelTensor("y", (2,), "float32"), ModelTensor("z", (4, 4), "int64")),
        "example": {
            "x": EXAMPLE.reshape(1, 2, 3),
            "text": np.asarray(["a word"], object),
        },
    }
    run.write(ResultLogged(keep(make_model(), **several)), 3)
    (logged,) = models_of(client, run)
    folder = folder_of(logged)
    described = mlflow.models.Model.load(folder)
    assert described.signature.inputs == Schema(
        [
            TensorSpec(np.dtype("float32"), (-1, -1, 3), "x"),
            TensorSpec(np.dtype(object), (-1,), "text"),
        ]
    )
    assert described.signature.outputs == Schema(
        [
            TensorSpec(np.dtype("float32"), (-1, 2), "y"),
            TensorSpec(np.dtype("int64"), (-1, 4, 4), "z"),
        ]
    )
    example = described.load_input_example(folder)
    assert example["x"].tolist() == EXAMPLE.reshape(1, 2, 3).tolist()
    assert example["text"].tolist() == ["a word"]
    assert (folder / "requirements.txt").read_text(encoding="utf-8").split() == [
        f"mlflow=={mlflow.__version__}",
        "tensorflow==2.21.0",
        "keras==3.15.1",
        "numpy==2.4.6",
    ]


def test_the_folder_is_as_mlflow_itself_writes_it(store, keep, tmp_path):
    client, run = open_run(compose_config(store), tmp_path)
    model = make_model()
    run.write(ResultLogged(keep(model)), 3)
    (logged,) = models_of(client, run)
    ours = folder_of(logged)
    theirs = tmp_path / "theirs"
    mlflow.tensorflow.save_model(
        model,
        str(theirs),
        signature=mlflow.models.Model.load(ours).signature,
        input_example={"x": EXAMPLE},
        pip_requirements=["tensorflow==2.21.0", "keras==3.15.1", "numpy==2.4.6"],
    )
    # Theirs has classes that any test has registered.
    own = {"data/global_custom_objects.cloudpickle"}
    assert list_files(ours) == list_files(theirs) - own
    for name in ("keras_module.txt", "save_format.txt"):
        assert (ours / "data" / name).read_bytes() == (theirs / "data" / name).read_bytes()
    flavors = [
        yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]
        for folder in (ours, theirs)
    ]
    assert flavors[0]["tensorflow"] == flavors[1]["tensorflow"]
    assert flavors[0]["python_function"].items() >= flavors[1]["python_function"].items()


def list_files(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_what_is_delivered_again_makes_no_second_model(store, keep, tmp_path, monkeypatch):
    config = compose_config([*store, "tracking.register=again", "tracking.alias=champion"])
    client, run = open_run(config, tmp_path)
    result = keep(make_model())

    def break_off(*_, **__):
        raise OSError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(type(client), "log_model_artifacts", break_off)
        with pytest.raises(OSError, match="no room"):
            run.write(ResultLogged(result), 3)
    (logged,) = models_of(client, run)
    assert logged.status == LoggedModelStatus.PENDING
    run.flush()
    for _ in range(2):
        # The second time without its folder.
        run.write(ResultLogged(result), 3)
    (logged,) = models_of(client, run)
    assert logged.status == LoggedModelStatus.READY
    assert len(client.get_run(run.run_id).outputs.model_outputs) == 1
    assert len(logged.metrics) == 2
    assert len(client.search_model_versions("name = 'again'")) == 1


def test_a_registered_model_has_a_version_a_run_and_its_alias_is_that_of_the_last(
    store, keep, tmp_path
):
    given = ["tracking.register=digits of mine", "tracking.alias=champion"]
    config = compose_config([*store, *given])
    client, first = open_run(config, tmp_path)
    result = keep(make_model())
    log_model(client, first.run_id, result, config.tracking)
    (logged,) = models_of(client, first)
    version = client.get_model_version_by_alias("digits of mine", "champion")
    assert (str(version.version), version.run_id) == ("1", first.run_id)
    assert json.loads(logged.tags["mlflow.modelVersions"]) == [
        {"name": "digits of mine", "version": version.version}
    ]
    assert version.source == logged.artifact_location

    (tmp_path / "other").mkdir()
    client, second = open_run(config, tmp_path / "other")
    log_model(client, second.run_id, result, config.tracking)
    version = client.get_model_version_by_alias("digits of mine", "champion")
    assert (str(version.version), version.run_id) == ("2", second.run_id)
    # The first one, delivered again.
    log_model(client, first.run_id, result, config.tracking)
    version = client.get_model_version_by_alias("digits of mine", "champion")
    assert (str(version.version), version.run_id) == ("2", second.run_id)


@pytest.mark.integration
def test_a_fresh_process_loads_a_model_with_a_class_of_the_users_own(
    store, keep, tmp_path, monkeypatch
):
    code = tmp_path / "own_layers.py"
    code.write_text(OWN_CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    own = __import__("own_layers").Tripled
    config = compose_config(store)
    client, run = open_run(config, tmp_path)
    model = make_model(own())
    result = keep(model, code=(code,))
    (result.folder / CLASSES_FILE).write_bytes(pickle.dumps({"Tripled": own}))
    wanted = model({"x": EXAMPLE}).numpy()
    run.write(ResultLogged(result), 3)
    code.unlink()
    (logged,) = models_of(client, run)
    (tmp_path / "elsewhere").mkdir()
    uri = store_uri(config.tracking)
    finished = subprocess.run(
        [sys.executable, "-c", LOAD, uri, f"models:/{logged.model_id}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path / "elsewhere",
    )
    (line,) = [line for line in finished.stdout.splitlines() if "ANSWER" in line]
    served, loaded, place = json.loads(line.partition("ANSWER ")[2])
    np.testing.assert_allclose(served, wanted, rtol=1e-6)
    np.testing.assert_allclose(loaded, wanted, rtol=1e-6)
    assert logged.model_id in place or "/code/" in place


@pytest.mark.integration
def test_mlflow_sends_no_telemetry(tmp_path):
    code = (
        "import runner.tracking.mlflow\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "print(get_telemetry_client())"
    )
    environment = {
        name: value for name, value in os.environ.items() if name != "MLFLOW_DISABLE_TELEMETRY"
    }
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert finished.stdout.split() == ["None"]
