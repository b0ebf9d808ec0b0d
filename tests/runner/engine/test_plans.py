"""Every plan gives the losses and the weights of the plain steps, and says when it cannot."""

import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.engine import plans as plans_module
from runner.engine.feeders import ArrayFeeder
from runner.engine.generators import find_other_draws, same_draws
from runner.engine.planning import choose_plan
from runner.engine.plans import PlanError, TrainingPlans
from runner.plan_choice import PlanChoice
from tests.datasets import load_dataset
from tests.opening import open_experiment

# 5 whole batches and one of 7
ROWS = np.random.default_rng(0).permutation(1258)[: 5 * 32 + 7]
PLAIN = PlanChoice("step", False, 0)


def open_plans(config, graph):
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    arrays = {**train.features, **train.labels}
    return TrainingPlans(graph, graph.training, ArrayFeeder(arrays), config.data.batch_size, None)


def train_by(config, choice, calls=(ROWS,)):
    """Returns the losses and metrics of the steps, and the weights and statistics afterwards."""
    with open_experiment(config) as (graph, session):
        opened = session if choice.threads == session.threads else session.fork(choice.threads)
        opened.load(session.save())
        plan = open_plans(config, graph).open(choice, opened)
        parts = [plan.take(rows, 0, len(rows)) for rows in calls]
        fetched = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        weights = {each.path: each.value for each in graph.model.keras_model.variables}
        return fetched, opened.read(weights)


def assert_same(given, wanted, tolerance):
    for fetched, expected in zip(given, wanted, strict=True):
        assert set(fetched) == set(expected)
        for name, array in fetched.items():
            np.testing.assert_allclose(
                array, expected[name], rtol=tolerance, atol=tolerance, err_msg=name
            )


@pytest.fixture(scope="module")
def plain(compose):
    """The steps of the models as Keras composes them, one call a step."""
    models = ("mlp", "cnn", "lstm", "transformer")
    return {
        model: train_by(compose(f"model={model}", "plan.fused_kernels=false"), PLAIN)
        for model in models
    }


@pytest.mark.parametrize("model", ["mlp", "cnn", "lstm", "transformer"])
@pytest.mark.parametrize("threads", [0, 1])
@pytest.mark.parametrize("name", ["step", "pipeline", "loop"])
def test_a_plan_takes_the_same_steps(compose, plain, model, name, threads):
    taken = train_by(compose(f"model={model}"), PlanChoice(name, False, threads))
    assert len(taken[0]["batch_loss"]) == 6
    assert_same(taken, plain[model], 2e-4)


@pytest.mark.parametrize(
    ("model", "name"),
    [("mlp", "step"), ("mlp", "pipeline"), ("mlp", "loop"), ("cnn", "step"), ("lstm", "loop")],
)
def test_a_plan_takes_the_same_steps_compiled_by_xla(compose, plain, model, name):
    taken = train_by(compose(f"model={model}"), PlanChoice(name, True, 0))
    assert_same(taken, plain[model], 2e-4)


@pytest.mark.parametrize("name", ["step", "pipeline", "loop"])
def test_steps_are_the_same_however_many_a_call_takes(compose, name):
    config = compose("model=mlp")
    calls = (ROWS[:32], ROWS[32:128], ROWS[128:])
    whole, cut = (train_by(config, PlanChoice(name, False, 0), each) for each in ((ROWS,), calls))
    assert_same(cut, whole, 0.0)


def test_a_loop_takes_more_steps_than_one_call_has_room_for(compose, monkeypatch):
    monkeypatch.setattr(plans_module, "_MOST_STEPS_PER_CALL", 2)
    config = compose("model=mlp")
    taken = train_by(config, PlanChoice("loop", False, 0))
    assert_same(taken, train_by(config, PLAIN), 0.0)


def test_the_batch_of_a_pipeline_can_still_be_fed(compose):
    config = compose("model=mlp")
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    fed = train.take(ROWS[64:96])
    with open_experiment(config) as (graph, session):
        saved = session.save()
        plain = session.callable(graph.training.train)({**fed.features, **fed.labels})
        session.load(saved)
        plans = open_plans(config, graph)
        plans.open(PlanChoice("pipeline", False, 0), session)
        session.callable(plans.pipeline.initializer)({"rows": ROWS.astype(np.int32)})
        step = plans.trace("pipeline", False)
        fetched = session.callable(step)({**fed.features, **fed.labels})
    assert fetched == plain


def test_a_loop_needs_a_whole_batch(compose):
    config = compose("model=mlp", "data.batch_size=2000", "plan.name=loop")
    with open_experiment(config) as (graph, session), pytest.raises(ConfigError) as caught:
        choose_plan(config, session, open_plans(config, graph), 10)
    assert str(caught.value) == (
        "plan.name: the plan 'loop' cannot run: there are fewer than 2000 examples, a whole batch. "
        "Use plan=step."
    )


def test_a_graph_holds_only_so_many_bytes(compose, monkeypatch):
    monkeypatch.setattr(plans_module, "MOST_HELD_BYTES", 2**18)
    config = compose("model=mlp")
    with (
        open_experiment(config) as (graph, session),
        pytest.raises(PlanError, match=r"the examples take 0\.000309 GiB; a graph holds up to"),
    ):
        open_plans(config, graph).open(PlanChoice("pipeline", False, 0), session)


def test_a_graph_is_final_again_once_a_plan_is_traced(compose):
    config = compose("model=mlp")
    with open_experiment(config) as (graph, session):
        open_plans(config, graph).open(PlanChoice("loop", False, 0), session)
        assert graph.graph.finalized


DRAWS = {
    "uniform": lambda size, seed: tf.random.stateless_uniform([size, 5], seed, -1.0, 3.0),
    "normal": lambda size, seed: tf.random.stateless_normal([size, 5], seed, 2.0, 0.5),
    "dropout": lambda size, seed: tf.nn.experimental.stateless_dropout(
        tf.ones([size, 5]), 0.3, seed
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_xla_draws_the_same_numbers(name):
    seeds = tf.constant([7, 11]), tf.constant([-3, 2**30])
    for seed in seeds:
        plain = tf.function(DRAWS[name])(tf.constant(9), seed)
        with same_draws():
            compiled = tf.function(lambda each: DRAWS[name](9, each), jit_compile=True)(seed)
        np.testing.assert_allclose(compiled, plain, rtol=2e-6, atol=2e-6)
        if name != "normal":
            np.testing.assert_array_equal(compiled, plain)


def test_what_xla_draws_otherwise_is_known():
    function = tf.function(
        lambda: tf.random.stateless_truncated_normal([3], [1, 2])
    ).get_concrete_function()
    assert find_other_draws(function.graph.get_operations()) == ["StatelessTruncatedNormalV2"]


@pytest.mark.parametrize("name", ["loop", "pipeline"])
def test_examples_are_not_held_twice(compose, name):
    config = compose("model=mlp")
    with open_experiment(config) as (graph, session):
        plans = open_plans(config, graph)
        plans.open(PlanChoice(name, False, 0), session)
        for variable, array in plans.held.items():
            array[0] = 7
            assert (session.read({"held": variable})["held"][0] == 7).all()
