"""Folders of pictures, beside TensorFlow's own decoding, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from models.problems import ConfigError
from runner.data.sources.pictures import read_images
from tests.datasets import load_dataset

SAMPLES = Path(__file__).parents[3] / "samples" / "digits"


@pytest.fixture
def compose_images(compose):
    return lambda folder, *overrides: compose("data=images", f"data.file={folder}", *overrides)


@pytest.fixture
def folder(tmp_path):
    """Returns a folder of four pictures, three of cats and one of a dog, each of another kind."""
    random = np.random.default_rng(0)
    for name, size in (
        ("cat/a.png", (6, 8)),
        ("cat/b.BMP", (6, 8)),
        ("cat/more/c.jpg", (6, 8)),
        ("dog/d.png", (6, 8)),
    ):
        file = tmp_path / "pets" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(file)
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no picture", encoding="utf-8")
    return tmp_path / "pets"


def decode(file, channels):
    decoded = tf.io.decode_image(tf.io.read_file(str(file)), channels)
    return decoded.numpy() / np.float32(255)


def error_of(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


def test_pictures_are_as_tensorflow_decodes_them(compose_images):
    data = compose_images(SAMPLES).data
    assert (data.features["image"].shape, data.features["image"].dtype) == ([8, 8, 1], "float32")
    assert (list(data.labels), data.classes) == (["class"], 10)
    examples = read_images(data)
    files = sorted(SAMPLES.glob("*/*.png"))
    assert len(examples) == len(files) == 200
    np.testing.assert_array_equal(
        examples.features["image"], np.stack([decode(file, 1) for file in files])
    )
    assert examples.labels["class"].tolist() == [int(file.parent.name) for file in files]
    assert examples.rows.tolist() == list(range(200))


def test_kinds_of_files_and_colors(compose_images, folder):
    data = compose_images(folder, "data.colors=rgb").data
    assert data.features["image"].shape == [6, 8, 3]
    examples = read_images(data)
    files = [folder / name for name in ("cat/a.png", "cat/b.BMP", "cat/more/c.jpg", "dog/d.png")]
    for picture, file in zip(examples.features["image"], files, strict=True):
        np.testing.assert_array_equal(picture, decode(file, 3))
    assert examples.labels["class"].tolist() == [0, 0, 0, 1]
    assert read_images(compose_images(folder).data).features["image"].shape == (4, 6, 8, 1)


def test_pictures_are_resized(compose_images, folder):
    Image.new("RGB", (20, 30), (255, 0, 51)).save(folder / "dog" / "red.png")
    data = compose_images(folder, "data.colors=rgb", "data.size=[4,5]").data
    assert data.features["image"].shape == [4, 5, 3]
    pictures = read_images(data).features["image"]
    assert pictures.shape == (5, 4, 5, 3)
    np.testing.assert_array_equal(pictures[-1], np.full((4, 5, 3), [1, 0, 0.2], np.float32))


def test_every_picture_is_in_one_split(compose_images):
    config = compose_images(SAMPLES)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    rows = np.concatenate([split.rows for split in vars(dataset).values()])
    assert sorted(rows) == list(range(200))


def truncate(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def test_a_file_that_cannot_be_read_is_refused_by_name(compose_images, folder):
    truncate(folder / "dog" / "d.png")
    (folder / "cat" / "b.BMP").write_bytes(b"")
    message = error_of(read_images, compose_images(folder).data).splitlines()
    assert len(message) == 2
    for line, name in zip(message, ("cat/b.BMP", "dog/d.png"), strict=True):
        assert line.startswith(f"data.file: the picture {name} cannot be read: ")
        assert line.endswith("Set data.corrupt=skip to leave such files out.")


def test_files_that_cannot_be_read_are_skipped_and_counted(compose_images, folder, caplog):
    truncate(folder / "cat" / "a.png")
    (folder / "cat" / "b.BMP").write_bytes(b"")
    examples = read_images(compose_images(folder, "data.corrupt=skip", "data.size=[6,8]").data)
    assert examples.rows.tolist() == [2, 3]
    assert examples.labels["class"].tolist() == [0, 1]
    assert caplog.messages == ["data: 2 of 4 pictures cannot be read and are left out"]


def test_where_all_are_skipped_nothing_is_left(compose_images, folder):
    for file in folder.rglob("*.*"):
        file.write_bytes(b"")
    assert error_of(compose_images, folder, "data.corrupt=skip") == (
        "data.file: expected pictures; none can be read."
    )


def test_pictures_of_several_sizes_need_one(compose_images, folder):
    Image.new("L", (3, 2)).save(folder / "dog" / "z.png")
    assert error_of(read_images, compose_images(folder).data) == (
        "data.size: expected pictures of one size; dog/z.png is 2 by 3, others are 6 by 8. "
        "Set data.size=[HEIGHT,WIDTH] to resize all."
    )
    # A size is no corruption, and is not skipped.
    skipping = compose_images(folder, "data.corrupt=skip").data
    assert error_of(read_images, skipping).startswith("data.size: ")


def test_folders_without_classes_or_pictures_are_refused(compose_images, folder):
    assert error_of(compose_images, folder / "cat" / "more") == (
        "data.file: expected a folder that holds a folder for each class; "
        f"received '{folder / 'cat' / 'more'}' (str)."
    )
    assert error_of(compose_images, folder / "none").startswith("data.file: expected a folder")
    (folder / "empty").mkdir()
    assert error_of(compose_images, folder) == (
        "data.file: expected pictures (.png, .jpg, .jpeg, .bmp) in each folder of a class; "
        "received 'none in empty' (str)."
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.colors=rgba", "data.colors: expected grayscale or rgb; received 'rgba' (str)."),
        ("data.corrupt=drop", "data.corrupt: expected refuse or skip; received 'drop' (str)."),
        (
            "data.size=[8]",
            "data.size: expected a height and a width in pixels, or null; received [8] (list).",
        ),
    ],
)
def test_wrong_options_are_named(compose_images, folder, override, message):
    assert error_of(compose_images, folder, override) == message


def test_a_class_that_is_not_declared_is_refused_by_its_folder(compose_images, folder):
    message = "data.class_names: expected only folders of the declared classes in pets; received "
    assert error_of(compose_images, folder, "data.class_names=[cat,dot]") == (
        f"{message}'dog' (str). Did you mean 'dot'?"
    )
    named = compose_images(folder, "data.class_names=[dog,cow,cat]").data
    assert (named.class_names, named.classes) == (["dog", "cow", "cat"], 3)
    assert read_images(named).labels["class"].tolist() == [0, 2, 2, 2]


def test_pictures_of_known_classes_need_not_be_sorted(compose_images, folder):
    config = compose_images(folder / "dog", "data.class_names=[cat,dog]")
    examples = read_images(config.data)
    assert (config.data.labels, examples.labels) == ({}, {})
    assert examples.ids.tolist() == ["d.png"]
