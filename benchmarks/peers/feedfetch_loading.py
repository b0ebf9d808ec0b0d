"""Reads pictures as a run does that streams them."""

from runner.composition import compose_config
from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

from benchmarks.peers.passes import print_second_pass, read_arguments
from runner.data.ordering import order_epoch
from runner.data.reading import read_examples
from runner.data.streams import open_stream


def main() -> None:
    """Prints the seconds of a pass."""
    loading = read_arguments()
    height, width = loading.size
    overrides = [f"data.file={loading.folder}", f"data.size=[{height},{width}]"]
    config = compose_config(["data=images", "data.colors=rgb", "data.stream=true", *overrides])
    examples = read_examples(config.data, config.model.inputs, config.seed)
    print_second_pass(
        lambda number: open_stream(
            examples, order_epoch(examples, config.seed, number), loading.batch_size
        )
    )


if __name__ == "__main__":
    main()
