"""Says what the files of a configured source hold, before TensorFlow is imported."""

from models.problems import ConfigError
from runner.config import (
    ArraysDataConfig,
    FileDataConfig,
    ImagesDataConfig,
    TableDataConfig,
    TFRecordDataConfig,
)
from runner.data.arrays import describe_arrays
from runner.data.description import Description, check_tensors
from runner.data.records import describe_records


def describe(config: FileDataConfig) -> Description:
    """Returns the schema of the configured files, in which what is declared of it holds.

    Raises:
        ConfigError: If a file cannot be read, or has not what is declared.
    """
    match config:
        case ArraysDataConfig():
            found = describe_arrays(config)
        case ImagesDataConfig():
            # This imports Pillow.
            from runner.data.images import describe_images

            found = describe_images(config)
        case TFRecordDataConfig():
            found = describe_records(config)
        case TableDataConfig():
            # This imports Arrow.
            from runner.data.table import describe_table

            found = describe_table(config)
        case _:
            raise TypeError(f"no source describes a {type(config).__name__}")
    problems = [
        *check_tensors("data.features", config.features, found.features),
        *check_tensors("data.labels", config.labels, found.labels),
    ]
    if problems:
        raise ConfigError(problems)
    return found
