"""The forward service answers as the plain Session does, from any thread, and refuses the rest."""

import threading

import numpy as np
import pytest

from models.problems import ConfigError
from runner.engine.service import ForwardService
from tests.opening import open_experiment

IMAGES = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
MODELS = ("mlp", "cnn", "resnet", "lstm", "gru", "transformer", "vit", "mobilenet", "autoencoder")


@pytest.fixture(scope="module")
def mlp(compose):
    with ForwardService(compose("task=forward", "model=mlp")) as service:
        yield service


def multiply(weights, images):
    """Returns what the mlp gives, by NumPy."""
    hidden = images.reshape(len(images), -1)
    for name in ("dense1", "dense2"):
        hidden = np.maximum(hidden @ weights[f"{name}.kernel"] + weights[f"{name}.bias"], 0)
    return hidden @ weights["logits.kernel"] + weights["logits.bias"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [1, 8])
def test_what_is_measured_to_be_fastest_answers_as_the_session(compose, model, size):
    config = compose("task=forward", f"model={model}")
    with open_experiment(config) as (graph, session):
        weights = session.read(graph.weights)
        wanted = session.callable(graph.predict)({"image": IMAGES[:size]})["outputs"]
    with ForwardService(config, weights) as service:
        plan = service.prepare(size)
        given = service(image=IMAGES[:size])["outputs"]
        assert plan.is_constant
    np.testing.assert_allclose(given, wanted, rtol=1e-5, atol=1e-5)


def test_weights_of_ones_own_are_those_that_answer(compose):
    rng = np.random.default_rng(1)
    shapes = {"dense1": (64, 128), "dense2": (128, 64), "logits": (64, 10)}
    weights = {f"{name}.kernel": rng.normal(size=shape) for name, shape in shapes.items()}
    weights |= {f"{name}.bias": rng.normal(size=shape[1]) for name, shape in shapes.items()}
    with ForwardService(compose("task=forward", "model=mlp"), weights) as service:
        np.testing.assert_allclose(
            service({"image": IMAGES})["outputs"], multiply(weights, IMAGES), rtol=1e-4, atol=1e-4
        )


def test_threads_get_each_their_own_answers(compose, mlp):
    config = compose("task=forward", "model=mlp")
    with open_experiment(config) as (graph, session):
        weights = session.read(graph.weights)
    batches = np.random.default_rng(2).random((8, 200, 3, 8, 8, 1), np.float32)
    answers = [[] for _ in batches]

    def ask(index):
        answers[index] += [mlp(image=images)["outputs"] for images in batches[index]]

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for images, given in zip(batches, answers, strict=True):
        wanted = multiply(weights, images.reshape(-1, 8, 8, 1)).reshape(200, 3, 10)
        np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-4)


def test_sizes_that_are_not_prepared_are_answered_too(mlp):
    mlp.prepare(2)
    whole = mlp(image=IMAGES)["outputs"]
    parts = [mlp(image=IMAGES[index : index + 1])["outputs"][0] for index in range(len(IMAGES))]
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-5)


def test_a_service_says_what_it_takes_and_gives(mlp):
    assert mlp.inputs == {"image": ((None, 8, 8, 1), "float32")}
    assert mlp.outputs == ["outputs"]


def test_values_of_another_dtype_are_cast_where_nothing_is_lost(mlp):
    given = mlp(image=IMAGES.astype(np.float64).tolist())["outputs"]
    np.testing.assert_allclose(given, mlp(image=IMAGES)["outputs"], rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "inputs.image: no value is given; the inputs are image."),
        (
            {"imgae": IMAGES},
            "inputs.imgae: expected an input of the model; received 'imgae' (str). "
            "Did you mean 'image'?",
        ),
        (
            {"image": IMAGES[:, :7]},
            "inputs.image: expected values of shape (batch, 8, 8, 1); received (8, 7, 8, 1)",
        ),
        ({"image": IMAGES[0]}, "inputs.image: expected values of shape (batch, 8, 8, 1);"),
        ({"image": np.float32(1)}, "inputs.image: expected values of shape (batch, 8, 8, 1);"),
        (
            {"image": np.full((1, 8, 8, 1), "a")},
            "inputs.image: expected values that float32 holds; received '<U1' (str).",
        ),
    ],
)
def test_what_does_not_fit_is_refused(mlp, given, message):
    with pytest.raises(ConfigError) as caught:
        mlp(given)
    assert message in str(caught.value)


def test_several_inputs_have_as_many_examples_each(compose):
    config = compose("task=forward", "model=wide_deep", "data=breast_cancer")
    columns = {name: np.zeros((3, 10), np.float32) for name in ("mean", "worst")}
    with ForwardService(config) as service:
        assert service(columns)["outputs"].shape[0] == 3
        with pytest.raises(ConfigError, match=r"inputs\.\w+: expected 2 examples; received 3"):
            service({"mean": columns["mean"], "worst": columns["worst"][:2]})


def test_a_closed_service_refuses_calls(compose):
    with ForwardService(compose("task=forward", "model=mlp")) as service:
        service(image=IMAGES)
    with pytest.raises(RuntimeError, match="the service is closed; open another"):
        service(image=IMAGES)
    with pytest.raises(RuntimeError, match="the service is closed; open another"):
        service.prepare(1)


def test_a_batch_has_an_example(mlp):
    with pytest.raises(ValueError, match="expected a batch size of 1 or more; received 0"):
        mlp.prepare(0)


def test_a_model_of_words_stays_in_variables(compose, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "words.yaml").write_text(
        """
name: words
inputs:
  words: {shape: [2], dtype: string}
layers:
  lookup: {type: StringLookup, vocabulary: [a, b]}
  embed: {type: Embedding, input_dim: 3, output_dim: 4}
outputs: embed
"""
    )
    config = compose("task=forward", "model=words", f"hydra.searchpath=[file://{tmp_path}]")
    with ForwardService(config) as service:
        assert not service.prepare(1).is_constant
        given = service(words=[["b", "a"]])["outputs"]
    assert given.shape == (1, 2, 4)
