"""Random layers behind inputs: in training alone, anew in each step, the same in every plan."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import ModelConfig
from models.factory import build_model
from models.preprocessing import needs_adapting
from models.validation import validate_model
from runner.engine.feeds import feed_tensors, feed_values, open_placeholder
from runner.plan_choice import PlanChoice
from tests.models.layer_table import CASES, type_of
from tests.models.test_every_layer import (
    assert_equal,
    assign,
    build_plain,
    call_plain,
    flatten,
    make_arrays,
)
from tests.opening import open_experiment
from tests.runner.engine.test_plans import PLAIN, assert_same, train_by

FLIP = "flip: {type: RandomFlip, mode: horizontal}"
SHIFT = "shift: {type: RandomTranslation, height_factor: 0.3, width_factor: 0.3}"
AUGMENTED = f"data.preprocess.image={{{FLIP}, {SHIFT}}}"
IMAGES = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
# Those that stand between data and a model, rather than in it, beside all that are random.
MODULES = "keras.src.layers.preprocessing."
MIXERS = ("CutMix", "MixUp")
PREPROCESSING = [
    name
    for name in sorted(CASES)
    if getattr(keras.layers, type_of(name)).__module__.startswith(MODULES)
    and type_of(name) not in (*MIXERS, "RandomCrop")
]


def augment(compose, *overrides, calls=2):
    """Returns what the layers behind the image give in calls of one batch."""
    config = compose(
        "model=mlp", "task=forward", AUGMENTED, "fetches={seen: preprocess.image}", *overrides
    )
    with open_experiment(config) as (graph, session):
        call = session.callable(graph.predict)
        return [call({"image": IMAGES})["seen"] for _ in range(calls)]


def test_each_step_of_training_sees_other_images(compose):
    first, second = augment(compose, "task.training=true")
    assert not np.array_equal(first, IMAGES)
    assert not np.array_equal(first, second)


def test_a_seed_gives_the_same_images(compose):
    first, again, other = (
        augment(compose, "task.training=true", f"seed={seed}") for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_evaluation_sees_the_images_as_they_are(compose):
    for seen in augment(compose, "task.training=false"):
        np.testing.assert_array_equal(seen, IMAGES)


@pytest.fixture(scope="module")
def plain(compose):
    return train_by(compose("model=mlp", AUGMENTED, "plan.fused_kernels=false"), PLAIN)


@pytest.mark.parametrize("name", ["step", "pipeline", "loop"])
def test_every_plan_takes_the_same_steps(compose, plain, name):
    taken = train_by(compose("model=mlp", AUGMENTED), PlanChoice(name, False, 0))
    assert_same(taken, plain, 2e-4)
    seeds = [path for path in taken[1] if path.endswith("seed_generator_state")]
    assert len(seeds) == 2
    for path in seeds:
        np.testing.assert_array_equal(taken[1][path], plain[1][path])
    unchanged = train_by(compose("model=mlp"), PLAIN)[0]
    assert not np.allclose(taken[0]["batch_loss"], unchanged["batch_loss"], rtol=1e-3)


@pytest.mark.parametrize("name", ["step", "loop"])
def test_the_steps_are_the_same_compiled_by_xla(compose, name):
    config = compose("model=mlp", f"data.preprocess.image={{{FLIP}}}")
    assert_same(train_by(config, PlanChoice(name, True, 0)), train_by(config, PLAIN), 2e-4)


@pytest.mark.parametrize("name", ["step", "pipeline", "loop"])
def test_every_plan_takes_the_same_steps_on_texts(compose, name):
    """The words of texts are looked up within the step, whoever makes the batch."""
    lookup = "{type: TextVectorization, vocabulary: [we, in, broken, warm], max_tokens: 9}"
    config = compose(
        "model=text", "data=table", "data.file=tests/samples/moods.csv", "data.targets=[mood]",
        "data.batch_size=8", f"data.preprocess.text={{tokens: {lookup}}}",
    )  # fmt: skip
    rows = np.arange(20)
    taken = [train_by(config, choice, (rows,)) for choice in (PLAIN, PlanChoice(name, False, 0))]
    assert len(taken[0][0]["batch_loss"]) == 3
    assert_same(*taken, 1e-5)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_each_preprocessing_layer_behind_an_input_gives_what_it_gives_eagerly(name):
    case = CASES[name]
    first, *_ = case.inputs
    spec = {"type": type_of(name), **case.arguments}
    if case.source is not None:
        spec["from"] = case.source
    config = ModelConfig(
        name="model",
        inputs=dict(case.inputs),
        layers={"given": {"type": "Identity", "from": first}},
        outputs="given",
        preprocess={first: {"layer": spec}},
    )
    assert validate_model(config) == []
    assert not needs_adapting(config)
    arrays = make_arrays(case)
    with tf.Graph().as_default():
        placeholders = {
            each: open_placeholder(each, declared) for each, declared in config.inputs.items()
        }
        model = build_model(config)
        outputs = flatten(model.call_layers(placeholders, training=False)["given"])
        variables = [each.value for each in model.layers[f"preprocess.{first}.layer"].variables]
        feeds = {
            tensor: value
            for each, placeholder in placeholders.items()
            for tensor, value in zip(
                feed_tensors(placeholder), feed_values(placeholder, arrays[each]), strict=True
            )
        }
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            session.run(tf.compat.v1.tables_initializer())
            found, initial = session.run(outputs, feeds), session.run(variables)
    declared = ModelConfig(layers={"layer": spec})
    plain = build_plain(name, declared)
    call_plain(plain, case, arrays, training=False)
    assign(plain, initial)
    assert_equal(found, call_plain(plain, case, arrays, training=False))
