"""The model of a run, exported: read by Keras, TensorFlow and ONNX Runtime, it answers alike."""

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.composition import compose_open, open_hydra, to_config
from runner.engine.exporting import export_model
from runner.engine.twin import UnsavableError
from runner.resolved import FILE, find_hidden, format_resolved, settle_statistics
from runner.results import FetchResult, WeightsResult
from runner.tasks.adapt import adapt
from runner.tracking.archives import write_arrays
from runner.verbs.export import run
from tests.datasets import load_dataset
from tests.running import run_here

pytestmark = [
    # Keras 3.15, when it writes a variable.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*np.object.*:FutureWarning"),
]

SHORT = ["tracking=off", "plan.name=step", "plan.measurements=null", "task.epochs=1"]
TEXT = ["model=letters", "data=text", "data.file=tests/samples/irises"]
OUTPUTS = {"multitask": ["digit", "parity"], "wide_deep": ["logit"], "letters": ["logits"]}


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Returns what leaves a folder of a run, its features and what it fetched of them."""

    def train(*overrides):
        folder = tmp_path / "run"
        folder.mkdir()
        given = [*SHORT, "trace.steps=null", *overrides]
        with open_hydra():
            cfg = compose_open(given)
            config = to_config(cfg)
            text = format_resolved(config, find_hidden(cfg))
        tracker = run_here(config, folder, monkeypatch)
        examples = load_dataset(config.data, config.model.inputs, config.seed)
        settled = settle_statistics(text, adapt(config, examples.train))
        (folder / FILE).write_text(settled, encoding="utf-8")
        write_arrays(folder / "weights.npz", tracker.find(WeightsResult)[0].arrays)
        (fetched,) = tracker.find(FetchResult)
        rows = [list(examples.test.rows).index(row) for row in fetched.rows]
        features = examples.test.take(np.asarray(rows)).features
        names = OUTPUTS.get(config.model.name, ["logits"])
        outputs = dict(zip(names, fetched.fetched.values(), strict=True))
        return folder, {name: features[name] for name in config.model.inputs}, outputs

    return train


def assert_alike(given, wanted):
    assert set(given) == set(wanted)
    for name, array in wanted.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(given[name] / scale, array / scale, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(["model=cnn"], marks=pytest.mark.slow),
        pytest.param(["model=multitask"], marks=pytest.mark.slow),
        ["model=wide_deep", "data=breast_cancer"],
        TEXT,
        ["model=tabular", "data=wine", "data.preprocess.numbers.norm.type=Normalization"],
    ],
    ids=["cnn", "two outputs", "two inputs", "text", "preprocessing"],
)
def test_a_run_is_exported(train, tmp_path, capsys, overrides):
    folder, features, wanted = train(*overrides)
    file = tmp_path / "net.keras"
    assert run([str(folder), "--output", str(file), "tracking=off"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
    answers = keras.saving.load_model(file).predict(features, verbose=0)
    assert_alike(answers if len(wanted) > 1 else {next(iter(wanted)): answers}, wanted)

    served = tmp_path / "served"
    command = [str(folder), "--format", "saved_model", "--output", str(served), "tracking=off"]
    assert run(command) == 0
    serve = tf.saved_model.load(served).signatures["serving_default"]
    tensors = {name: tf.constant(array) for name, array in features.items()}
    assert_alike({name: value.numpy() for name, value in serve(**tensors).items()}, wanted)

    file = tmp_path / "net.onnx"
    command = [str(folder), "--format", "onnx", "--output", str(file), "tracking=off"]
    if overrides is TEXT:
        with pytest.raises(ConfigError) as caught:
            run(command)
        assert str(caught.value).startswith(
            "--format onnx: the model letters cannot be written so: ONNX has nothing for "
            "TensorFlow's LookupTableFindV2, "
        )
        assert not file.exists()
        return
    assert run(command) == 0
    session = onnxruntime.InferenceSession(file)
    assert {one.name for one in session.get_inputs()} == set(features)
    assert_alike(dict(zip(wanted, session.run(list(wanted), features), strict=True)), wanted)


def test_gelu_is_taught_to_tf2onnx(train, tmp_path):
    gelu = "model.layers.dense1.activation=gelu"
    folder, features, wanted = train("model=tabular", "data=wine", gelu)
    file = tmp_path / "net.onnx"
    run([str(folder), "--format", "onnx", "--output", str(file), "tracking=off"])
    session = onnxruntime.InferenceSession(file)
    assert_alike(dict(zip(wanted, session.run(list(wanted), features), strict=True)), wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--output", "net.h5"],
            "--output: expected a file that ends in .keras; received 'net.h5' (str).",
        ),
        (
            ["--output", "/nowhere/net.onnx", "--format", "onnx"],
            "--output: expected a path in a folder that is there; received '/nowhere/net.onnx' "
            "(str).",
        ),
        (
            ["--output", "tests", "--format", "saved_model"],
            "--output: expected a path that is free; received 'tests' (str). There is something; "
            "remove it or choose another.",
        ),
        (
            ["--output", "net.keras"],
            "RUN: expected the folder of a run, since tracking=off has no store; received "
            "'nothing' (str).",
        ),
    ],
)
def test_what_cannot_be_exported_is_told(arguments, message):
    with pytest.raises(ConfigError) as caught:
        run(["nothing", *arguments, "tracking=off"])
    assert str(caught.value) == message


def test_without_its_packages_onnx_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnsavableError) as caught:
        export_model(None, tmp_path / "net.onnx", "onnx")
    assert str(caught.value) == (
        "onnx and tf2onnx cannot be imported; install what ONNX needs with pip install "
        "'feedfetch[onnx]'."
    )
