"""PNG files: that they decode, the pixels that stand for values, and that nothing fails."""

import io
import logging
from dataclasses import replace
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from PIL import Image

from runner.results import BalanceResult, ClassifyResult, FetchResult, LabelBalance
from runner.tracking.pictures import drawing
from runner.tracking.pictures.histogram import count_values, summarize
from runner.tracking.pictures.plan import Picture, plan_pictures
from runner.tracking.pictures.scales import NOT_FINITE, Scale, scale_images, scale_maps
from runner.tracking.pictures.sheet import Sheet, enlarge, fit_width
from runner.tracking.pictures.tiles import shrink
from tests.datalook import BALANCE, EXAMPLES


def fetched(name, value, examples, labels=None):
    return FetchResult(
        split="test",
        fetched={name: value},
        batched=frozenset([name]),
        structure={},
        rows=np.arange(examples),
        labels=labels or {},
        classes=None,
    )


def draw(name, value, examples, *kinds, labels=None):
    """Returns the pixels of each picture of a value by its kind; only of `kinds`, if given."""
    result = fetched(name, value, examples, labels)
    planned = [one for one in plan_pictures(result) if not kinds or one.kind in kinds]
    drawn = drawing.draw_pictures(result, planned)
    return {file.split(".")[-2]: decode(content) for file, content in drawn}


def decode(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def count_colour(pixels, colour):
    return int((pixels == colour).all(axis=-1).sum())


def classified(actual, predicted, *, classes, features, left_out=0):
    wrong = np.flatnonzero(np.array(actual) != np.array(predicted))
    return ClassifyResult(
        split="test",
        output="logits",
        label="digit",
        classes=classes,
        rows=np.arange(len(actual)),
        actual=np.array(actual),
        predicted=np.array(predicted),
        confidence=np.full(len(actual), 0.9),
        left_out=left_out,
        shown=wrong,
        features={name: values[wrong] for name, values in features.items()},
    )


def test_a_byte_is_drawn_as_its_own_colour():
    image = np.array([[[255, 0, 0], [0, 255, 7]], [[0, 13, 255], [90, 90, 90]]], np.uint8)
    pixels = draw("photo", image[np.newaxis], 1)["images"]
    for colour in image.reshape(-1, 3):
        assert count_colour(pixels, colour) == 60 * 60


def test_each_value_of_one_channel_is_a_square_of_its_grey():
    images = np.array([0.0, 0.2, 0.6, 1.0], np.float32).reshape(1, 2, 2, 1)
    pixels = draw("image", images, 1)["images"]
    rows, columns = np.nonzero((pixels == 51).all(axis=-1))
    top, left = rows.max() - 59, columns.max() - 59
    squares = pixels[top : top + 120, left - 60 : left + 60].reshape(2, 60, 2, 60, 3)
    for (row, column), grey in np.ndenumerate([[0, 51], [153, 255]]):
        assert (squares[row, :, column] == grey).all()


def test_signed_values_are_drawn_about_zero_in_one_colour_a_sign():
    scale = scale_images(np.array([[-0.5, 0.25]]).reshape(1, 1, 2, 1))
    assert scale == Scale(-0.5, 0.5, "RdBu_r")
    blue, white, red = scale.paint(np.array([-0.5, 0.0, 0.5])).astype(int)
    assert blue[2] > blue[0] + 50
    assert red[0] > red[2] + 50
    assert white.min() > 240


def test_each_signed_image_has_a_scale_of_its_own():
    gradients = np.array([[1e-6, -1e-6], [3.0, -3.0]], np.float32).reshape(2, 1, 2, 1)
    pixels = draw("gradient", gradients.repeat(2, axis=1), 2)["images"]
    for colour in Scale(-1, 1, "RdBu_r").paint(np.array([-1.0, 1.0])):
        assert count_colour(pixels, colour) >= 2 * 60 * 120


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.array([0, 90], np.uint8), Scale(0, 255, "gray")),
        (np.array([0.0, 0.9]), Scale(0, 1, "gray")),
        (np.array([0.0, 0.01]), Scale(0, 0.01, "gray")),  # it would be black on a scale to 1
        (np.array([3.0, 200.0]), Scale(0, 255, "gray")),
        (np.array([0, 7]), Scale(0, 7, "gray")),
        (np.array([0.0, 0.0]), Scale(0, 1, "gray")),
        (np.array([False, True]), Scale(0, 1, "gray")),
        (np.array([np.nan, np.inf]), Scale(0, 1, "gray")),
        (np.array([-3.0, np.nan, 1.0]), Scale(-3, 3, "RdBu_r")),
    ],
)
def test_the_scale_of_images_is_that_of_their_values(values, scale):
    assert scale_images(values) == scale


