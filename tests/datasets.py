"""The splits of a configuration, as a run has them."""

from runner.data.reading import read_examples
from runner.data.splits import split_examples


def load_dataset(data, inputs, seed):
    return split_examples(read_examples(data, inputs, seed), data, seed)
