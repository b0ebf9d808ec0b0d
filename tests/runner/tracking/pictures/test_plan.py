"""What is drawn of which value."""

import subprocess
import sys
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from runner.results import FetchResult
from runner.tracking.pictures.kinds import choose_kinds, find_images
from runner.tracking.pictures.plan import name_file, plan_pictures
from tests.datalook import BALANCE, EXAMPLES

COUNT = 6


def floats(*shape):
    return np.zeros(shape, np.float32)


def of_dtype(dtype, *shape):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (floats(6, 8, 8, 1), ["images"]),
        (floats(6, 8, 8, 3), ["images"]),
        (floats(6, 8, 8, 4), ["images"]),
        (of_dtype(np.uint8, 6, 8, 8, 4), ["images"]),
        (of_dtype(np.int64, 6, 8, 8, 1), ["images"]),
        (of_dtype(bool, 6, 8, 8, 1), ["images"]),
        (of_dtype(ml_dtypes.bfloat16, 6, 8, 8, 3), ["images"]),
        (floats(6, 8, 8, 4) - 1, ["maps", "histogram"]),  # signed: no picture with alpha
        (floats(6, 8, 8, 2), ["maps", "histogram"]),
        (floats(6, 2, 2, 64), ["maps", "histogram"]),
        (of_dtype(np.int32, 6, 8, 8, 32), ["maps"]),
        (floats(6, 1, 1, 64), ["histogram"]),  # nothing to look at in a pixel
        (floats(6, 256), ["histogram"]),
        (of_dtype(ml_dtypes.bfloat16, 6, 256), ["histogram"]),
        (of_dtype(np.float16, 6, 4, 8), ["histogram"]),
        (floats(6, 16), []),  # the table says it all
        (floats(6), []),
        (floats(3, 3, 1, 32), ["histogram"]),  # a kernel
        (floats(17), ["histogram"]),
        (floats(16), []),
        (floats(), []),
        (floats(0, 8, 8, 3), []),
        (of_dtype(np.int64, 6, 256), []),
        (of_dtype(np.complex64, 6, 256), []),
        (of_dtype(object, 6, 8, 8, 3), []),
        (of_dtype("S4", 6, 256), []),
        (of_dtype("U4", 6, 8, 8, 3), []),
        (of_dtype([("a", "f4")], 6, 256), []),
        (np.float32(1.0), []),
        (None, []),
        ("text", []),
        ((floats(6, 2), floats(6), floats(2)), []),  # a sparse value
        ([floats(3), floats(4)], []),
    ],
)
def test_a_values_pictures_are_those_of_its_shape_and_dtype(value, kinds):
    assert list(choose_kinds(value, COUNT)) == kinds


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (floats(6, 3, 1, 32), ["histogram"]),
        (floats(17), ["histogram"]),
        (floats(16), []),
        (floats(), []),
    ],
)
def test_what_holds_no_value_for_each_example_is_no_picture(value, kinds):
    assert list(choose_kinds(value, None)) == kinds


def test_the_first_feature_that_is_a_picture_is_found():
    features = {"size": floats(6, 2), "image": floats(6, 8, 8, 3), "mask": floats(6, 8, 8, 1)}
    assert find_images(features).shape == (6, 8, 8, 3)
    assert find_images({"size": floats(6, 2)}) is None


def test_pictures_are_named_for_the_fetch():
    fetched = {"outputs": floats(6, 10), "hidden.0": floats(6, 8, 8, 16)}
    fetched["kernel"] = floats(6, 3, 1, 32)
    result = FetchResult(
        split="test",
        fetched=fetched,
        batched=frozenset(["outputs", "hidden.0"]),
        structure={},
        rows=np.arange(6),
        labels={},
        classes=None,
    )
    files = [picture.file for picture in plan_pictures(result)]
    assert files == ["hidden.0.maps.png", "hidden.0.histogram.png", "kernel.histogram.png"]


def test_the_pictures_of_the_data_are_of_what_there_is():
    def plan(result):
        return [picture.file for picture in plan_pictures(result)]

    assert plan(BALANCE) == ["balance.png"]
    assert plan(replace(BALANCE, labels=())) == []
    assert plan(EXAMPLES) == ["examples.png"]
    image = EXAMPLES.features["image"]
    assert plan(replace(EXAMPLES, features={"left": image, "right:1": image})) == [
        "examples.left.png",
        f"examples.{name_file('right:1')}.png",
    ]
    assert plan(replace(EXAMPLES, features={"x": np.zeros((2, 3))})) == []
    assert plan(replace(EXAMPLES, features={"image": image[:0]})) == []


def test_a_name_that_is_not_fit_for_a_file_keeps_apart_from_others():
    assert name_file("block.0.conv-1_x") == "block.0.conv-1_x"
    names = ["conv1/Relu:0", "conv1/Relu_0", "../../etc", "a" * 300, "a" * 301, "\N{SNOWMAN}" * 200]
    files = [name_file(name) for name in names]
    assert len(set(files)) == len(names)
    assert not [file for file in files if "/" in file or len(file.encode()) > 200]


def test_planning_imports_no_matplotlib():
    code = "import sys, runner.tracking.mlflow; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