def test_feature_maps_share_one_scale():
    assert scale_maps(np.array([0.5, 4.0])) == Scale(0, 4, "viridis")
    assert scale_maps(np.array([-5.0, 4.0])) == Scale(-5, 5, "RdBu_r")


def test_a_scale_holds_the_largest_floats():
    most = np.finfo(np.float64).max
    painted = Scale(-most, most, "gray").paint(np.array([-most, 0.0, most]))
    np.testing.assert_array_equal(painted[:, 0], [0, 128, 255])


def test_alpha_is_drawn_on_white():
    painted = Scale(0, 1, "gray").paint_channels(np.array([[0, 0, 0, 0.0], [1, 0, 0, 1.0]]))
    np.testing.assert_array_equal(painted, [[255, 255, 255], [255, 0, 0]])


def test_what_is_not_finite_is_magenta():
    images = np.zeros((1, 4, 4, 1), np.float32)
    images[0, 0, :2, 0] = np.nan, np.inf
    pixels = draw("gradient", images, 1)["images"]
    assert count_colour(pixels, NOT_FINITE) == 2 * 30 * 30


def test_every_channel_of_a_few_examples_is_a_map():
    maps = np.zeros((6, 4, 4, 5), np.float32)
    maps[:, :, :, 3] = np.nan
    pixels = draw("conv1", maps, 6, "maps")["maps"]
    assert count_colour(pixels, NOT_FINITE) == 4 * 56 * 56


def test_large_arrays_are_capped():
    photos = np.zeros((200, 600, 900, 3), np.uint8)
    assert max(draw("photo", photos, 200)["images"].shape) < 1300
    maps = np.zeros((100, 300, 300, 100), np.float16)
    height, width, _ = draw("conv1", maps, 100, "maps")["maps"].shape
    assert (height < 5000, width < 1300) == (True, True)


def test_the_title_says_what_is_left_out(monkeypatch):
    titles = []
    opened = Sheet.__init__

    def record(sheet, title, notes, width, height):
        titles.append((title, list(notes)))
        opened(sheet, title, notes, width, height)

    monkeypatch.setattr(Sheet, "__init__", record)
    draw("photo", np.zeros((40, 600, 900, 3), np.uint8), 40)
    draw("conv1", np.zeros((40, 4, 4, 100), np.float32), 40)
    labels = np.array([0, 1, 0, 1] * 20)
    features = {"image": np.zeros((80, 8, 8, 1), np.float32)}
    result = classified(labels, 1 - labels, classes=500, features=features, left_out=3)
    list(drawing.draw_pictures(result, plan_pictures(result)))
    assert titles[0][0] == "photo: the first 24 of 40 test examples"
    assert titles[0][1][-1] == "of 4 pixels each way, 1 is drawn"
    assert titles[1][0] == "conv1: the first 64 of 100 channels of the first 4 of 40 test examples"
    assert "100 of 100 channels are 0 for all examples" in titles[1][1][0]
    assert titles[2][0] == "conv1: 64,000 values"
    assert "zeros 100.0%" in titles[2][1][1]
    assert titles[3][0] == "logits: 0 of 80 test examples right (0.0%)"
    assert titles[3][1][1:] == [
        "the 2 of 500 classes that are in the most mistakes",
        "3 more examples have no class or no finite output",
    ]
    assert titles[4][0] == "logits: the worst 32 of 80 mistakes in 80 test examples"


