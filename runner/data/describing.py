"""Says what a configured source holds, before TensorFlow is imported."""

from collections.abc import Sequence
from dataclasses import replace

from models.problems import ConfigError
from runner.config import (
    ArraysDataConfig,
    DescribedDataConfig,
    ImagesDataConfig,
    OwnDataConfig,
    SeriesDataConfig,
    SyntheticDataConfig,
    TableDataConfig,
    TextDataConfig,
    TFRecordDataConfig,
)
from runner.data.description import Description, check_tensors
from runner.data.labels import describe_labels
from runner.data.sources.arrays import describe_arrays
from runner.data.sources.own import describe_own
from runner.data.sources.records import describe_records
from runner.data.sources.synthetic import describe_synthetic
from runner.data.sources.text import describe_text


def describe(
    config: DescribedDataConfig, seed: int = 0, trusted: Sequence[str] = ()
) -> Description:
    """Returns the schema of the configured source, in which what is declared of it holds.

    Args:
        config: The source.
        seed: What a source of the user's own is called with.
        trusted: Modules of which it may be.

    Raises:
        ConfigError: If a file cannot be read, or has not what is declared.
    """
    found = _describe(config, seed, trusted)
    classes = found.classes if config.classes is None else config.classes
    labels = describe_labels(config.label_format, found.labels, classes)
    problems = [
        *check_tensors("data.features", config.features, found.features),
        # Those of files that do not say it are declared as they are in them.
        *min(
            (
                list(check_tensors("data.labels", config.labels, one))
                for one in (labels, found.labels)
            ),
            key=len,
        ),
    ]
    if problems:
        raise ConfigError(problems)
    return replace(found, labels=labels)


def _describe(config: DescribedDataConfig, seed: int, trusted: Sequence[str]) -> Description:
    match config:
        case ArraysDataConfig():
            return describe_arrays(config)
        case ImagesDataConfig():
            # This imports Pillow.
            from runner.data.sources.images import describe_images

            return describe_images(config)
        case OwnDataConfig():
            return describe_own(config, seed, trusted)
        case SeriesDataConfig():
            # This imports Arrow, as does a table.
            from runner.data.sources.series import describe_series

            return describe_series(config)
        case SyntheticDataConfig():
            return describe_synthetic(config)
        case TableDataConfig():
            from runner.data.sources.table import describe_table

            return describe_table(config)
        case TextDataConfig():
            return describe_text(config)
        case TFRecordDataConfig():
            return describe_records(config)
    raise TypeError(f"no source describes a {type(config).__name__}")
