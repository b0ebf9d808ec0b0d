"""Predictions in files, read by others than what wrote them."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.problems import ConfigError
from runner.predictions import read_predictions, write_predictions
from runner.results import PredictionsResult, PredictionsWritten, SplitResult

OTHER = SplitResult("test", 0, 0, {})
IDS = np.array(["a", "b, c", 'd"', "e", "é"], object)
CHANCES = np.arange(10, dtype=np.float32).reshape(5, 2) / 8
MAPS = np.arange(30, dtype=np.float32).reshape(5, 3, 2)


def batches():
    for rows in (slice(0, 3), slice(3, 5)):
        columns = {"row": np.arange(5)[rows], "id": IDS[rows], "maps": MAPS[rows]}
        yield PredictionsResult(
            5, {**columns, "probability": CHANCES[rows]}, {"probability": ("no", "yes")}
        )


def write(file, results=None):
    return list(write_predictions(batches() if results is None else results, file))


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_results_pass_and_the_file_is_told_at_the_end(tmp_path, ending):
    file = tmp_path / f"p.{ending}"
    other, written = write(file, [OTHER, *batches()])
    assert other is OTHER
    assert written == PredictionsWritten(file, 5, ("row", "id", "maps", "probability"))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_csv_has_a_column_a_number(tmp_path):
    write(tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as text:
        header, *rows = csv.reader(text)
    maps = [f"maps.{i}.{j}" for i in range(3) for j in range(2)]
    assert header == ["row", "id", *maps, "probability.no", "probability.yes"]
    assert [row[1] for row in rows] == list(IDS)
    np.testing.assert_array_equal(np.array([row[2:8] for row in rows], float), MAPS.reshape(5, 6))
    np.testing.assert_array_equal(np.array([row[8:] for row in rows], float), CHANCES)


def test_parquet_has_lists_and_a_column_a_class(tmp_path):
    write(tmp_path / "p.parquet")
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.column_names == ["row", "id", "maps", "probability.no", "probability.yes"]
    assert table["id"].to_pylist() == list(IDS)
    assert str(table["maps"].type).count("fixed_size_list") == 2
    np.testing.assert_array_equal(np.array(table["maps"].to_pylist()), MAPS)
    np.testing.assert_array_equal(table["probability.yes"].to_numpy(), CHANCES[:, 1])


def test_npz_has_an_array_a_name_without_pickles(tmp_path):
    write(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["id", "maps", "probability", "probability.names", "row"]
        assert arrays["id"].tolist() == list(IDS)
        assert arrays["maps"].dtype == np.float32
        np.testing.assert_array_equal(arrays["maps"], MAPS)
        np.testing.assert_array_equal(arrays["probability"], CHANCES)
        assert arrays["probability.names"].tolist() == ["no", "yes"]


def test_times_may_tell_examples_apart(tmp_path):
    times = np.array(["2024-01-01T10", "2024-01-02"], "datetime64[us]")
    file = tmp_path / "p.npz"
    write(file, [PredictionsResult(2, {"row": np.arange(2), "id": times}, {})])
    with np.load(file, allow_pickle=False) as arrays:
        assert arrays["id"].tolist() == times.tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_a_failure_leaves_what_was_there(tmp_path, ending):
    file = tmp_path / f"p.{ending}"
    file.write_text("before", encoding="utf-8")

    def fail():
        yield next(batches())
        raise RuntimeError("a step failed")

    with pytest.raises(RuntimeError, match="a step failed"):
        write(file, fail())
    assert file.read_text(encoding="utf-8") == "before"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_a_folder_that_is_not_there_is_told(tmp_path, ending):
    file = tmp_path / "none" / f"p.{ending}"
    with pytest.raises(ConfigError, match=r"^task\.file: .* cannot be written: "):
        write(file)


@pytest.mark.parametrize("ending", ["csv", "parquet", "npz"])
def test_predictions_are_read_as_they_were_written(tmp_path, ending):
    file = tmp_path / f"p.{ending}"
    write(file)
    told = read_predictions(file)
    assert told["id"].tolist() == list(IDS)
    maps = [told[f"maps.{i}.{j}"] for i in range(3) for j in range(2)] if ending == "csv" else None
    read = told["maps"] if maps is None else np.stack(maps, axis=1).reshape(5, 3, 2)
    np.testing.assert_array_equal(read, MAPS)
