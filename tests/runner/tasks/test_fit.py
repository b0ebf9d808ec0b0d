"""Parts of training over 54 steps in every plan, beside Keras's own ``fit`` on the same batches."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.utils.class_weight import compute_class_weight

from models.factory import build_model
from models.objects import build_object
from runner.data.examples import Dataset
from runner.data.ordering import order_training
from runner.data.weighing import resolve_class_weight
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.experiment import _fit_splits
from runner.results import LearningRateResult, SplitResult, StepsResult
from runner.tasks.train import train
from runner.validation import validate
from tests.datasets import load_dataset

EPOCHS = 6  # of 9 steps, the last of which is smaller
ROWS = 400

ONE_HOT = [
    "data.targets=[one_hot]",
    "data.classes=10",
    "model.loss.type=CategoricalCrossentropy",
    "model.metrics.accuracy.type=CategoricalAccuracy",
    "model.metrics.weighted.type=CategoricalAccuracy",
]
FEW = "data.class_weight={0:3.0,1:0.0,4:0.5}"
BOTH = [FEW, "data.sample_weight=weight"]
PLATEAU = ["task.plateau.patience=1", "task.plateau.min_delta=0.25", "task.plateau.factor=0.5"]
CASES = {
    "class weights": [FEW],
    "class weights of labels that are a 1 among zeros": [*ONE_HOT, FEW],
    "sample weights": ["data.sample_weight=weight"],
    "both": BOTH,
    "label smoothing": [*ONE_HOT, "+model.loss.label_smoothing=0.2"],
    "several losses, examples with weights": ["model=multitask", "data.sample_weight=weight"],
    "a frozen layer": ["+model.layers.dense1.trainable=false", *BOTH],
    "gradient accumulation": ["+optimizer.gradient_accumulation_steps=4", FEW],
    "averages": ["+optimizer.use_ema=true", "+optimizer.ema_momentum=0.9"],
    "averages that overwrite": ["+optimizer.use_ema=true", "+optimizer.ema_overwrite_frequency=5"],
    "averages of a scaled loss": [
        "optimizer={type: LossScaleOptimizer, initial_scale: 16.0, "
        "inner_optimizer: {type: SGD, use_ema: true, ema_momentum: 0.8}}"
    ],
    "averages and best weights": [
        "+optimizer.use_ema=true",
        "task.stop.patience=50",
        "task.stop.min_delta=0.3",
    ],
    "a plateau and both weights": [*PLATEAU, *BOTH],
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    digits = load_digits()
    target = digits.target[:ROWS]
    arrays = {
        "image": (digits.images[:ROWS, :, :, np.newaxis] / 16).astype(np.float32),
        "digit": target,
        "parity": target % 2,
        "one_hot": np.eye(10, dtype=np.float32)[target],
        "weight": np.random.default_rng(3).uniform(0, 2, ROWS),
    }
    path = tmp_path_factory.mktemp("arrays") / "digits.npz"
    np.savez(path, **arrays)
    return path


def compose_case(compose, file, case, *overrides):
    layers = ["~model.layers.dense2", "model.layers.dense1.units=16"]
    weighted = "+model.metrics.weighted={type: SparseCategoricalAccuracy, weighted: true}"
    targets = ["data.targets=[digit]", *layers, weighted]
    if "model=multitask" in case:
        targets = ["data.targets=[digit,parity]"]
    return compose(
        "model=mlp",
        "data=arrays",
        f"data.file={file}",
        f"task.epochs={EPOCHS}",
        "data.split.test=0.2",
        "trace.steps=[]",
        "plan.fused_kernels=false",
        *targets,
        *(one for one in case if not one.startswith("optimizer=")),
        *overrides,
    )


def set_optimizer(compose, config, case):
    for one in case:
        if one.startswith("optimizer="):
            config.optimizer = compose(f"+feeds.{one}").feeds["optimizer"]


def train_in_session(config):
    """Returns the initial weights by path, the results, the final weights and the splits."""
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    config = resolve_class_weight(config, dataset.train)
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = {weight.path: weight.value for weight in graph.model.keras_model.weights}
        initial = session.read(weights)
        fitted = Dataset(**_fit_splits(vars(dataset), graph))
        results = list(train(config, config.task, graph, session, fitted))
        return initial, results, session.read(weights), dataset


class Batches(keras.utils.PyDataset):
    """The batches that our epochs consist of."""

    def __init__(self, config, examples):
        super().__init__()
        self.config, self.examples, self.epoch = config, examples, 1

    def __len__(self):
        return -(-len(self.examples) // self.config.data.batch_size)

    def __getitem__(self, index):
        order = order_training(self.config, self.examples, self.epoch).rows
        size = self.config.data.batch_size
        return pack(self.config, self.examples.take(order[index * size : (index + 1) * size]))


def pack(config, examples, *, weighs_classes=True):
    """Returns a batch as Keras takes it, with both weights in one, since it refuses to take two."""
    labels = {name: examples.labels[name] for name in config.data.targets}
    main = labels[config.data.targets[0]]
    batch = ({"image": examples.features["image"]}, labels if len(labels) > 1 else main)
    if config.data.sample_weight is None:
        return batch
    weights = examples.labels["weight"].astype(np.float32)
    if weighs_classes and config.data.class_weight:
        classes = config.data.class_weight
        weights = weights * np.float32([classes.get(digit, 1.0) for digit in main])
    return (*batch, weights)


class Log(keras.callbacks.Callback):
    """Keeps what ``fit`` shows after each step, and the learning rate after each epoch."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.steps, self.rates = batches, [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch + 1

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(dict(logs))

    def on_epoch_end(self, epoch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def fit_eagerly(config, initial, dataset):
    """Returns what Keras's ``fit`` shows, and the weights that it ends with."""
    model = build_model(config.model).keras_model
    model.set_weights(list(initial.values()))
    is_single = "type" in config.model.loss
    specs = {"logits": config.model.loss} if is_single else config.model.loss
    losses = {
        output: build_object("loss", "losses", {k: v for k, v in spec.items() if k != "weight"})
        for output, spec in specs.items()
    }
    metrics = {"metrics": [], "weighted_metrics": []}
    for name, spec in config.model.metrics.items():
        keys = {key: value for key, value in spec.items() if key not in ("output", "weighted")}
        kind = "weighted_metrics" if spec.get("weighted") else "metrics"
        if is_single:
            metrics[kind].append(build_object("metric", "metrics", keys, name=name))
    model.compile(
        build_object("optimizer", "optimizers", config.optimizer),
        losses["logits"] if is_single else losses,
        loss_weights=None if is_single else {one: spec["weight"] for one, spec in specs.items()},
        **metrics,
        jit_compile=False,
    )
    batches = Batches(config, dataset.train)
    log, callbacks = Log(batches), []
    stop, plateau = config.task.stop, config.task.plateau
    if stop.patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss",
                patience=stop.patience,
                min_delta=stop.min_delta,
                restore_best_weights=True,
            )
        )
    if plateau.patience is not None:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss",
                patience=plateau.patience,
                factor=plateau.factor,
                min_delta=plateau.min_delta,
            )
        )
    class_weight = config.data.class_weight
    history = model.fit(
        batches,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        class_weight=None if config.data.sample_weight else class_weight,
        validation_data=pack(config, dataset.validation, weighs_classes=False),
        validation_batch_size=config.data.batch_size,
        callbacks=[*callbacks, log],
    ).history
    test = pack(config, dataset.test, weighs_classes=False)
    weight = {"sample_weight": test[2]} if len(test) > 2 else {}
    test_loss = model.evaluate(*test[:2], **weight, verbose=0, return_dict=True)["loss"]
    return log, history, model.get_weights(), test_loss


