"""Decides what of a source is held in memory."""

from runner.config import FileDataConfig

# Splits and a graph hold it once more each.
MOST_BYTES_IN_MEMORY = 2**29
# What an axis is taken to be long that varies.
VARYING_LENGTH = 256


def is_streamed(config: FileDataConfig, size: int) -> bool:
    """Returns whether examples of `size` bytes are read while steps are taken."""
    return size > MOST_BYTES_IN_MEMORY if config.stream is None else config.stream
