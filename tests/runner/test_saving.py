"""The model that a run saves: read back by Keras alone, it answers as the run's Session did."""

import logging
import pickle
import sys

import keras
import numpy as np
import pytest

import runner.saving
from runner.engine.twin import CLASSES_FILE, MODEL_FILE, build_twin
from runner.results import ClassifyResult, FetchResult, ModelResult, WeightsResult
from runner.saving import FOLDER, measure_difference
from runner.validation import validate
from tests.datasets import load_dataset
from tests.running import run_here

# Keras 3.15, when it writes a variable.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHORT = ("tracking.model=true", "task.epochs=1", "trace.steps=null", "optimizer=sgd")
OWN_CODE = '''
import keras


class Doubled(keras.layers.Layer):
    """Twice the inputs, and as many zeros."""

    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return keras.ops.concatenate([self.factor * inputs, 0 * inputs], -1)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 2 * shape[-1])

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}
'''


@pytest.fixture
def run(compose, tmp_path, monkeypatch):
    def run(*overrides, change=None):
        config = compose(*SHORT, *overrides)
        if change is not None:
            change(config)
            validate(config)
        return config, run_here(config, tmp_path, monkeypatch)

    return run


def answer(folder, features, names):
    """Returns what the saved model gives, loaded by Keras with what lies beside it."""
    classes = folder / CLASSES_FILE
    objects = pickle.loads(classes.read_bytes()) if classes.exists() else None
    model = keras.saving.load_model(folder / MODEL_FILE, custom_objects=objects)
    outputs = model.predict(features, verbose=0)
    return outputs if len(names) > 1 else {names[0]: outputs}


def sparse(config):
    config.model.inputs["numbers"].sparse = True
    del config.model.layers["norm"]


def halved(config):
    config.model.layers["dense1"]["dtype"] = "mixed_bfloat16"
    config.model.layers["logits"]["dtype"] = "bfloat16"


