"""Splits: no row in two, groups whole, times in order, folds that are each a test once."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from models.problems import ConfigError
from runner.data.provenance import describe_data
from runner.data.reading import read_examples
from runner.data.sources.digits import read_digits
from runner.data.splits import choose_splits, split_examples
from runner.validation import validate
from tests.datasets import load_dataset


@pytest.fixture
def compose_visits(compose, tmp_path):
    """Composes a table of visits of patients of 12 hospitals, in no order."""
    random = np.random.default_rng(0)
    hospital = random.integers(0, 12, 300)
    day = random.integers(0, 90, 300)
    split = random.choice(["train", "validation", "test"], 300)
    lines = [
        f"{x:.3f},h{h},2024-{1 + d // 28:02}-{1 + d % 28:02},{s},{'yn'[h % 2]}"
        for x, h, d, s in zip(random.random(300), hospital, day, split, strict=True)
    ]
    file = tmp_path / "visits.csv"
    file.write_text("\n".join(["x,hospital,day,split,ill", *lines]), encoding="utf-8")
    given = {"hospital": hospital, "day": day, "split": split}
    base = ["model=tabular", "data=table", f"data.file={file}", "data.targets=[ill]"]
    return (lambda *overrides: compose(*base, *overrides)), given


def rows_of(config):
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    rows = {name: split.rows for name, split in vars(dataset).items()}
    every = np.concatenate(list(rows.values()))
    assert len(np.unique(every)) == len(every)
    return rows


HOSPITAL = ["data.split.group=hospital"]
WAYS = {
    "shares": [],
    "group": HOSPITAL,
    "time": ["data.split.time=day"],
    "column": ["data.split.column=split"],
    "fold": ["data.fold=2"],
    "group and fold": [*HOSPITAL, "data.fold=2"],
    "no validation": ["data.split.validation=0"],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(5))
def test_every_row_is_in_one_split(compose_visits, way, seed):
    compose, _ = compose_visits
    rows = rows_of(compose(*WAYS[way], f"seed={seed}"))
    assert sum(map(len, rows.values())) == 300
    assert len(rows["train"])
    assert len(rows["test"])


def test_what_splits_are_made_by_is_no_feature(compose_visits):
    compose, _ = compose_visits
    plain = compose("data.columns.split.type=ignore").data
    grouped = compose("data.columns.split.type=ignore", *HOSPITAL).data
    assert plain.features["numbers"].shape == [13]  # x, and 12 hospitals
    assert grouped.features["numbers"].shape == [1]


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_split(compose_visits, seed):
    compose, given = compose_visits
    rows = rows_of(compose(*HOSPITAL, f"seed={seed}", "data.split.validation=0.2"))
    groups = [set(given["hospital"][split]) for split in rows.values()]
    assert sum(map(len, groups)) == 12
    largest = np.bincount(given["hospital"]).max()
    for name in ("validation", "test"):
        assert abs(len(rows[name]) - 60) <= largest / 2
    if seed:
        others = rows_of(compose(*HOSPITAL, "seed=0", "data.split.validation=0.2"))
        assert set(others["test"]) != set(rows["test"])


def test_what_comes_last_is_the_test(compose_visits):
    compose, given = compose_visits
    rows = rows_of(compose("data.split.time=day", "data.split.validation=0.2"))
    days = {name: given["day"][split] for name, split in rows.items()}
    assert days["train"].max() < days["validation"].min()
    assert days["validation"].max() < days["test"].min()
    busiest = np.bincount(given["day"]).max()
    for name in ("validation", "test"):
        assert 60 <= len(rows[name]) < 60 + 2 * busiest


def test_a_column_says_the_split(compose_visits):
    compose, given = compose_visits
    for name, split in rows_of(compose("data.split.column=split")).items():
        assert set(given["split"][split]) == {name}


@pytest.mark.parametrize("way", ["shares", "group"])
@pytest.mark.parametrize("folds", [2, 5])
def test_each_row_is_in_the_test_of_one_fold(compose_visits, way, folds):
    compose, given = compose_visits
    tests = [
        rows_of(compose(*WAYS[way], f"data.folds={folds}", f"data.fold={fold}"))["test"]
        for fold in range(folds)
    ]
    assert sorted(np.concatenate(tests)) == list(range(300))
    if way == "shares":
        assert np.ptp(list(map(len, tests))) <= 1
    else:
        assert sum(len(set(given["hospital"][test])) for test in tests) == 12


def test_folds_keep_the_shares_of_the_classes(compose):
    digits = read_digits().labels["digit"]
    counts = [
        np.bincount(digits[rows_of(compose(f"data.fold={fold}"))["test"]]) for fold in range(5)
    ]
    assert np.ptp(counts, axis=0).max() <= 1


def test_a_fold_validates_on_a_share_of_the_rest(compose):
    rows = rows_of(compose("data.fold=0"))
    assert [len(split) for split in rows.values()] == [1797 - 360 - 180, 180, 360]


def test_a_batch_larger_than_the_training_split_is_not_dropped(compose):
    overrides = ["data.batch_size=2000", "data.drop_remainder=true"]
    with pytest.raises(ConfigError) as caught:
        choose_splits(compose(*overrides), read_digits())
    assert str(caught.value) == (
        "data.batch_size: expected 1258 or fewer, as there are examples to train on and "
        "data.drop_remainder is set; received 2000 (int)."
    )
    assert len(choose_splits(compose(*overrides, "task=forward"), read_digits())["train"]) == 1258


def test_a_class_of_one_example_is_named(compose, tmp_path):
    file = tmp_path / "wines.csv"
    file.write_text("x,kind\n" + "1,red\n2,white\n" * 9 + "3,rose\n", encoding="utf-8")
    config = compose("model=tabular", "data=table", f"data.file={file}", "data.targets=[kind]")
    with pytest.raises(ConfigError, match="Class 'rose' has a single example"):
        load_dataset(config.data, config.model.inputs, config.seed)


def test_splits_are_the_same_on_every_machine(compose):
    """NumPy keeps the streams of its generators; these rows were drawn once and written down."""
    assert rows_of(compose("seed=3"))["test"][:5].tolist() == [1142, 508, 379, 836, 1145]
    assert rows_of(compose("seed=3", "data.fold=1"))["test"][:5].tolist() == [
        1689,
        976,
        1135,
        640,
        481,
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.fold=5"],
            "data.fold: expected 0 to 4, as data.folds is; received 5 (int).",
        ),
        (
            ["data.fold=0", "data.folds=1"],
            "data.folds: expected a number of 2 or more; received 1 (int).",
        ),
        (
            ["data.fold=0", "data.split.time=day"],
            "data.fold: expected null, since data.split.time is given; received 0 (int).",
        ),
        (
            ["data.split.time=day", "data.split.group=hospital"],
            "data.split.time: expected null, since data.split.group is given; "
            "received 'day' (str).",
        ),
        (
            ["data.split.group=hospitals"],
            "data.split.group: expected a column of the table; received 'hospitals' (str). "
            "Did you mean 'hospital'?",
        ),
        (
            ["data.split.column=ill"],
            "data.split.column: expected one of train, validation, test in each row of 'ill'; "
            "received 'y' (str).",
        ),
    ],
)
def test_what_cannot_be_split_by_is_refused(compose_visits, overrides, message):
    compose, _ = compose_visits
    if "ill" in overrides[0]:
        overrides = [*overrides, "data.targets=[split]"]
    with pytest.raises(ConfigError) as caught:
        rows_of(compose(*overrides))
    assert message in str(caught.value).splitlines()


def test_data_without_columns_cannot_be_split_by_one(compose):
    with pytest.raises(ConfigError) as caught:
        validate(compose("data.split.group=writer"))
    assert str(caught.value) == (
        "data.split.group: expected null, since data 'digits' has no columns; "
        "received 'writer' (str)."
    )


def test_a_split_that_a_column_leaves_empty_is_refused(compose, tmp_path):
    file = tmp_path / "some.csv"
    file.write_text("x,y,part\n1,a,train\n2,b,train\n3,a,validation\n", encoding="utf-8")
    config = compose(
        "model=tabular",
        "data=table",
        f"data.file={file}",
        "data.targets=[y]",
        "data.split.column=part",
    )
    with pytest.raises(ConfigError) as caught:
        rows_of(config)
    assert str(caught.value) == (
        "data.split: expected examples in each split; none of 3 is in test."
    )


def write_table(file, names, start):
    lines = [f"{start + index},{name}" for index, name in enumerate(names)]
    file.write_text("\n".join(["x,kind", *lines]) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def compose_files(compose, tmp_path):
    main = write_table(tmp_path / "main.csv", ["cow", "ant", "bee", "ant", "bee", "cow"] * 10, 0)
    base = ["model=tabular", "data=table", f"data.file={main}", "data.targets=[kind]"]
    return lambda *overrides: compose(*base, *overrides)


def test_files_are_splits_of_their_own(compose_files, tmp_path):
    test = write_table(tmp_path / "test.csv", ["cow", "cow"], 1000)
    validation = write_table(tmp_path / "validation.csv", ["bee"] * 3, 2000)
    files = [f"data.split.test_file={test}", f"data.split.validation_file={validation}"]
    config = compose_files(*files)
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    assert [len(split) for split in vars(dataset).values()] == [60, 3, 2]
    # With the categories of the main file: ant, bee, cow.
    assert dataset.test.labels["kind"].tolist() == [2, 2]
    assert dataset.test.features["numbers"].ravel().tolist() == [1000, 1001]
    assert dataset.validation.labels["kind"].tolist() == [1, 1, 1]
    rows = np.concatenate([split.rows for split in vars(dataset).values()])
    assert sorted(rows) == list(range(65))
    # Validation is still a share of the main file where it is no file.
    dataset = load_dataset(*(lambda c: (c.data, c.model.inputs, c.seed))(compose_files(files[0])))
    assert [len(split) for split in vars(dataset).values()] == [54, 6, 2]


def test_rows_of_streamed_files_are_counted_on(compose, tmp_path):
    for name, start in (("main", 0), ("test", 1000)):
        columns = {"x": np.arange(start, start + 128.0), "kind": np.arange(128) % 2}
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    overrides = [f"data.file={tmp_path / 'main.parquet'}", "data.targets=[kind]"]
    overrides += [f"data.split.test_file={tmp_path / 'test.parquet'}", "data.stream=true"]
    config = compose("model=tabular", "data=table", *overrides)
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    rows = np.concatenate([split.rows for split in vars(dataset).values()])
    assert sorted(rows) == list(range(256))
    assert dataset.test.rows.tolist() == list(range(128, 256))


def test_files_of_splits_are_part_of_the_digest(compose_files, tmp_path):
    digests = set()
    for names in (["cow"], ["ant"], ["ant", "ant"]):
        test = write_table(tmp_path / "test.csv", names, 0)
        config = compose_files(f"data.split.test_file={test}")
        examples = read_examples(config.data, config.model.inputs, config.seed)
        dataset = split_examples(examples, config.data, config.seed)
        result = describe_data(config.data, config.seed, examples, vars(dataset))
        digests.add(result.digest)
        assert result.source == f"{tmp_path / 'main.csv'}, {test}"
        assert result.splits["test"].balance["kind"] == {names[0]: len(names)}
    assert len(digests) == 3


def test_folders_and_arrays_are_splits_of_their_own(compose, tmp_path):
    for folder, names in (("main", "abc"), ("test", "bc")):
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
            for index in range(4):
                Image.new("L", (4, 4), 10 * index).save(tmp_path / folder / name / f"{index}.png")
            (tmp_path / f"{folder}_text").mkdir(exist_ok=True)
            (tmp_path / f"{folder}_text" / f"{name}.txt").write_text("one\ntwo\n", encoding="utf-8")
        classes = np.array([ord(name) - ord("a") for name in names])
        np.savez(tmp_path / f"{folder}.npz", image=np.ones((len(names), 4, 4, 1)), kind=classes)
    ways = {
        "images": ("main", "test", []),
        "text": ("main_text", "test_text", ["model=letters"]),
        "arrays": ("main.npz", "test.npz", ["data.targets=[kind]"]),
    }
    for source, (main, test, others) in ways.items():
        files = [f"data.file={tmp_path / main}", f"data.split.test_file={tmp_path / test}"]
        config = compose(f"data={source}", *files, *others, "data.split.validation=0")
        validate(config)
        dataset = load_dataset(config.data, config.model.inputs, config.seed)
        (labels,) = dataset.test.labels.values()
        assert set(labels) == {1, 2}
        (labels,) = dataset.train.labels.values()
        assert set(labels) == {0, 1, 2}


def test_a_class_of_the_test_alone_is_refused_by_file_and_row(compose_files, compose, tmp_path):
    test = write_table(tmp_path / "test.csv", ["cow", "dog"], 0)
    config = compose_files(f"data.split.test_file={test}")
    with pytest.raises(ConfigError) as caught:
        rows_of(config)
    assert str(caught.value) == (
        "data.split.test_file: in test.csv, data.columns.kind.categories: expected one of the "
        "categories in row 1, counted from 0; received 'dog' (str). Choose from ant, bee, cow."
    )
    np.savez(tmp_path / "main.npz", image=np.zeros((4, 8, 8, 1)), kind=[0, 1, 0, 1])
    np.savez(tmp_path / "test.npz", image=np.zeros((2, 8, 8, 1)), kind=[1, 2])
    files = [f"data.file={tmp_path / 'main.npz'}", f"data.split.test_file={tmp_path / 'test.npz'}"]
    config = compose("data=arrays", "data.targets=[kind]", *files)
    with pytest.raises(ConfigError) as caught:
        rows_of(config)
    assert str(caught.value) == (
        "data.split.test_file: in test.npz, data.classes: expected a class from 0 to 1 in each "
        "row of 'kind'; received 2 (int). It stands in row 1, counted from 0."
    )


def test_a_file_of_another_form_is_refused(compose_files, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("z,kind,x\n2,ant,1\n", encoding="utf-8")
    # A further column is ignored, and the order of columns does not matter.
    config = compose_files(f"data.split.test_file={other}")
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    assert dataset.test.features["numbers"].tolist() == [[1]]
    other.write_text("z,kind\n2,ant\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        rows_of(compose_files(f"data.split.test_file={other}"))
    assert str(caught.value) == (
        "data.split.test_file: in other.csv, data.columns.x: expected a column of the table; "
        "received 'x' (str). Choose from z, kind."
    )
    with pytest.raises(ConfigError) as caught:
        rows_of(compose_files(f"data.split.test_file={tmp_path / 'none.csv'}"))
    assert str(caught.value).startswith("data.split.test_file: in none.csv, data.file: expected a ")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.split.group=x", "data.split.test_file=a.csv"],
            "data.split.test_file: expected null, since data.split.group is given; "
            "received 'a.csv' (str).",
        ),
        (
            ["data.fold=1", "data.split.test_file=a.csv"],
            "data.fold: expected null, since data.split.test_file is given; received 1 (int).",
        ),
    ],
)
def test_files_are_no_splits_beside_another_way(compose, tmp_path, overrides, message):
    file = tmp_path / "main.csv"
    file.write_text("x,y,kind\n1,2,ant\n3,4,bee\n", encoding="utf-8")
    table = ["model=tabular", "data=table", f"data.file={file}", "data.targets=[kind]"]
    with pytest.raises(ConfigError) as caught:
        validate(compose(*table, *overrides))
    assert message in str(caught.value).splitlines()


def test_validation_is_drawn_where_a_column_names_none(compose, tmp_path):
    file = tmp_path / "rows.csv"
    lines = [f"{row},{'ab'[row % 2]},{'test' if row < 10 else 'train'}" for row in range(50)]
    file.write_text("\n".join(["x,y,part", *lines]), encoding="utf-8")
    table = ["model=tabular", "data=table", f"data.file={file}", "data.targets=[y]"]
    rows = rows_of(compose(*table, "data.split.column=part", "data.split.validation=0.25"))
    assert sorted(rows["test"]) == list(range(10))
    assert [len(rows[name]) for name in ("train", "validation")] == [30, 10]
    rows = rows_of(compose(*table, "data.split.column=part", "data.split.validation=0"))
    assert [len(rows[name]) for name in ("train", "validation")] == [40, 0]


def test_shards_share_the_training_examples(compose):
    rows = [rows_of(compose(f"data.shard={shard}", "data.shards=3")) for shard in range(3)]
    trained = np.concatenate([one["train"] for one in rows])
    # 1,258 in three parts of one size.
    assert [len(one["train"]) for one in rows] == [419, 419, 419]
    assert sorted(trained) == sorted(rows_of(compose())["train"][:1257])
    assert all((one["test"] == rows[0]["test"]).all() for one in rows)


def test_a_shard_without_examples_is_refused(compose):
    with pytest.raises(ConfigError) as caught:
        rows_of(compose("data.shards=2000", "data.shard=1999"))
    assert str(caught.value) == (
        "data.shards: expected up to 1258, as many as there are examples to train on; "
        "received 2000 (int)."
    )