def test_a_histograms_numbers_are_those_of_numpy():
    values = np.array([0.0, 0.0, -1.0, 5.0, np.nan, np.inf], np.float32)
    summary = summarize(values)
    assert (summary.least, summary.mean, summary.largest) == (-1.0, 1.0, 5.0)
    assert (summary.zeros, summary.not_finite) == (2 / 6, 2)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=1000),
        np.full(50, 1e20),
        np.full(50, -3.0),
        np.zeros(50),
        1 + np.arange(50) * np.finfo(float).eps,
    ],
)
def test_every_value_is_in_a_bar(values):
    counts, edges = count_values(values)
    assert counts.sum() == len(values)
    assert (np.diff(edges) > 0).all()


def test_cells_of_a_confusion_matrix_are_blue_if_right_and_red_if_not():
    result = classified([0] * 9 + [1] * 9, [0] * 9 + [0] * 9, classes=2, features={})
    ((file, content),) = drawing.draw_pictures(result, plan_pictures(result))
    assert file == "logits.confusion.png"
    pixels = decode(content).astype(int)
    colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    areas = {tuple(colour): area for colour, area in zip(colours, counts, strict=True)}
    filled = [colour for colour, area in areas.items() if 2000 < area < 51 * 51]
    assert len(filled) == 2
    assert {colour[0] > colour[2] for colour in filled} == {True, False}


def test_mistakes_are_pictures_where_a_feature_is_one():
    features = {"size": np.ones((4, 2)), "image": np.full((4, 8, 8, 1), 0.2, np.float32)}
    features["image"][:, 0, 0] = 1
    result = classified([0, 1, 1, 1], [0, 1, 0, 0], classes=2, features=features)
    files = dict(drawing.draw_pictures(result, plan_pictures(result)))
    pixels = decode(files["logits.mistakes.png"])
    assert count_colour(pixels, (51, 51, 51)) >= 2 * 63 * 15 * 15