@pytest.fixture(scope="module")
def fit(compose, file):
    """What ``fit`` comes to, once for the plans of a case."""
    kept = {}

    def fit_once(name, config, initial, dataset):
        if name not in kept:
            kept[name] = fit_eagerly(resolve_class_weight(config, dataset.train), initial, dataset)
        return kept[name]

    return fit_once


def of(kind, results):
    return [result for result in results if isinstance(result, kind)]


# Keras's callback reads the learning rate so.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
# What a pipeline gathers is what a loop gathers, and a loop is the harder one.
@pytest.mark.parametrize("plan", ["step", pytest.param("pipeline", marks=pytest.mark.slow), "loop"])
@pytest.mark.parametrize("name", CASES)
def test_training_is_that_of_fit_with(compose, file, fit, name, plan):
    config = compose_case(compose, file, CASES[name], f"plan.name={plan}")
    set_optimizer(compose, config, CASES[name])
    initial, results, final, dataset = train_in_session(config)
    log, history, wanted, test_loss = fit(name, config, initial, dataset)

    calls = of(StepsResult, results)
    for metric in log.steps[0]:
        running = np.concatenate([call.running[metric] for call in calls])
        shown = [step[metric] for step in log.steps]
        assert len(running) == len(shown) == 54
        # Keras counts the parts of a sum of losses by batches, ours by examples as their sum.
        same = slice(8) if metric in ("digit_loss", "parity_loss") else slice(None)
        np.testing.assert_allclose(running[same], shown[same], rtol=1e-5, atol=1e-5, err_msg=metric)
    for (path, ours), theirs in zip(final.items(), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=path)
    assert any(not np.allclose(initial[path], final[path], atol=1e-3) for path in final)

    splits = of(SplitResult, results)
    looks = [one.metrics["loss"] for one in splits if one.split == "validation"]
    np.testing.assert_allclose(looks, history["val_loss"], rtol=1e-5)
    (test,) = [one.metrics["loss"] for one in splits if one.split == "test"]
    np.testing.assert_allclose(test, test_loss, rtol=1e-5)
    rates = {one.step: one.value for one in of(LearningRateResult, results)}
    np.testing.assert_allclose(list(rates.values()), log.rates, rtol=1e-6)
    if config.task.plateau.patience is not None:
        assert log.rates[-1] < log.rates[0]


def test_balanced_weights_are_those_of_scikit_learn(compose, file):
    config = compose_case(compose, file, ["data.class_weight=balanced"])
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    labels = train.labels["digit"]
    wanted = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    resolved = resolve_class_weight(config, train).data.class_weight
    assert list(resolved) == list(range(10))
    np.testing.assert_allclose(list(resolved.values()), wanted)
    assert config.data.class_weight == "balanced"
