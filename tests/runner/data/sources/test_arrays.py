"""NumPy's files: what is in them, and what is wrong with them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from models.config import TensorConfig
from models.problems import ConfigError
from runner.data.describing import describe
from runner.data.sources.arrays import read_arrays
from tests.datasets import load_dataset


@pytest.fixture
def digits():
    source = load_digits()
    return {
        "image": (source.images[..., np.newaxis] / 16).astype(np.float32),
        "digit": source.target,
    }


@pytest.fixture
def compose_arrays(compose, tmp_path):
    def compose_file(*overrides, file="data.npz", **arrays):
        if arrays:
            np.savez(tmp_path / file, **arrays)
        return compose("data=arrays", f"data.file={tmp_path / file}", *overrides)

    return compose_file


def save_folder(folder, arrays):
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def test_shapes_dtypes_and_classes_are_read_from_the_file(compose_arrays, digits):
    data = compose_arrays("data.targets=[digit]", **digits).data
    assert {name: (one.shape, one.dtype) for name, one in data.features.items()} == {
        "image": ([8, 8, 1], "float32")
    }
    assert {name: (one.shape, one.dtype) for name, one in data.labels.items()} == {
        "digit": ([], "int64")
    }
    assert data.classes == 10


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_rows_are_those_of_the_file(compose_arrays, digits, tmp_path, form):
    if form == "npy":
        save_folder(tmp_path / "folder", digits)
        config = compose_arrays("data.targets=[digit]", file="folder")
    else:
        config = compose_arrays("data.targets=[digit]", **digits)
    dataset = load_dataset(config.data, config.model.inputs, config.seed)
    rows = np.concatenate([split.rows for split in vars(dataset).values()])
    assert sorted(rows) == list(range(1797))
    for split in vars(dataset).values():
        np.testing.assert_array_equal(split.features["image"], digits["image"][split.rows])
        np.testing.assert_array_equal(split.labels["digit"], digits["digit"][split.rows])


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (np.array([0, 3, 1], np.int32), 4),
        (np.array([False, True, True]), 2),
        (np.array([0.0, 1.5, 2.0]), None),
        (np.eye(3, dtype=np.int64), None),
    ],
)
def test_integers_are_classes(compose_arrays, target, classes):
    x = np.zeros((3, 2), np.float32)
    assert compose_arrays("data.targets=[y]", image=x, y=target).data.classes == classes


def test_missing_values_are_dropped_kept_or_filled(compose_arrays):
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    x[2, 1] = np.nan
    dropped = read_arrays(compose_arrays("data.missing=drop", image=x).data)
    assert dropped.rows.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(dropped.features["image"], x[[0, 1, 3]])
    kept = read_arrays(compose_arrays("data.missing=keep").data)
    np.testing.assert_array_equal(kept.features["image"], x)
    filled = read_arrays(compose_arrays("data.fill=-1").data).features["image"]
    np.testing.assert_array_equal(filled, np.where(np.isnan(x), np.float32(-1), x))
    assert filled.dtype == np.float32


def test_a_missing_value_is_refused_with_its_rows(compose_arrays):
    x = np.zeros((9, 1))
    x[[1, 4, 5, 7]] = np.nan
    config = compose_arrays(image=x)
    with pytest.raises(ConfigError) as caught:
        read_arrays(config.data)
    assert str(caught.value) == (
        "data.missing: expected a value; image has none in row 1, 4, 5 and 1 more, counted "
        "from 0. "
        "Set data.missing to drop such rows or to keep them, or data.fill to a number."
    )


def error_of(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_files_that_cannot_be_read_are_named(compose_arrays, tmp_path, digits):
    assert error_of(compose_arrays) == (
        "data.file: expected an .npz file, or a folder of .npy; "
        f"received '{tmp_path / 'data.npz'}' (str)."
    )
    (tmp_path / "data.npz").write_bytes(b"")
    assert error_of(compose_arrays).startswith("data.file: data.npz cannot be read as .npz: ")
    np.savez(tmp_path / "data.npz", **digits)
    whole = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "data.npz").write_bytes(whole[: len(whole) // 2])
    assert error_of(compose_arrays).startswith("data.file: data.npz cannot be read as .npz: ")
    np.save(tmp_path / "one.npy", np.zeros(3))
    assert error_of(compose_arrays, file="one.npy").endswith(
        "Of .npy files give the folder that they are in."
    )
    (tmp_path / "empty").mkdir()
    assert error_of(compose_arrays, file="empty").startswith(
        "data.file: expected a file with arrays in it"
    )


class Harm:
    """Leaves a file where it is unpickled."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return type(self.proof).touch, (self.proof,)


@pytest.mark.parametrize("form", ["npz", "npy"])
def test_pickles_are_refused_and_not_loaded(compose_arrays, tmp_path, form):
    harmful = np.array([Harm(tmp_path / "proof")], dtype=object)
    if form == "npy":
        save_folder(tmp_path / "folder", {"x": harmful})
        message = error_of(compose_arrays, file="folder")
        assert message.startswith("data.file: x.npy cannot be read: ")
        assert "Python objects" in message
    else:
        message = error_of(compose_arrays, x=harmful)
        assert message.startswith("data.file: the array 'x' of data.npz cannot be read: ")
        assert "allow_pickle=False" in message
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize(
    ("overrides", "arrays", "message"),
    [
        (
            ["data.targets=[digits]"],
            {"image": np.zeros(3), "digit": np.zeros(3)},
            "data.targets[0]: expected an array of data.npz; received 'digits' (str). "
            "Did you mean 'digit'?",
        ),
        (
            [],
            {"image": np.zeros(3), "digit": np.zeros(4)},
            "data.file: expected as many rows in each array of data.npz; they have: "
            "image 3, digit 4.",
        ),
        (
            [],
            {"image": np.zeros((0, 3))},
            "data.file: expected examples; data.npz has no row.",
        ),
        (
            [],
            {"image": np.zeros(3), "rate": np.float64(0.5)},
            "data.file: expected an array with an axis of examples as 'rate' of data.npz; "
            "received 0.5 (float).",
        ),
        (
            ["data.targets=[digit]"],
            {"image": np.zeros(3), "digit": np.array([0, 1, -1])},
            "data.targets[0]: expected classes counted from 0 in 'digit', such as in row 2; "
            "received -1 (int).",
        ),
        (
            [],
            {"image": np.zeros(3, "datetime64[s]")},
            "data.file: expected an array of a dtype that TensorFlow has as 'image' of data.npz; "
            "received 'datetime64[s]' (str).",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_named(compose_arrays, overrides, arrays, message):
    assert error_of(compose_arrays, *overrides, **arrays) == message


def test_what_is_declared_of_a_file_must_hold(compose_arrays):
    data = compose_arrays(image=np.zeros((3, 4))).data
    declare = TensorConfig([8], "float32")
    assert error_of(describe, replace(data, features={"image": declare})) == (
        "data.features.image.shape: expected [4], as the source has; received [8] (list).\n"
        "data.features.image.dtype: expected float64, as the source has; "
        "received 'float32' (str)."
    )
    assert error_of(describe, replace(data, features={"images": declare})) == (
        "data.features.images: expected the name of something that the source has; "
        "received 'images' (str). Did you mean 'image'?"
    )
    assert describe(replace(data, features={"image": TensorConfig([None], "float64")}))