@pytest.mark.parametrize(
    ("overrides", "change", "outputs", "tolerance"),
    [
        (["model=cnn"], None, ["logits"], 1e-6),
        (["model=multitask"], None, ["digit", "parity"], 1e-6),
        (["model=wide_deep", "data=breast_cancer"], None, ["logit"], 1e-6),
        (["model=vae"], None, ["image_again"], 1e-6),
        (["model=letters", "data=text", "data.file=tests/samples/irises"], None, ["logits"], 1e-6),
        (
            [
                "model=tabular",
                "data=wine",
                "data.preprocess.numbers.norm.type=Normalization",
            ],
            None,
            ["logits"],
            1e-6,
        ),
        (["model=tabular", "data=wine", "optimizer.learning_rate=1e-6"], sparse, ["logits"], 1e-6),
        (["model=tabular", "data=wine", "optimizer.learning_rate=1e-6"], halved, ["logits"], 2e-2),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_the_saved_model_answers_as_the_session_did(
    run, tmp_path, caplog, overrides, change, outputs, tolerance
):
    config, tracker = run(*overrides, change=change)
    (saved,) = tracker.find(ModelResult)
    assert [tensor.name for tensor in saved.outputs] == outputs
    assert [tensor.name for tensor in saved.inputs] == list(config.model.inputs)
    (fetched,) = tracker.find(FetchResult)
    examples = load_dataset(config.data, config.model.inputs, config.seed).test
    rows = [list(examples.rows).index(row) for row in fetched.rows]
    features = {name: examples.take(np.asarray(rows)).features[name] for name in saved.example}
    given = answer(saved.folder, features, outputs)
    for name, wanted in zip(outputs, fetched.fetched.values(), strict=True):
        scale = np.abs(wanted.astype(np.float64)).max()
        np.testing.assert_allclose(
            given[name].astype(np.float64) / scale,
            wanted.astype(np.float64) / scale,
            atol=tolerance,
        )
    for name, example in saved.example.items():
        assert len(example) == 5
        assert example.tolist() == features[name][: len(example)].tolist()
    assert saved.difference <= tolerance
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_class_of_the_users_own_is_saved_with_its_code(run, tmp_path, monkeypatch):
    (tmp_path / "my_layers.py").write_text(OWN_CODE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_layers", raising=False)

    def double(config):
        config.model.layers["dense2"] = {"class": "my_layers.Doubled", "factor": 3.0}

    own = "trusted_modules=[my_layers]"
    _, tracker = run("model=tabular", "data=wine", own, change=double)
    (saved,) = tracker.find(ModelResult)
    assert saved.code == (tmp_path / "my_layers.py",)
    (fetched,) = tracker.find(FetchResult)
    given = answer(saved.folder, saved.example, ["logits"])["logits"]
    wanted = fetched.fetched["outputs"]
    np.testing.assert_allclose(given, wanted[:5], atol=1e-6 * np.abs(wanted).max())


def test_a_model_that_keras_cannot_load_again_is_told_of_in_one_warning(run, tmp_path, caplog):
    written = keras.Sequential([keras.Input((13,)), keras.layers.Dense(4)])
    written.export(tmp_path / "imported", verbose=False)

    def import_model(config):
        config.model.layers = {
            "imported": {"file": str(tmp_path / "imported"), "trainable": False},
            "logits": {"type": "Dense", "units": 3},
        }

    _, tracker = run("model=tabular", "data=wine", change=import_model)
    assert tracker.find(ModelResult) == []
    assert len(tracker.find(WeightsResult)) == len(tracker.find(ClassifyResult)) == 1
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        "tracking.model: the trained model cannot be kept in Keras's format: "
        "model.layers.imported is made from a SavedModel or a frozen graph, which a .keras file "
        "cannot hold. Its weights are in weights/weights.npz."
    )
    assert not (tmp_path / FOLDER).exists()


def test_a_class_that_cannot_be_described_is_told_of(run, tmp_path, monkeypatch, caplog):
    code = OWN_CODE[: OWN_CODE.index("    def get_config")]
    code += "    def get_config(self):\n        raise NotImplementedError('no config.')\n"
    (tmp_path / "shy_layers.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def double(config):
        config.model.layers["dense2"] = {"class": "shy_layers.Doubled"}

    _, tracker = run("model=tabular", "data=wine", "trusted_modules=[shy_layers]", change=double)
    assert tracker.find(ModelResult) == []
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "cannot be kept in Keras's format: no config. Its weights are" in warning


def test_a_model_that_answers_otherwise_is_told_of(run, monkeypatch, caplog):
    def build_wrong(config, weights):
        return build_twin(config, {**weights, "logits.bias": weights["logits.bias"] + 0.01})

    monkeypatch.setattr(runner.saving, "build_twin", build_wrong)
    _, tracker = run("model=tabular", "data=wine")
    (saved,) = tracker.find(ModelResult)
    (fetched,) = tracker.find(FetchResult)
    scale = np.abs(fetched.fetched["outputs"][:5]).max()
    assert saved.difference == pytest.approx(0.01 / scale, rel=1e-3)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith(
        "tracking.model: 'logits' of the saved model is NOT what the run's Session gives: for 5 "
        "examples of the test split it differs by "
    )


def test_no_model_is_saved_where_none_is_wanted(run, tmp_path):
    _, tracker = run("model=mlp", "tracking.model=false")
    assert tracker.find(ModelResult) == []
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize(
    ("given", "wanted", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.2),
        ([1.0], [1.0, 2.0], np.inf),
        ([0.0, 1e-9], [0.0, 0.0], 1e-9),
        (["a"], ["a"], 0.0),
        (["a"], ["b"], np.inf),
    ],
)
def test_a_difference_is_relative_to_the_largest_value(given, wanted, difference):
    worst, found = measure_difference(
        {"same": np.ones(3), "y": np.asarray(given)},
        {"same": np.ones(3), "y": np.asarray(wanted)},
    )
    assert found == pytest.approx(difference)
    assert worst == ("y" if difference else "same")
