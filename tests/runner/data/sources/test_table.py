"""Tables: what becomes of their columns, beside pandas, and what is wrong with them."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.datasets import load_wine

from models.problems import ConfigError
from runner.data.reading import read_examples
from runner.data.sources.table import read_table
from tests.datasets import load_dataset

FORMS = {
    "table.csv": lambda frame, file: frame.to_csv(file, index=False),
    "table.tsv": lambda frame, file: frame.to_csv(file, index=False, sep="\t"),
    "table.csv.gz": lambda frame, file: frame.to_csv(file, index=False),
    "table.parquet": lambda frame, file: frame.to_parquet(file),
}
PEOPLE = """name,age,city,tall,height,group
Ada Lovelace,36,London,true,1.65,b
Alan Turing,41,London,false,1.78,a
Emmy Noether,53,Erlangen,false,1.6,b
Kurt Gödel,71,Brünn,true,1.68,c
Grace Hopper,85,New York,true,1.67,a
David Hilbert,81,Königsberg,false,1.7,c
"""


@pytest.fixture
def wine():
    frame = load_wine(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
    frame["colour"] = np.where(frame["hue"] > 1, "light", "dark")
    return frame


@pytest.fixture
def compose_table(compose, tmp_path):
    def compose_file(*overrides, text=None, file="table.csv"):
        if text is not None:
            (tmp_path / file).write_text(text, encoding="utf-8")
        return compose("model=tabular", "data=table", f"data.file={tmp_path / file}", *overrides)

    return compose_file


def declared(tensors):
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def error_of(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("file", FORMS)
def test_a_table_is_what_pandas_makes_of_it(compose_table, tmp_path, wine, file):
    FORMS[file](wine, tmp_path / file)
    config = compose_table("data.targets=[target]", file=file)
    assert declared(config.data.features) == {"numbers": ([15], "float32")}
    assert declared(config.data.labels) == {"target": ([], "int64")}
    assert config.data.classes == 3
    numbers = pd.get_dummies(wine.drop(columns="target"), dtype=np.float32).to_numpy(np.float32)
    codes = wine["target"].astype("category").cat.codes.to_numpy()
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    assert sum(map(len, vars(dataset).values())) == 178
    for split in vars(dataset).values():
        np.testing.assert_array_equal(split.features["numbers"], numbers[split.rows])
        np.testing.assert_array_equal(split.labels["target"], codes[split.rows])


def test_columns_are_what_their_values_look_like(compose_table):
    config = compose_table("data.targets=[group]", text=PEOPLE)
    # Six names of six people are text; four cities are not few enough for six rows.
    assert declared(config.data.features) == {
        "name": ([], "string"),
        "numbers": ([3], "float32"),
        "city": ([], "string"),
    }
    examples = read_table(config.data)
    np.testing.assert_array_equal(
        examples.features["numbers"][:2], np.float32([[36, 1, 1.65], [41, 0, 1.78]])
    )
    assert examples.features["city"].tolist()[3:5] == ["Brünn", "New York"]
    assert examples.labels["group"].tolist() == [1, 0, 1, 2, 0, 2]


@pytest.fixture
def lists(tmp_path):
    """A Parquet table of lists, in groups of 3 rows."""
    table = pa.table(
        {
            "words": pa.array(WORDS, pa.list_(pa.int32())),
            "levels": pa.array([[0.5], [1.5, 2.5], [], [3.5], [4.5]], pa.large_list(pa.float64())),
            "pair": pa.array([[1, 2]] * 5, pa.list_(pa.int64(), 2)),
            "names": pa.array([["a"]] * 5),
            "mood": ["good", "bad", "bad", "good", "bad"],
        }
    )
    parquet.write_table(table, tmp_path / "lists.parquet", row_group_size=3)
    return table


WORDS = [[3, 1], [4], [1, 5, 9], [], [2, 6]]
# A model whose input is of a shape that is there.
OF_WORDS = "model.inputs.numbers.shape=${data.features.words.shape}"


def test_lists_of_numbers_are_sequences(compose_table, lists):
    overrides = ["data.targets=[mood]", "data.pad.levels={length: 2, value: -1}", OF_WORDS]
    data = compose_table(*overrides, file="lists.parquet").data
    assert declared(data.features) == {
        "words": ([None], "int64"),
        "levels": ([2], "float32"),
        "pair": ([None], "int64"),
    }
    assert data.columns["words"] == {"type": "sequence"}
    assert data.columns["names"] == {"type": "ignore"}
    examples = read_examples(data, {}, 0)
    rows = np.array([4, 1, 2])
    words = keras.utils.pad_sequences([WORDS[row] for row in rows], None, "int64", "post")
    np.testing.assert_array_equal(examples.features["words"][rows], words)
    np.testing.assert_array_equal(
        examples.features["levels"], [[0.5, -1], [1.5, 2.5], [-1, -1], [3.5, -1], [4.5, -1]]
    )
    assert examples.features["words"].reader.lengths.tolist() == [2, 1, 3, 0, 2]
    np.testing.assert_array_equal(examples.features["pair"][rows], [[1, 2]] * 3)


def test_a_list_with_a_gap_is_missing(compose_table, tmp_path):
    table = pa.table({"words": [[3, 1], None, [1, None], [], [2, 6]], "y": [0, 1, 0, 1, 0]})
    parquet.write_table(table, tmp_path / "gaps.parquet")
    file = "gaps.parquet"
    data = compose_table("data.targets=[y]", "data.classes=2", OF_WORDS, file=file).data
    assert error_of(read_examples, data, {}, 0).startswith(
        "data.missing: expected a value; column 'words' has none in row 1, 2, counted from 0. "
    )
    examples = read_examples(replace(data, missing="drop"), {}, 0)
    assert examples.rows.tolist() == [0, 3, 4]
    np.testing.assert_array_equal(examples.features["words"][:], [[3, 1], [0, 0], [2, 6]])


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (
            ["data.targets=[words]"],
            ["data.columns.words.type: expected another type for a target; received 'sequence' "],
        ),
        (
            ["data.columns.mood.type=sequence", "data.columns.words.fill=0"],
            [
                "data.columns.words.fill: expected null, since nothing stands for a sequence; "
                "received 0 (int). Set data.missing=drop to leave such rows out.",
                "data.columns.mood.type: expected another type, since it has no lists of integers "
                "or floats; received 'sequence' (str).",
            ],
        ),
        (
            ["data.columns.words.feature=pair"],
            [
                "data.columns.words.feature: expected a feature that no other column names, since "
                "it is a sequence; received 'pair' (str).",
            ],
        ),
    ],
)
def test_what_cannot_be_a_sequence_is_refused(compose_table, lists, overrides, messages):
    error = error_of(compose_table, *overrides, file="lists.parquet").splitlines()
    assert len(error) == len(messages)
    for line, message in zip(error, messages, strict=True):
        assert line.startswith(message)


def test_sequences_are_not_streamed(compose_table, lists, monkeypatch):
    data = compose_table("data.targets=[mood]", OF_WORDS, file="lists.parquet").data
    message = (
        "data.columns.words.type: expected another type where the table is streamed; received "
        "'sequence' (str). Set data.stream=false to hold the table, or the type to ignore."
    )
    assert error_of(read_table, replace(data, stream=True)) == message
    monkeypatch.setattr("runner.data.memory.MOST_BYTES_IN_MEMORY", 4 * 5 * 3 * 256 - 1)
    assert error_of(read_table, data) == message
    assert len(read_table(replace(data, stream=False))) == 5


def test_columns_are_what_is_declared(compose_table):
    config = compose_table(
        "data.targets=[height,group]",
        "data.columns.name.type=ignore",
        "data.columns.city={type: categorical, encoding: index}",
        "data.columns.tall={type: categorical, feature: flags}",
        text=PEOPLE,
    )
    assert declared(config.data.features) == {
        "numbers": ([1], "float32"),
        "city": ([], "int64"),
        "flags": ([2], "float32"),
    }
    assert declared(config.data.labels) == {"height": ([], "float32"), "group": ([], "int64")}
    assert config.data.classes is None  # of the first target
    examples = read_table(config.data)
    assert examples.features["city"].tolist() == [3, 3, 1, 0, 4, 2]
    np.testing.assert_array_equal(examples.features["flags"][:2], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(
        examples.labels["height"], np.float32([1.65, 1.78, 1.6, 1.68, 1.67, 1.7])
    )


def test_numbers_as_classes_are_in_their_order(compose_table):
    config = compose_table("data.targets=[y]", text="x,y\n1,10\n2,9\n3,100\n4,9\n")
    assert read_table(config.data).labels["y"].tolist() == [1, 0, 2, 0]


def test_a_category_of_one_value_is_a_one(compose_table):
    config = compose_table(
        "data.columns.x.type=categorical", "data.targets=[y]", text="x,y\na,0\na,1\n"
    )
    assert read_table(config.data).features["numbers"].tolist() == [[1], [1]]


MISSING = "x,y,z\n1,a,0\n,b,1\n3,,0\n4,b,1\n5,a,0\n6,b,1\n"


def test_missing_values_are_refused_with_their_rows(compose_table):
    config = compose_table("data.targets=[z]", text=MISSING)
    hint = "Set data.columns.COLUMN.fill to a value, or data.missing=drop to leave such rows out."
    assert error_of(read_table, config.data) == (
        f"data.missing: expected a value; column 'x' has none in row 1, counted from 0. {hint}\n"
        f"data.missing: expected a value; column 'y' has none in row 2, counted from 0. {hint}"
    )


def test_missing_values_are_dropped_and_counted(compose_table, caplog):
    config = compose_table("data.targets=[z]", "data.missing=drop", text=MISSING)
    examples = read_table(config.data)
    assert caplog.messages == [
        "data: 2 of 6 rows miss a value and are left out (column 'x' 1, column 'y' 1)"
    ]
    assert examples.rows.tolist() == [0, 3, 4, 5]
    assert examples.features["numbers"].tolist() == [
        [1, 1, 0],
        [4, 0, 1],
        [5, 1, 0],
        [6, 0, 1],
    ]


def test_missing_values_are_filled(compose_table):
    config = compose_table(
        "data.targets=[z]", "data.columns.x.fill=-1", "data.columns.y.fill=none", text=MISSING
    )
    assert declared(config.data.features) == {"numbers": ([4], "float32")}
    assert read_table(config.data).features["numbers"].tolist() == [
        [1, 1, 0, 0],
        [-1, 0, 1, 0],
        [3, 0, 0, 1],
        [4, 0, 1, 0],
        [5, 1, 0, 0],
        [6, 0, 1, 0],
    ]


def test_a_declared_nan_is_missing_too(compose_table, tmp_path):
    frame = pd.DataFrame({"x": [1.0, np.nan, 2.0], "z": [0, 1, 0]})
    frame.to_parquet(tmp_path / "table.parquet")
    config = compose_table("data.targets=[z]", "data.missing=drop", file="table.parquet")
    assert read_table(config.data).rows.tolist() == [0, 2]


def test_files_that_cannot_be_read_are_named(compose_table, tmp_path):
    forms = "a file, .csv, .tsv, .csv.gz, .tsv.gz, .parquet, or a folder of .parquet"
    assert error_of(compose_table) == (
        f"data.file: expected {forms}; received '{tmp_path / 'table.csv'}' (str)."
    )
    assert error_of(compose_table, text="x\n1\n", file="table.xlsx").startswith(
        f"data.file: expected {forms}"
    )
    assert error_of(compose_table, text="") == (
        "data.file: table.csv cannot be read: Empty CSV file"
    )
    assert error_of(compose_table, text="x,y\n") == (
        "data.file: expected examples; table.csv has no row."
    )
    ragged = error_of(compose_table, text="x,y\n1,2\n3\n4,5\n")
    assert ragged.startswith("data.file: table.csv cannot be read: ")
    assert "Expected 2 columns, got 1: 3" in ragged
    assert error_of(compose_table, text="x,x\n1,2\n") == (
        "data.file: expected columns of different names; table.csv has 'x' twice."
    )
    (tmp_path / "table.parquet").write_bytes(b"PAR1 and no more")
    assert error_of(compose_table, file="table.parquet").startswith(
        "data.file: table.parquet cannot be read: "
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.targets=[grup]"],
            "data.targets[0]: expected a column of the table; received 'grup' (str). "
            "Did you mean 'group'?",
        ),
        (
            ["data.columns.hight.fill=0"],
            "data.columns.hight: expected a column of the table; received 'hight' (str). "
            "Did you mean 'height'?",
        ),
        (
            ["data.columns.height.type=number"],
            "data.columns.height.type: expected a type of columns; received 'number' (str). "
            "Did you mean 'numeric'?",
        ),
        (
            ["data.columns.city.encoding=onehot"],
            "data.columns.city.encoding: expected one_hot or index; received 'onehot' (str).",
        ),
        (
            ["data.targets=[group]", "data.columns.group.type=ignore"],
            "data.columns.group.type: expected another type for a target; received 'ignore' (str).",
        ),
        (
            ["data.columns.city={type: text, feature: numbers}"],
            "data.columns.city.feature: expected another feature, since 'age' of it is float32; "
            "received 'numbers' (str).",
        ),
    ],
)
def test_columns_that_are_declared_wrongly_are_named(compose_table, overrides, message):
    assert error_of(compose_table, *overrides, text=PEOPLE) == message


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.columns.city.type=numeric"],
            "data.columns.city: expected a number in row 0, counted from 0; "
            "received 'London' (str).",
        ),
        (
            ["data.columns.age.fill=old"],
            "data.columns.age.fill: expected a number; received 'old' (str).",
        ),
        (
            ["data.targets=[group]", "data.columns.group={type: categorical, categories: [a, b]}"],
            "data.columns.group.categories: expected one of the categories in row 3, counted "
            "from 0; "
            "received 'c' (str). Choose from a, b.",
        ),
    ],
)
def test_values_that_are_not_as_declared_are_named(compose_table, overrides, message):
    config = compose_table(*overrides, text=PEOPLE)
    assert error_of(read_table, config.data) == message


def test_a_target_that_is_no_label_is_refused(compose_table):
    declared_alone = ["data.targets=[y]", "data.undeclared=ignore", "data.columns.x.type=numeric"]
    assert error_of(compose_table, *declared_alone, text="x\n1\n") == (
        "data.targets[0]: expected a column of the table; received 'y' (str). Choose from x. "
        "Where nothing is to be compared with, set data.targets=[]."
    )
    text = "when,kind,x\n2024-01-01,a,1\n2024-01-02,b,2\n"
    assert error_of(compose_table, "data.targets=[when]", text=text) == (
        "data.targets[0]: expected a column of numbers or texts, not of date32[day]; received "
        "'when' (str). Write it as a number, or declare its column categorical."
    )
    assert error_of(compose_table, "data.targets=[kind]", "data.split.group=kind", text=text) == (
        "data.targets[0]: expected a column that neither data.split nor data.id names; received "
        "'kind' (str)."
    )


def test_targets_that_name_a_label_stand_in_it_in_their_order(compose_table):
    text = "a,b,c,d\n1,0,1,5\n2,1,0,6\n"
    labels = "data.columns={b:{label:both},c:{label:both}}"
    data = compose_table("data.targets=[c,b]", labels, text=text, file="both.csv").data
    assert declared(data.labels) == {"both": ([2], "float32")}
    assert (data.classes, data.class_names) == (None, [])
    examples = read_table(data)
    assert examples.labels["both"].tolist() == [[1, 0], [0, 1]]
    assert examples.features["numbers"].tolist() == [[1, 5], [2, 6]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            "{a:{label:both}}",
            "data.columns.a.label: expected null, since 'a' is not among data.targets; "
            "received 'both' (str).",
        ),
        (
            "{b:{label:both,type:categorical}}",
            "data.columns.b.type: expected numeric for a target that stands in a label beside "
            "others; received 'categorical' (str).",
        ),
        (
            "{b:{label:3}}",
            "data.columns.b.label: expected a name; received 3 (int).",
        ),
    ],
)
def test_labels_of_columns_that_cannot_be_are_refused(compose_table, columns, message):
    text = "a,b\n1,0\n2,1\n"
    given = ["data.targets=[b]", f"data.columns={columns}"]
    assert error_of(compose_table, *given, text=text, file="both.csv") == message


def test_an_empty_file_is_refused(compose_table):
    for text in ("", "a,b\n"):
        message = error_of(compose_table, "data.targets=[b]", text=text, file="empty.csv")
        assert message.startswith("data.file: ")
        assert "empty.csv" in message


def test_what_was_inferred_is_written_down_and_holds_for_another_file(compose_table):
    config = compose_table("data.targets=[group]", "data.columns.age.fill=3", text=PEOPLE)
    assert config.data.columns["age"] == {"type": "numeric", "fill": 3}
    assert config.data.columns["group"]["categories"] == ["a", "b", "c"]
    assert config.data.class_names == ["a", "b", "c"]
    assert config.data.undeclared == "ignore"


def test_declared_columns_stand_in_their_order_where_others_are_ignored(compose_table):
    columns = "data.columns={height: {type: numeric}, age: {type: numeric}, gone: {type: ignore}}"
    config = compose_table(columns, "data.undeclared=ignore", text=PEOPLE)
    assert read_table(config.data).features["numbers"][0].tolist() == pytest.approx([1.65, 36])


def test_columns_that_are_not_declared_are_inferred_or_ignored(compose_table):
    with pytest.raises(ConfigError) as caught:
        compose_table("data.undeclared=drop", text=PEOPLE)
    message = "data.undeclared: expected infer or ignore; received 'drop' (str)."
    assert message in str(caught.value)


def test_a_slip_among_numbers_is_warned_of(compose_table, caplog):
    rows = "\n".join(f"{row}.5,{row},{row % 2},t{row}" for row in range(30))
    config = compose_table("data.targets=[y]", text=f"x,z,y,note\n{rows}\nabc,1,1,t\n")
    read_table(config.data)
    assert caplog.messages == [
        "data: column 'x' is no column of numbers, since it holds 'abc'; mend it, or set "
        "data.columns.x.type"
    ]
