"""Reads pictures by ``keras.utils.image_dataset_from_directory``, 0 to 1 as the others."""

from runner.engine.startup import import_tensorflow

import_tensorflow(log_level=3)

import keras
import tensorflow as tf

from benchmarks.peers.passes import print_second_pass, read_arguments


def main() -> None:
    """Prints the seconds of a pass."""
    loading = read_arguments()
    dataset = keras.utils.image_dataset_from_directory(
        loading.folder, image_size=loading.size, batch_size=loading.batch_size, verbose=False
    )
    scaled = dataset.map(lambda pictures, labels: (pictures / 255.0, labels)).prefetch(
        tf.data.AUTOTUNE
    )
    print_second_pass(lambda _: (pictures for pictures, _ in scaled))


if __name__ == "__main__":
    main()
