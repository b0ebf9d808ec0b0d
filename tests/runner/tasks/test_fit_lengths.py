"""Training on lengths that differ in users' own data, beside Keras on what it pads itself."""

import sys

import keras
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from models.factory import build_model
from runner.data.examples import Dataset
from runner.data.ordering import order_training
from runner.data.sources import own
from runner.engine.graph import build_graph
from runner.engine.session import open_session
from runner.experiment import _fit_splits
from runner.results import SplitResult, StepsResult
from runner.tasks.train import train
from runner.validation import validate
from tests.datasets import load_dataset

ROWS = 60
RANDOM = np.random.default_rng(0)
KINDS = np.arange(ROWS) % 2
# Of the second kind are texts of greater words.
TOKENS = [RANDOM.integers(1, 15, RANDOM.integers(1, 13)) + 5 * kind for kind in KINDS]
MODEL = """
name: words
inputs:
  tokens: {shape: "${data.features.tokens.shape}", dtype: int64}
layers:
  embed: {type: Embedding, input_dim: 20, output_dim: 4, mask_zero: true}
  mean: {type: GlobalAveragePooling1D}
  logits: {type: Dense, units: 2}
outputs: logits
loss: {type: SparseCategoricalCrossentropy, from_logits: true}
metrics: {}
"""
SOURCE = """
import numpy as np
from tests.runner.tasks.test_fit_lengths import KINDS, TOKENS

def read():
    tokens = np.empty(len(TOKENS), object)
    tokens[:] = TOKENS
    return {"tokens": tokens}, {"kind": KINDS}
"""


@pytest.fixture
def compose_words(compose, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "words.yaml").write_text(MODEL, encoding="utf-8")
    (tmp_path / "my_words.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_words", raising=False)
    own._call_once.cache_clear()
    parquet.write_table(pa.table({"tokens": TOKENS, "kind": KINDS}), tmp_path / "words.parquet")
    sources = {
        "own": ["data=own", "data.source.class=my_words.read", "trusted_modules=[my_words]"],
        "table": ["data=table", f"data.file={tmp_path}/words.parquet", "data.targets=[kind]"],
    }
    return lambda source, *overrides: compose(
        f"hydra.searchpath=[file://{tmp_path}]",
        "model=words",
        "data.batch_size=8",
        "data.classes=2",
        "task.epochs=3",
        "trace.steps=[]",
        "optimizer.learning_rate=0.05",
        *sources[source],
        *overrides,
    )


def train_in_session(config):
    """Returns the initial weights, the results, the final weights and the splits."""
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    graph = build_graph(config)
    with open_session(graph, config.session) as session:
        weights = {weight.path: weight.value for weight in graph.model.keras_model.weights}
        initial = list(session.read(weights).values())
        fitted = Dataset(**_fit_splits(vars(dataset), graph))
        results = list(train(config, config.task, graph, session, fitted))
        return initial, results, list(session.read(weights).values()), dataset


def pad(rows):
    return {"tokens": keras.utils.pad_sequences([TOKENS[row] for row in rows], padding="post")}


@pytest.mark.parametrize("source", ["own", "table"])
def test_training_in_buckets_is_that_of_keras(compose_words, source):
    config = compose_words(source, "data.buckets=[4,8]")
    initial, results, final, dataset = train_in_session(config)
    model = build_model(config.model).keras_model
    model.set_weights(initial)
    model.compile(
        keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    shown, widths = [], []
    for epoch in (1, 2, 3):
        losses, sizes = [], []
        places = order_training(config, dataset.train, epoch).rows
        for start in range(0, len(places), 8):
            rows = dataset.train.rows[places[start : start + 8]]
            losses.append(model.train_on_batch(pad(rows), KINDS[rows]))
            sizes.append(len(rows))
            widths.append(pad(rows)["tokens"].shape[1])
        shown.append(np.cumsum(np.multiply(losses, sizes)) / np.cumsum(sizes))
    assert min(widths) <= 4 < max(widths)
    running = [one.running["loss"] for one in results if isinstance(one, StepsResult)]
    np.testing.assert_allclose(np.concatenate(running), np.concatenate(shown), rtol=1e-5)
    for ours, theirs in zip(final, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)

    rows = dataset.test.rows
    loss = model.evaluate(pad(rows), KINDS[rows], verbose=0)
    (test,) = [
        one.metrics["loss"]
        for one in results
        if isinstance(one, SplitResult) and one.split == "test"
    ]
    np.testing.assert_allclose(test, loss, rtol=1e-5)


def test_both_sources_train_alike(compose_words):
    finals = [train_in_session(compose_words(source))[2] for source in ("own", "table")]
    for ours, theirs in zip(*finals, strict=True):
        np.testing.assert_array_equal(ours, theirs)
