"""What is logged of the data: counts, balance and a digest of the content."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from runner.data.examples import Examples
from runner.data.provenance import describe_data, digest_examples, digest_source
from runner.data.sources.digits import read_digits
from tests.datasets import load_dataset

TEXTS = np.array(["a", "bc", "d"], object)
OTHER_TEXTS = np.array(["ab", "c", "d"], object)
EXAMPLES = Examples(
    {"x": np.arange(6.0).reshape(3, 2), "text": TEXTS}, {"y": np.array([0, 1, 1])}, np.arange(3)
)


def with_x(x):
    return replace(EXAMPLES, features={**EXAMPLES.features, "x": x})


def test_the_same_content_has_the_same_digest():
    x = EXAMPLES.features["x"]
    copies = [x.copy(), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]]
    assert {digest_examples(with_x(copy)) for copy in copies} == {digest_examples(EXAMPLES)}


@pytest.mark.parametrize(
    "other",
    [
        with_x(np.array([[0, 1], [2, 3], [4, 5 + 1e-12]])),
        with_x(np.arange(6.0, dtype=np.float32).reshape(3, 2)),
        with_x(np.arange(6.0).reshape(3, 2, 1)),
        replace(EXAMPLES, labels={"y": np.array([0, 1, 0])}),
        replace(EXAMPLES, labels={"z": np.array([0, 1, 1])}),
        replace(EXAMPLES, features={**EXAMPLES.features, "text": OTHER_TEXTS}),
        replace(EXAMPLES, rows=np.array([0, 1, 3])),
        EXAMPLES.take(np.array([1, 0, 2])),
        EXAMPLES.take(slice(2)),
    ],
    ids=["value", "dtype", "shape", "label", "name", "text", "row", "order", "fewer"],
)
def test_other_content_has_another_digest(other):
    assert digest_examples(other) != digest_examples(EXAMPLES)


def test_counts_and_balance_are_those_of_the_splits(compose):
    config = compose()
    digits = read_digits()
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    result = describe_data(config.data, config.seed, digits, vars(dataset))
    assert result.digest == digest_examples(digits)
    assert result.source.startswith("scikit-learn ")
    for name, split in result.splits.items():
        labels = getattr(dataset, name).labels["digit"]
        assert split.examples == len(labels)
        assert list(split.balance["digit"].values()) == np.bincount(labels).tolist()
    assert len({split.digest for split in result.splits.values()}) == 3


def test_a_file_is_named_from_the_root(compose, tmp_path, monkeypatch):
    np.savez(tmp_path / "data.npz", image=np.arange(9.0), y=np.linspace(0, 1, 9))
    monkeypatch.chdir(tmp_path)
    config = compose("data=arrays", "data.file=data.npz", "data.targets=[y]")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    result = describe_data(config.data, config.seed, dataset.train, vars(dataset))
    assert result.source == str(tmp_path / "data.npz")
    assert result.splits["train"].balance == {}


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_file_or_folder_has_one_digest_however_it_is_read(name, compose, tmp_path):
    file = tmp_path / name
    write_table(file, 9)
    path = file if name == "x.csv" else tmp_path

    def read_digest(*overrides):
        config = compose("model=regression", "data=table", f"data.file={path}", *overrides)
        return digest_source(config.data, EXAMPLES)

    digest = read_digest("data.targets=[y]")
    (file.parent / ".hidden").write_text("no data")
    assert read_digest("data.targets=[x]", "data.columns.t.type=numeric") == digest
    write_table(file, 8)
    assert read_digest("data.targets=[y]") != digest


def write_table(file, first):
    table = pa.table({"x": [first, 1.5, 2.5], "y": [1.5, 2.5, 3.5], "t": [0, 1, 2]})
    if file.suffix == ".csv":
        csv.write_csv(table, file)
    else:
        parquet.write_table(table, file)


def test_a_source_that_stays_the_same_has_no_digest_of_its_own(compose):
    for overrides in (["data=digits"], ["data=random"], ["data=synthetic", "model=tabular"]):
        assert digest_source(compose(*overrides).data, EXAMPLES) is None


def test_an_own_source_is_named_with_what_it_is_given(compose):
    config = compose(
        "model=tabular",
        "data=own",
        "data.source.class=tests.samples.own.read_flowers",
        "data.source.examples=40",
        "trusted_modules=[tests.samples]",
    )
    result = describe_data(config.data, 3, EXAMPLES, {})
    assert result.source == "tests.samples.own.read_flowers(seed=3, examples=40)"
    assert result.source_digest == result.digest == digest_examples(EXAMPLES)
