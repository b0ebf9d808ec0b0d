"""Lines of text with labels, and what is wrong with them."""

from pathlib import Path

import pytest

from models.problems import ConfigError
from runner.data.sources.text import read_text
from runner.validation import validate
from tests.datasets import load_dataset

SAMPLES = Path(__file__).parents[3] / "samples" / "irises"


@pytest.fixture
def compose_text(compose):
    return lambda file, *overrides: compose(
        "model=letters", "data=text", f"data.file={file}", *overrides
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mood.txt"
    lines = ["glad\tWhat a day", "", "sad\tIt rains", "glad\tSun, at last\tand wind", "  "]
    path.write_bytes("﻿".encode() + "\r\n".join(lines).encode())
    return path


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_folder_has_a_file_for_each_class(compose_text):
    config = compose_text(SAMPLES)
    validate(config)
    data = config.data
    assert (data.features["text"].shape, data.features["text"].dtype) == ([], "string")
    assert (data.classes, data.class_names) == (3, ["setosa", "versicolor", "virginica"])
    examples = read_text(data)
    lines = [
        (line, index)
        for index, name in enumerate(data.class_names)
        for line in (SAMPLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    ]
    texts = examples.features["text"].tolist()
    assert list(zip(texts, examples.labels["class"].tolist(), strict=True)) == lines
    assert examples.rows.tolist() == list(range(150))
    assert examples.ids[[0, 50]].tolist() == ["setosa.txt:1", "versicolor.txt:1"]


def test_a_file_has_the_label_in_front(compose_text, file):
    data = compose_text(file).data
    assert data.class_names == ["glad", "sad"]
    examples = read_text(data)
    assert examples.features["text"].tolist() == [
        "What a day",
        "It rains",
        "Sun, at last\tand wind",
    ]
    assert examples.labels["class"].tolist() == [0, 1, 0]
    assert examples.ids.tolist() == ["mood.txt:1", "mood.txt:3", "mood.txt:4"]


def test_another_delimiter_and_an_order_of_classes(compose_text, file):
    file.write_text("b::one\na::two\n", encoding="utf-8")
    data = compose_text(file, "data.delimiter='::'", "data.class_names=[b,a,c]").data
    assert data.classes == 3
    assert read_text(data).labels["class"].tolist() == [0, 1]


def test_every_line_is_in_one_split(compose_text):
    config = compose_text(SAMPLES)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    rows = [row for split in vars(dataset).values() for row in split.rows]
    assert sorted(rows) == list(range(150))


def test_what_is_no_text_is_refused_by_file_and_line(compose_text, file, tmp_path):
    assert error_of(compose_text, tmp_path / "none.txt") == (
        "data.file: expected a .txt file, or a folder that holds one for each class; "
        f"received '{tmp_path / 'none.txt'}' (str)."
    )
    (tmp_path / "empty").mkdir()
    assert error_of(compose_text, tmp_path / "empty") == (
        "data.file: expected a folder that holds a .txt file for each class; "
        f"received '{tmp_path / 'empty'}' (str)."
    )
    (tmp_path / "empty" / "sad").mkdir()
    (tmp_path / "empty" / "sad" / "1.txt").write_text("a text")
    assert error_of(compose_text, tmp_path / "empty").endswith(
        "Put the texts of each folder in it into one .txt file of its name, a line each."
    )
    (tmp_path / "empty" / "a.txt").write_text("\n \n", encoding="utf-8")
    assert error_of(compose_text, tmp_path / "empty") == (
        "data.file: expected text; a.txt has none."
    )
    file.write_bytes(b"glad\tfine\nsad\tcaf\xe9\n")
    assert error_of(compose_text, file) == (
        "data.file: mood.txt, line 2, is no UTF-8: unexpected end of data."
    )
    file.write_text("glad\tfine\n\nsad and wet\n", encoding="utf-8")
    assert error_of(compose_text, file) == (
        "data.delimiter: expected a label, '\\t' and a text in mood.txt, line 3; "
        "received 'sad and wet' (str). Set data.delimiter to what stands between them."
    )


def test_a_label_that_is_not_declared_is_refused(compose_text, file):
    config = compose_text(file, "data.class_names=[glad,bad]")
    assert error_of(read_text, config.data) == (
        "data.class_names: expected one of the classes in mood.txt, line 3; received 'sad' (str). "
        "Did you mean 'bad'?"
    )


def test_an_empty_delimiter_is_refused(compose_text):
    assert error_of(validate, compose_text(SAMPLES, "data.delimiter=''")) == (
        "data.delimiter: expected what stands between label and text; received '' (str)."
    )
