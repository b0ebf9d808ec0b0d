"""Windows over a table: what they hold, and that no row is in two splits."""

from pathlib import Path

import numpy as np
import pytest

from models.problems import ConfigError
from runner.data.examples import LazyColumn
from runner.data.sources.series import read_series
from runner.validation import validate
from tests.datasets import load_dataset

SAMPLE = Path(__file__).parents[3] / "samples" / "waves.csv"


@pytest.fixture
def compose_series(compose):
    return lambda file, *overrides: compose(
        "model=forecast", "data=series", f"data.file={file}", *overrides
    )


@pytest.fixture
def table(tmp_path):
    """Returns a table of 40 hours: temperatures, wind, whether it rains, and which part it is."""
    random = np.random.default_rng(0)
    numbers = random.normal(size=(40, 2)).round(3)
    rain = random.integers(0, 2, 40)
    part = np.repeat(["train", "validation", "train", "test"], 10)
    lines = [f"{a},{b},{'yn'[r]},{p}" for (a, b), r, p in zip(numbers, rain, part, strict=True)]
    file = tmp_path / "hours.csv"
    file.write_text("\n".join(["warm,wind,rain,part", *lines]), encoding="utf-8")
    return file, numbers.astype(np.float32), rain


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


WARM = ["data.targets=[warm]", "data.columns={rain:{type:ignore},part:{type:ignore}}"]
NO_SHARES = ["data.split.validation=0", "data.split.test=0"]


@pytest.mark.parametrize(("window", "horizon", "stride"), [(5, 1, 1), (4, 3, 2), (1, 1, 7)])
def test_windows_and_labels_are_rows_of_the_table(compose_series, table, window, horizon, stride):
    file, numbers, _ = table
    size = [f"data.window={window}", f"data.horizon={horizon}", f"data.stride={stride}"]
    data = compose_series(file, *WARM, *size, *NO_SHARES).data
    assert data.features["series"].shape == [window, 2]
    assert (list(data.labels), data.classes) == (["warm"], None)
    examples = read_series(data)
    starts = range(0, 40 - window - horizon + 1, stride)
    assert examples.rows.tolist() == list(starts)
    # The targets come after the other columns.
    wanted = np.stack([numbers[start : start + window, ::-1] for start in starts])
    np.testing.assert_array_equal(examples.features["series"], wanted)
    ends = [start + window - 1 + horizon for start in starts]
    np.testing.assert_array_equal(examples.labels["warm"], numbers[ends, 0])


def test_several_targets_are_labels_or_one_vector(compose_series, table):
    file, numbers, _ = table
    ignored = "data.columns={rain:{type:ignore},part:{type:ignore}}"
    two = ["data.targets=[warm,wind]", ignored, "data.window=4", *NO_SHARES]
    data = compose_series(file, *two).data
    assert list(data.labels) == ["warm", "wind"]
    # Of targets alone there are windows too.
    np.testing.assert_array_equal(read_series(data).features["series"][0], numbers[:4])
    joined = [f"data.columns.{name}.label=air" for name in ("warm", "wind")]
    data = compose_series(file, *two, *joined).data
    assert data.labels["air"].shape == [2]
    np.testing.assert_array_equal(read_series(data).labels["air"], numbers[4:])


def test_a_class_is_a_label_alone(compose_series, table):
    file, numbers, rain = table
    data = compose_series(
        file, "data.targets=[rain]", "data.columns.part.type=ignore", "data.window=3", *NO_SHARES
    ).data
    assert (data.classes, data.class_names) == (2, ["n", "y"])
    examples = read_series(data)
    np.testing.assert_array_equal(examples.features["series"][0], numbers[:3])
    np.testing.assert_array_equal(examples.labels["rain"], 1 - rain[3:])


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("split", ["shares", "column"])
def test_no_row_is_in_windows_of_two_splits(compose_series, table, split, stride):
    file, *_ = table
    overrides = {
        "shares": [*WARM, "data.split.validation=0.25", "data.split.test=0.25"],
        "column": [
            "data.targets=[warm]",
            "data.columns.rain.type=ignore",
            "data.split.column=part",
        ],
    }[split]
    config = compose_series(file, *overrides, "data.window=4", f"data.stride={stride}")
    validate(config)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    reach = np.arange(5)
    taken = {
        name: set((one.rows[:, np.newaxis] + reach).ravel().tolist())
        for name, one in vars(dataset).items()
    }
    places = {
        "shares": np.repeat(["train", "train", "validation", "test"], 10),
        "column": np.repeat(["train", "validation", "train", "test"], 10),
    }[split]
    for name, rows in taken.items():
        assert rows <= set(np.flatnonzero(places == name).tolist())
    if stride == 1:
        # All that lie within: 6 of 10 rows, 16 of 20 in one piece.
        assert len(dataset.validation) == len(dataset.test) == 6
        assert len(dataset.train) == (16 if split == "shares" else 12)


def test_windows_over_a_dropped_row_are_left_out(compose_series, tmp_path):
    file = tmp_path / "gaps.csv"
    lines = [f"{row}.5,{row}.5" if row != 6 else "," for row in range(12)]
    file.write_text("\n".join(["x,y", *lines]), encoding="utf-8")
    data = compose_series(
        file, "data.targets=[y]", "data.window=3", "data.missing=drop", *NO_SHARES
    ).data
    examples = read_series(data)
    assert examples.rows.tolist() == [0, 1, 2, 7, 8]
    assert examples.labels["y"].tolist() == [3.5, 4.5, 5.5, 10.5, 11.5]
    assert error_of(read_series, compose_series(file, "data.targets=[y]").data).startswith(
        "data.missing: expected a value; column 'x' has none in row 6, counted from 0."
    )


def test_windows_may_be_read_when_they_are_asked_for(compose_series):
    overrides = ["data.targets=[level]", "data.window=10"]
    whole = read_series(compose_series(SAMPLE, *overrides).data)
    lazy = read_series(compose_series(SAMPLE, *overrides, "data.stream=true").data)
    column = lazy.features["series"]
    assert isinstance(column, LazyColumn)
    assert column.shape == whole.features["series"].shape
    np.testing.assert_array_equal(column[:], whole.features["series"])
    rows = np.array([5, 2])
    np.testing.assert_array_equal(
        lazy.select(rows).take(slice(None)).features["series"], whole.features["series"][rows]
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.window=40"],
            "data.window: expected a table of 41 rows or more, as a window and its label take; "
            "received 40 (int).",
        ),
        (["data.stride=0"], "data.stride: expected a number of 1 or more; received 0 (int)."),
        (["data.horizon=0"], "data.horizon: expected a number of 1 or more; received 0 (int)."),
        (
            ["data.targets=[]"],
            "data.targets: expected a column to predict, or several; received [] (list).",
        ),
        (
            ["data.columns.part={type:text}"],
            "data.columns: expected columns that all stand in one feature, numbers; "
            "received 'part' (str). Set data.columns.part.type=ignore to leave it out.",
        ),
        (
            ["data.split.group=part", "data.columns.part.type=null"],
            "data.split.group: expected null, since windows are divided in the order of the rows; "
            "received 'part' (str).",
        ),
        (
            ["data.fold=0"],
            "data.fold: expected null, since windows are divided in the order of the rows; "
            "received 0 (int).",
        ),
    ],
)
def test_what_cannot_be_windows_is_refused(compose_series, table, overrides, message):
    def read():
        config = compose_series(table[0], *WARM, *overrides)
        validate(config)
        read_series(config.data)

    assert error_of(read) == message
