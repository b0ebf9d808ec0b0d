"""Finds TFRecord files, whose features are declared."""

from collections.abc import Iterator
from pathlib import Path

from models.problems import ConfigError, Problem, did_you_mean, expected
from runner.config import DECODINGS, TFRecordDataConfig
from runner.data.description import Description

# What a tf.train.Example holds, beside what is decoded of its bytes.
_KINDS = ("float32", "int64", "string")
_PATTERNS = ("*.tfrecord", "*.tfrecords", "*.tfrecord.gz", "*.tfrecords.gz")


def list_records(config: TFRecordDataConfig) -> list[Path]:
    """Returns the files, in the order of their names.

    Raises:
        ConfigError: If there is none.
    """
    path = Path(config.file)
    files = (
        sorted(file for pattern in _PATTERNS for file in path.glob(pattern))
        if path.is_dir()
        else [path]
    )
    if not files or not files[0].is_file():
        what = f"a TFRecord file, or a folder of {', '.join(_PATTERNS)}"
        raise ConfigError([expected("data.file", what, config.file)])
    return files


def describe_records(config: TFRecordDataConfig) -> Description:
    """Returns what is declared, since the files do not say it.

    Raises:
        ConfigError: If there is no file, or the declarations are wrong.
    """
    problems = list(_check(config))
    if problems:
        raise ConfigError(problems)
    list_records(config)
    return Description(config.features, config.labels, config.classes)


def _check(config: TFRecordDataConfig) -> Iterator[Problem]:
    tensors = {**config.features, **config.labels}
    if not config.features:
        what = "the name, shape and dtype of each feature of a record"
        yield expected("data.features", what, {})
    if config.corrupt not in ("refuse", "skip"):
        yield expected("data.corrupt", "refuse or skip", config.corrupt)
    for name, record in config.records.items():
        path = f"data.records.{name}"
        if name not in tensors:
            hint = did_you_mean(name, list(tensors))
            yield expected(path, "a feature or a label of data", name, hint)
        if record.decode is not None and record.decode not in DECODINGS:
            yield expected(f"{path}.decode", " or ".join(DECODINGS), record.decode)
    for name, tensor in tensors.items():
        decode = config.records[name].decode if name in config.records else None
        place = "features" if name in config.features else "labels"
        if decode is None and tensor.dtype not in _KINDS:
            what = f"{', '.join(_KINDS)}, which records hold; or set data.records.{name}.decode"
            yield expected(f"data.{place}.{name}.dtype", what, tensor.dtype)
        if None in tensor.shape[1:] or (decode is not None and None in tensor.shape):
            what = "lengths, of which only the first of what is not decoded may be null"
            yield expected(f"data.{place}.{name}.shape", what, list(tensor.shape))