@pytest.mark.parametrize(
    "value",
    [
        np.full((3, 8, 8, 1), np.nan, np.float32),
        np.full((3, 8, 8, 3), np.inf, np.float32),
        np.full((3, 8, 8, 16), np.nan, np.float16),
        np.full((3, 2, 9, 5), np.finfo(np.float32).max),
        np.array([-1, 1], np.float32).repeat(150).reshape(3, 100) * np.finfo(np.float32).max,
        np.full((3, 100), 5e-324),
        np.zeros((3, 3000, 2, 1), np.uint8),
        np.zeros((3, 2, 3000, 64), np.float32),
        np.ones((3, 8, 8, 1), bool),
        np.full((3, 8, 8, 1), np.iinfo(np.int64).min),
        np.ones((3, 8, 8, 3), ml_dtypes.bfloat16),
        np.ones((3, 64), ml_dtypes.float8_e4m3fn),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_strange_values_are_drawn(value, caplog):
    labels = {"$x_0$": np.array(["\N{SNOWMAN}" * 40] * 3), "y": np.array([0.5, np.nan, 1])}
    assert draw("a $name$ of _ 猫 " * 9, value, 3, labels=labels)
    assert caplog.messages == []


def draw_all(result):
    drawn = drawing.draw_pictures(result, plan_pictures(result))
    return [decode(content) for _, content in drawn]


TRAIN, TEST = (43, 108, 176), (85, 168, 104)


def heights(pixels, colour):
    """Returns the heights of the bars of a colour, from the left."""
    columns = (pixels == colour).all(axis=-1).sum(axis=0)
    starts = np.flatnonzero(np.diff(columns, prepend=0, append=0))
    runs = [columns[start:end] for start, end in pairwise(starts)]
    return [int(run[0]) for run in runs if len(run) > 10 and run[0] > 10]


def test_bars_are_as_high_as_the_share_of_a_class():
    (pixels,) = draw_all(replace(BALANCE, labels=BALANCE.labels[:1]))
    below = pixels[110:]  # the key to the colours
    most, least = heights(below, TRAIN)
    assert most / least == pytest.approx(3, rel=0.05)
    one, other = heights(below, TEST)
    assert one == other
    assert one / least == pytest.approx(2, rel=0.05)


def test_examples_are_drawn_as_the_grey_of_their_values():
    (pixels,) = draw_all(EXAMPLES)
    for grey in (51, 153):
        assert count_colour(pixels, (grey,) * 3) >= 2 * 60 * 60


@pytest.mark.parametrize("classes", [1, 12, 30, 41, 1000])
def test_labels_of_any_number_of_classes_are_drawn(classes, caplog):
    counts = np.arange(classes)
    names = tuple(f"$a_{index}$ {'long ' * 9}" for index in range(classes))
    label = LabelBalance("$x_0$", names, np.empty(0), {"train": counts, "test": counts * 0})
    (pixels,) = draw_all(BalanceResult({"train": int(counts.sum()), "test": 0}, (label,) * 9))
    assert max(pixels.shape) < 3500
    assert caplog.messages == []


def test_the_labels_of_numbers_that_are_all_alike_are_drawn(caplog):
    label = LabelBalance("y", (), np.array([-0.5, 0.5]), {"test": np.array([3])})
    assert draw_all(BalanceResult({"test": 3}, (label,)))
    assert caplog.messages == []


def test_a_picture_that_fails_is_told_and_others_are_drawn(monkeypatch, caplog):
    def fail(*_):
        raise ValueError("no picture")

    monkeypatch.setattr(drawing, "draw_maps", fail)
    with caplog.at_level(logging.WARNING):
        drawn = draw("conv1", np.ones((3, 8, 8, 16), np.float32), 3)
    assert list(drawn) == ["histogram"]
    assert caplog.messages == ["conv1.maps.png is not drawn: ValueError('no picture')"]


def test_the_largest_floats_are_maps_without_a_histogram(caplog):
    maps = np.full((3, 2, 9, 5), np.finfo(np.float64).max)
    with caplog.at_level(logging.WARNING):
        assert list(draw("conv1", maps, 3)) == ["maps"]
    assert "conv1.histogram.png is not drawn" in caplog.text


def test_a_value_that_is_no_array_is_told(caplog):
    result = fetched("step", None, 3)
    with caplog.at_level(logging.WARNING):
        assert list(drawing.draw_pictures(result, [Picture("step", "images")])) == []
    assert "step.images.png is not drawn" in caplog.text


def test_shrinking_keeps_each_nth_pixel():
    images = np.arange(2 * 5 * 7).reshape(2, 5, 7, 1)
    shrunk, step = shrink(images, 4)
    assert step == 2
    np.testing.assert_array_equal(shrunk, images[:, ::2, ::2])


def test_enlarging_makes_squares():
    picture = np.arange(12).reshape(2, 2, 3)
    np.testing.assert_array_equal(enlarge(picture, 3), np.kron(picture, np.ones((3, 3, 1))))


def test_labels_that_do_not_fit_are_left_out_whole():
    assert fit_width(["digit 6", "parity 0"], 200) == "digit 6, parity 0"
    assert fit_width(["digit 6", "parity 0"], 100) == "digit 6"
    assert fit_width(["a name of many letters"], 66) == "a name of…"
    assert fit_width([], 100) == ""


def test_names_of_classes_are_given_room():
    images = np.zeros((4, 8, 8, 1), np.float32)
    plain = classified([0, 1, 1, 0], [0, 0, 1, 0], classes=2, features={"image": images})
    named = replace(plain, class_names=("a name as long as can be", "dog"))
    sizes = {}
    for key, result in (("plain", plain), ("named", named)):
        for file, content in drawing.draw_pictures(result, plan_pictures(result)):
            sizes[key, file.split(".")[-2]] = decode(content).shape[:2]
    (plain_height, _), (named_height, _) = (sizes[key, "confusion"] for key in ("plain", "named"))
    # The names stand upright above the columns: at most 18 letters of them.
    assert 80 < named_height - plain_height < 140
    assert sizes["named", "mistakes"] == sizes["plain", "mistakes"]
