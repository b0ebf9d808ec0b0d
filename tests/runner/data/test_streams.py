"""What is read while steps are taken, beside the same examples in memory."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from models.problems import ConfigError
from runner.data import digests
from runner.data.examples import Blocks, Examples, LazyColumn
from runner.data.ordering import keep_order, order_epoch
from runner.data.reading import read_examples
from runner.data.sources import table as table_module
from runner.data.sources.arrow import ParquetTable
from runner.data.streams import StreamFeeder, iterate_batches, open_stream
from tests.datasets import load_dataset

SAMPLES = Path(__file__).parents[2] / "samples" / "digits"
RANDOM = np.random.default_rng(0)


def frame_of(rows):
    return pd.DataFrame(
        {
            "a": RANDOM.random(rows),
            "b": RANDOM.random(rows).astype(np.float32),
            "kind": RANDOM.choice(["x", "y", "z"], rows),
            "note": [f"row {index}" for index in range(rows)],
            "target": RANDOM.integers(0, 3, rows),
            "patient": RANDOM.integers(0, 20, rows),
        }
    )


@pytest.fixture
def compose_frame(compose, tmp_path, monkeypatch):
    """Writes a table in row groups of 100 and composes it, read in chunks of some 42 rows."""
    monkeypatch.setattr(table_module, "_CHUNK_BYTES", 42 * 4 * 6)
    monkeypatch.setattr(table_module, "_WINDOW_BYTES", 3 * 42 * 4 * 6)

    def compose_file(frame, *overrides):
        file = tmp_path / "table.parquet"
        frame.to_parquet(file, row_group_size=100)
        targets = ["data.targets=[target]"] if "target" in frame else []
        return compose("model=tabular", "data=table", f"data.file={file}", *targets, *overrides)

    return compose_file


def streamed(config):
    return replace(config, data=replace(config.data, stream=True))


def read(config):
    return read_examples(config.data, config.model.inputs, config.seed)


def assert_same(batches, expected):
    for name in expected.features:
        joined = np.concatenate([batch.features[name] for batch in batches])
        np.testing.assert_array_equal(joined, expected.features[name])
    for name in expected.labels:
        joined = np.concatenate([batch.labels[name] for batch in batches])
        np.testing.assert_array_equal(joined, expected.labels[name])
    np.testing.assert_array_equal(np.concatenate([batch.rows for batch in batches]), expected.rows)


def test_a_streamed_table_is_the_table_in_memory(compose_frame):
    config = compose_frame(frame_of(350), "data.columns.kind.encoding=index", "data.id=patient")
    held, lazy = read(config), read(streamed(config))
    assert set(lazy.lazy) == {"numbers", "kind", "note"}
    assert [len(batch) for batch in iterate_batches(lazy, 32)] == [32] * 10 + [30]
    assert_same(list(iterate_batches(lazy, 32)), held)
    np.testing.assert_array_equal(lazy.ids, held.ids)
    rows = RANDOM.permutation(350)[:77]
    for name, array in held.take(rows).arrays.items():
        np.testing.assert_array_equal(lazy.take(rows).arrays[name], array)


@pytest.mark.parametrize("split", [[], ["data.split.group=patient"], ["data.fold=1"]])
def test_the_splits_of_a_stream_have_the_rows_of_those_in_memory(compose_frame, split):
    config = compose_frame(frame_of(350), *split)
    held = load_dataset(config.data, config.model.inputs, config.seed)
    lazy = load_dataset(streamed(config).data, config.model.inputs, config.seed)
    for name, examples in vars(held).items():
        of_stream = getattr(lazy, name)
        np.testing.assert_array_equal(of_stream.rows, np.sort(examples.rows))
        assert_same(list(iterate_batches(of_stream, 16)), examples.take(np.argsort(examples.rows)))


def test_an_epoch_takes_each_row_once_in_an_order_of_its_own(compose_frame):
    config = streamed(compose_frame(frame_of(350)))
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    first, again, second = (order_epoch(train, 0, epoch) for epoch in (1, 1, 2))
    np.testing.assert_array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, second.rows)
    for order in (first, second):
        assert sorted(order.rows) == list(range(len(train)))
        batches = list(open_stream(train, order, 32))
        assert_same(batches, train.take(order.rows))
    # Rows of one window are of three chunks, so that it takes no more to read it.
    blocks = train.lazy["numbers"].reader.blocks
    chunks = np.searchsorted(blocks.ends, train.rows, "right")
    starts = [0, *first.window_ends[:-1]]
    for start, end in zip(starts, first.window_ends, strict=True):
        assert len(set(chunks[first.rows[start:end]])) <= 3
        assert end - start < 3 or list(first.rows[start:end]) != sorted(first.rows[start:end])


def test_chunks_of_a_row_group_are_read_once_and_in_order(compose_frame, monkeypatch):
    config = streamed(compose_frame(frame_of(350)))
    train = load_dataset(config.data, config.model.inputs, config.seed).train
    opened = []
    open_group = ParquetTable._open_group

    def note(self, chunk, names):
        opened.append((chunk.group, chunk.index))
        return open_group(self, chunk, names)

    monkeypatch.setattr(ParquetTable, "_open_group", note)
    for _ in open_stream(train, order_epoch(train, 0, 1), 32):
        pass
    assert sorted(opened) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_a_folder_of_parquet_files_is_one_table(compose, tmp_path):
    frame = frame_of(90)
    (tmp_path / "parts").mkdir()
    for index in range(3):
        part = frame[30 * index : 30 * (index + 1)]
        part.to_parquet(tmp_path / "parts" / f"{index}.parquet")
    file = f"data.file={tmp_path / 'parts'}"
    config = compose("model=tabular", "data=table", file, "data.targets=[target]")
    for examples in (read(config), read(streamed(config))):
        batch = examples.take(slice(None))
        np.testing.assert_array_equal(batch.labels["target"], frame["target"])
        np.testing.assert_array_equal(batch.features["note"], frame["note"])
    frame.drop(columns="a").to_parquet(tmp_path / "parts" / "3.parquet")
    with pytest.raises(ConfigError, match=r"expected the columns of 0\.parquet in 3\.parquet too"):
        read(config)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (
            271,
            "a",
            None,
            "data.missing: expected a value; column 'a' has none in row 271, counted from 0. Set "
            "data.columns.COLUMN.fill to a value, or data.missing=drop to leave such rows out.",
        ),
        (
            271,
            "kind",
            "w",
            "data.columns.kind.categories: expected one of the categories in row 271, counted "
            "from 0; received 'w' (str). Choose from x, y, z.",
        ),
    ],
)
def test_what_is_wrong_in_a_stream_names_its_row(compose_frame, row, column, value, message):
    frame = frame_of(350)
    frame.loc[row, column] = value
    config = streamed(compose_frame(frame, "data.columns.kind.categories=[x,y,z]"))
    with pytest.raises(ConfigError) as caught:
        list(iterate_batches(read(config), 32))
    assert str(caught.value) == message


def test_the_last_row_that_its_type_has_room_for_is_named(compose_frame):
    frame = frame_of(128)
    frame.loc[127, "a"] = np.nan
    examples = read(streamed(compose_frame(frame)))
    with pytest.raises(ConfigError, match="column 'a' has none in row 127"):
        list(iterate_batches(examples, 50))


def test_rows_without_a_value_are_dropped_from_a_stream(compose_frame, caplog):
    frame = frame_of(350)
    frame.loc[[3, 120, 349], ["a", "kind", "target"]] = None
    config = compose_frame(frame, "data.missing=drop", "data.columns.note.type=ignore")
    held = read(config)
    assert len(held) == 347
    caplog.clear()
    assert_same(list(iterate_batches(read(streamed(config)), 32)), held)
    assert caplog.messages == ["data: 3 of 350 rows miss a value and are left out"]


def test_a_text_file_cannot_be_streamed(compose, tmp_path):
    frame_of(20).to_csv(tmp_path / "table.csv", index=False)
    config = compose("model=tabular", "data=table", f"data.file={tmp_path / 'table.csv'}")
    with pytest.raises(ConfigError) as caught:
        read(streamed(config))
    assert str(caught.value) == (
        f"data.file: expected Parquet to stream; received '{tmp_path / 'table.csv'}' (str). "
        "Write the table as Parquet, or set data.stream=false."
    )


def test_a_folder_of_arrays_is_read_from_its_files(compose, tmp_path):
    images = RANDOM.random((50, 8, 8, 1)).astype(np.float32)
    images[[7, 30], 0, 0] = np.nan
    for name, array in (("image", images), ("digit", np.arange(50) % 10)):
        np.save(tmp_path / f"{name}.npy", array)
    config = compose("data=arrays", f"data.file={tmp_path}", "data.targets=[digit]")
    for changes in ({"missing": "drop"}, {"missing": "keep"}, {"fill": 0.5}):
        held = read(replace(config, data=replace(config.data, **changes)))
        lazy = read(replace(config, data=replace(config.data, stream=True, **changes)))
        assert set(lazy.lazy) == {"image"}
        assert_same(list(iterate_batches(lazy, 16)), held)
    with pytest.raises(ConfigError) as caught:
        list(iterate_batches(read(streamed(config)), 16))
    assert str(caught.value) == (
        "data.missing: expected a value; image has none in row 7, counted from 0. "
        "Set data.missing to drop such rows or to keep them, or data.fill to a number."
    )


@pytest.mark.parametrize("size", [None, [5, 6]])
def test_streamed_pictures_are_those_of_keras(compose, size):
    sized = [f"data.size={size}".replace(" ", "")] if size else []
    config = compose("data=images", f"data.file={SAMPLES}", *sized)
    examples = read(streamed(config))
    keras_batches = keras.utils.image_dataset_from_directory(
        SAMPLES, color_mode="grayscale", image_size=size or (8, 8), shuffle=False, verbose=False
    )
    ours = list(iterate_batches(examples, 32))
    for batch, (pictures, labels) in zip(ours, keras_batches, strict=True):
        expected = pictures.numpy() / np.float32(255)
        np.testing.assert_array_equal(batch.features["image"], expected)
        np.testing.assert_array_equal(batch.labels["class"], labels)
    assert_same(ours, read(config).take(slice(None)))
    assert list(examples.ids[:2]) == ["0/000.png", "0/001.png"]


def test_a_picture_that_cannot_be_read_is_named_while_streaming(compose, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        for index in range(20):
            source = sorted(SAMPLES.glob("*/*.png"))[index]
            (tmp_path / name / f"{index:02}.png").write_bytes(source.read_bytes())
    broken = tmp_path / "b" / "07.png"
    broken.write_bytes(broken.read_bytes()[:60])
    config = compose("data=images", f"data.file={tmp_path}")
    train = read(streamed(config))
    batches = open_stream(train, keep_order(train), 8)
    for _ in range(3):
        next(batches)
    with pytest.raises(ConfigError) as caught:
        next(batches)
    assert str(caught.value).startswith("data.file: the picture b/07.png cannot be read: ")
    skipping = replace(config, data=replace(config.data, corrupt="skip"))
    for examples in (read(skipping), read(streamed(skipping))):
        assert len(examples) == 39
        assert 27 not in examples.rows


def test_a_feeder_goes_on_where_it_was_and_begins_anew_elsewhere():
    class Reader:
        blocks = lengths = by_tensors = None

        def read(self, rows, names):
            return {"number": rows * 10.0}

        def digest(self):
            return ""

    column = LazyColumn(Reader(), "number", np.arange(100, 120), (), np.dtype(np.float32))
    examples = Examples({"number": column}, {"label": np.arange(20)}, np.arange(20))
    feeder = StreamFeeder(examples)
    order = order_epoch(examples, 0, 1)
    feeder.open(order)
    taken = [
        *feeder.iterate(order.rows, 0, 8, 4),
        *feeder.iterate(order.rows, 8, 12, 4),
        *feeder.iterate(order.rows, 16, 20, 4),
    ]
    rows = np.concatenate([order.rows[:12], order.rows[16:]])
    np.testing.assert_array_equal(
        np.concatenate([one["number"] for one in taken]), rows * 10 + 1000
    )
    np.testing.assert_array_equal(np.concatenate([one["label"] for one in taken]), rows)
    assert taken[0]["number"].dtype == np.float32
    assert feeder.waited_seconds > 0


def test_lengths_come_in_buckets():
    lengths = RANDOM.integers(1, 40, 203)

    class Reader:
        blocks = by_tensors = None

        def __init__(self):
            self.lengths = lengths

    column = LazyColumn(Reader(), "tokens", np.arange(203), (None,), np.dtype(np.int64))
    examples = Examples({"tokens": column}, {}, np.arange(203))
    order = order_epoch(examples, 0, 1, buckets=[10, 20], batch_size=8)
    assert sorted(order.rows) == list(range(203))
    batches = [lengths[order.rows[start : start + 8]] for start in range(0, 203, 8)]
    bucket = [np.searchsorted([10, 20], batch) for batch in batches]
    mixed = sum(len(set(one)) > 1 for one in bucket)
    assert mixed <= 3
    kinds = [one[0] for one in bucket[: len(bucket) - 3]]
    assert kinds != sorted(kinds)


def test_blocks_of_a_run_are_in_order_within_an_epoch():
    class Reader:
        lengths = by_tensors = None
        blocks = Blocks(np.arange(10, 101, 10), np.repeat([0, 1], 5), 2)

    column = LazyColumn(Reader(), "number", np.arange(100), (), np.dtype(np.float64))
    examples = Examples({"number": column}, {}, np.arange(100))
    order = order_epoch(examples, 3, 1)
    windows = np.split(order.rows, order.window_ends[:-1])
    first_blocks = [min(window // 10) for window in windows]
    of_run = [[block for block in first_blocks if block // 5 == run] for run in (0, 1)]
    assert all(blocks == sorted(blocks) for blocks in of_run)


def test_a_full_digest_sees_what_a_sampled_one_does_not(compose, tmp_path, monkeypatch):
    monkeypatch.setattr(digests, "_MOST_WHOLE_BYTES", 0)
    values = np.zeros((2**16, 4))
    np.save(tmp_path / "numbers.npy", values)
    config = compose("model=tabular", "data=arrays", f"data.file={tmp_path}", "data.classes=2")

    def digest(full):
        data = replace(config.data, stream=True, full_digest=full)
        return next(iter(read(replace(config, data=data)).lazy.values())).reader.digest()

    before = [digest(full) for full in (False, True)]
    values[2**14] = 1
    np.save(tmp_path / "numbers.npy", values)
    after = [digest(full) for full in (False, True)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_texts_of_a_stream_keep_what_is_at_their_ends(compose):
    texts = np.array(["a\0", "\u00f6" * 3, "", "word " * 100], object)

    class Reader:
        blocks = lengths = by_tensors = None

        def read(self, rows, names):
            return {"text": texts[rows]}

    column = LazyColumn(Reader(), "text", np.arange(4), (), np.dtype(object))
    batches = list(iterate_batches(Examples({"text": column}, {}, np.arange(4)), 2))
    assert [text for batch in batches for text in batch.features["text"]] == texts.tolist()
