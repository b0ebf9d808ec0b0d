"""TFRecord files, beside what TensorFlow wrote to them, and what is wrong with them."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.problems import ConfigError
from runner.data.ordering import order_epoch
from runner.data.reading import read_examples
from runner.data.sources import tfrecords
from runner.data.streams import iterate_batches

RANDOM = np.random.default_rng(0)
ROWS = 23
IMAGES = RANDOM.integers(0, 256, (ROWS, 4, 5, 1), np.uint8)
NUMBERS = RANDOM.random((ROWS, 3)).astype(np.float32)
TOKENS = [RANDOM.integers(1, 50, RANDOM.integers(1, 9)) for _ in range(ROWS)]
LABELS = np.arange(ROWS) % 3
DECLARED = (
    "data.features={image: {shape: [4, 5, 1], dtype: float32}, numbers: {shape: [3], dtype: "
    "float32}, tokens: {shape: [null], dtype: int64}, name: {shape: [], dtype: string}}",
    "data.labels={label: {shape: [], dtype: int64}}",
    "data.records={image: {key: image/encoded, decode: image}, name: {default: nobody}}",
    "data.classes=3",
)


def encode(row, **others):
    def of_bytes(value):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_integers(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {
        "image/encoded": of_bytes(tf.io.encode_png(IMAGES[row]).numpy()),
        "numbers": tf.train.Feature(float_list=tf.train.FloatList(value=NUMBERS[row])),
        "tokens": of_integers(TOKENS[row]),
        "label": of_integers([LABELS[row]]),
        **others,
    }
    if row % 2:
        features["name"] = of_bytes(f"Nöther {row}".encode())
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write(file, records, compression=""):
    with tf.io.TFRecordWriter(str(file), compression) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture
def compose_records(compose, tmp_path):
    return lambda file, *overrides: compose(
        "data=tfrecord", "model=mlp", f"data.file={tmp_path / file}", *DECLARED, *overrides
    )


def read(config, **changes):
    data = replace(config.data, **changes)
    return read_examples(data, config.model.inputs, config.seed)


def error_of(call, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "compression", "stream"),
    [("a.tfrecord", "", False), ("a.tfrecord", "", True), ("a.tfrecord.gz", "GZIP", False)],
)
def test_records_hold_what_was_written(compose_records, tmp_path, file, compression, stream):
    write(tmp_path / file, map(encode, range(ROWS)), compression)
    examples = read(compose_records(file), stream=stream)
    assert ("image" in examples.lazy) == stream
    batches = list(iterate_batches(examples, 10))
    joined = {
        name: np.concatenate([batch.features[name] for batch in batches])
        for name in ("image", "numbers", "name")
    }
    np.testing.assert_array_equal(joined["image"], IMAGES / np.float32(255))
    np.testing.assert_array_equal(joined["numbers"], NUMBERS)
    names = [f"Nöther {row}" if row % 2 else "nobody" for row in range(ROWS)]
    assert joined["name"].tolist() == names
    np.testing.assert_array_equal(np.concatenate([one.labels["label"] for one in batches]), LABELS)
    for batch in batches:
        for row, tokens in zip(batch.rows, batch.features["tokens"], strict=True):
            padded = np.zeros(tokens.shape, int)
            padded[: len(TOKENS[row])] = TOKENS[row]
            np.testing.assert_array_equal(tokens, padded)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("length", [None, 4, 10])
def test_what_varies_is_padded_as_declared(compose_records, tmp_path, stream, length):
    write(tmp_path / "a.tfrecord", map(encode, range(ROWS)))
    pad = f"data.pad={{tokens: {{length: {'null' if length is None else length}, value: -1}}}}"
    config = compose_records("a.tfrecord", pad)
    assert config.data.features["tokens"].shape == [length]
    for batch in iterate_batches(read(config, stream=stream), 10):
        expected = keras.utils.pad_sequences(
            [TOKENS[row] for row in batch.rows], length, "int64", "post", "post", -1
        )
        np.testing.assert_array_equal(batch.features["tokens"], expected)


@pytest.mark.parametrize("stream", [False, True])
def test_records_come_in_buckets(compose_records, tmp_path, stream):
    write(tmp_path / "a.tfrecord", map(encode, range(ROWS)))
    examples = read(compose_records("a.tfrecord", "data.buckets=[4]"), stream=stream)
    rows = order_epoch(examples, 0, 1, buckets=[4], batch_size=5).rows
    assert sorted(rows) == list(range(ROWS))
    sides = [{len(TOKENS[row]) <= 4 for row in rows[start : start + 5]} for start in (0, 5, 10)]
    assert [len(side) for side in sides] == [1, 1, 1]


def test_labels_are_read_a_stretch_at_a_time(compose_records, tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecords, "_STRETCH_RECORDS", 10)
    write(tmp_path / "a.tfrecord", map(encode, range(ROWS)))
    counts = []
    parse = tf.io.parse_example

    def count(serialized, spec):
        counts.append(len(serialized))
        return parse(serialized, spec)

    monkeypatch.setattr(tf.io, "parse_example", count)
    examples = read(compose_records("a.tfrecord"), stream=True)
    np.testing.assert_array_equal(examples.labels["label"], LABELS)
    assert counts == [10, 10, 3]


def test_files_of_a_folder_follow_one_another(compose_records, tmp_path):
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "b.tfrecord", map(encode, range(10, ROWS)))
    write(tmp_path / "parts" / "a.tfrecord", map(encode, range(10)))
    examples = read(compose_records("parts"))
    np.testing.assert_array_equal(examples.features["numbers"], NUMBERS)
    assert examples.rows.tolist() == list(range(ROWS))


@pytest.mark.parametrize("stream", [False, True])
def test_rows_that_vary_may_all_be_of_one_length(compose, tmp_path, stream):
    values = tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 2, 3]))
    example = tf.train.Example(features=tf.train.Features(feature={"image": values}))
    write(tmp_path / "a.tfrecord", [example.SerializeToString()] * 3)
    declared = ["data.features={image: {shape: [null], dtype: int64}}", "data.classes=2"]
    config = compose(
        "model=mlp", "data=tfrecord", f"data.file={tmp_path / 'a.tfrecord'}", *declared
    )
    column = read(config, stream=stream).features["image"]
    np.testing.assert_array_equal(column[np.arange(3)], [[1, 2, 3]] * 3)


def test_gzip_is_refused_where_it_would_be_streamed(compose_records, tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts" / "a.tfrecord", map(encode, range(10)))
    write(tmp_path / "parts" / "b.tfrecord.gz", map(encode, range(10, ROWS)), "GZIP")
    write(tmp_path / "parts" / "c.tfrecord", [])
    config = compose_records("parts")
    assert "image" in read(config, stream=False).features
    message = (
        "data.file: expected TFRecord without gzip to stream; received 'b.tfrecord.gz' (str). It "
        "would be held as a whole: write it uncompressed, or set data.stream=false."
    )
    assert error_of(read, config, stream=True) == message
    # A record is 20 float32 of a picture, 3 numbers, 256 integers and the place of a text.
    size = 4 * 20 + 4 * 3 + 8 * 256 + 8
    for fitting in (ROWS - 1, 13, 2):
        monkeypatch.setattr("runner.data.memory.MOST_BYTES_IN_MEMORY", fitting * size)
        assert error_of(read, config) == message
    monkeypatch.setattr("runner.data.memory.MOST_BYTES_IN_MEMORY", ROWS * size)
    np.testing.assert_array_equal(read(config).features["numbers"], NUMBERS)


def test_raw_bytes_are_values_of_their_dtype(compose, tmp_path):
    def encode_raw(row):
        value = tf.train.BytesList(value=[IMAGES[row].astype(np.int16).tobytes()])
        features = {"image": tf.train.Feature(bytes_list=value)}
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()

    write(tmp_path / "raw.tfrecord", map(encode_raw, range(ROWS)))
    config = compose(
        "data=tfrecord",
        f"data.file={tmp_path / 'raw.tfrecord'}",
        "data.features={image: {shape: [4, 5, 1], dtype: int16}}",
        "data.records={image: {decode: raw}}",
        "data.classes=3",
    )
    np.testing.assert_array_equal(read(config).features["image"], IMAGES)


def test_a_corrupt_record_is_named_or_left_out(compose_records, tmp_path, caplog):
    records = [encode(row) for row in range(ROWS)]
    write(tmp_path / "a.tfrecord", records)
    content = bytearray((tmp_path / "a.tfrecord").read_bytes())
    # A record is its length in 8 bytes, 4 of a checksum, its bytes, and 4 of theirs.
    start = sum(len(record) + 16 for record in records[:20]) + 12
    content[start + 5] ^= 255
    (tmp_path / "a.tfrecord").write_bytes(content)
    config = compose_records("a.tfrecord")
    assert error_of(read, config) == (
        f"data.file: record 20 of a.tfrecord, counted from 0, cannot be read: corrupted record at "
        f"{start}. Set data.corrupt=skip to leave out what cannot be read."
    )
    examples = read(config, corrupt="skip")
    np.testing.assert_array_equal(examples.features["numbers"], NUMBERS[:20])
    assert "record 20 of a.tfrecord" in caplog.text
    (tmp_path / "a.tfrecord").write_bytes(content[: start + 4])
    assert error_of(read, config).startswith("data.file: record 20 of a.tfrecord, counted from 0,")


def test_a_record_that_is_not_as_declared_is_named_or_left_out(compose_records, tmp_path):
    odd = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
    records = [encode(row) for row in range(ROWS)]
    records[7] = encode(7, numbers=odd)
    write(tmp_path / "a.tfrecord", records)
    config = compose_records("a.tfrecord")
    message = error_of(read, config)
    assert message.startswith(
        "data.file: 'numbers' of record 7 of a.tfrecord, counted from 0, is not as declared: "
    )
    streamed = read(config, stream=True)
    assert error_of(lambda: list(iterate_batches(streamed, 4))) == message
    assert 7 not in read(config, corrupt="skip").rows


def test_a_label_outside_its_classes_is_refused(compose_records, tmp_path):
    write(tmp_path / "a.tfrecord", map(encode, range(ROWS)))
    assert error_of(read, compose_records("a.tfrecord", "data.classes=2")) == (
        "data.classes: expected a class from 0 to 1 in each row of 'label'; received 2 (int). It "
        "stands in row 2, 5, 8 and 4 more, counted from 0."
    )


def test_what_is_wrong_is_said_before_anything_is_read(compose, compose_records, tmp_path):
    what = "a TFRecord file, or a folder of *.tfrecord, *.tfrecords, *.tfrecord.gz, *.tfrecords.gz"
    assert error_of(compose_records, "none.tfrecord") == (
        f"data.file: expected {what}; received '{tmp_path / 'none.tfrecord'}' (str)."
    )
    write(tmp_path / "a.tfrecord", map(encode, range(2)))
    overrides = ("data.records.image.decode=png", "data.features.numbers.dtype=float16")
    assert error_of(compose_records, "a.tfrecord", *overrides).splitlines() == [
        "data.records.image.decode: expected image or raw; received 'png' (str).",
        "data.features.numbers.dtype: expected float32, int64, string, which records hold; or set "
        "data.records.numbers.decode; received 'float16' (str).",
    ]
    write(tmp_path / "odd.tfrecord", [tf.train.Example().SerializeToString()])
    assert error_of(read, compose_records("odd.tfrecord"), corrupt="skip") == (
        "data.file: expected examples; no record is as declared."
    )
    write(tmp_path / "empty.tfrecord", [])
    assert error_of(read, compose_records("empty.tfrecord")) == (
        "data.file: expected examples; there is no record."
    )
