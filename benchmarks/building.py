"""Times the building of a deep stack beside the same stack written in Keras."""

import statistics
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from models.config import InputConfig, ModelConfig
from models.factory import allow_recursion, build_model

_LAYERS = 1000
_ROUNDS = 3
_UNITS = 16


def main() -> list[str]:
    """Returns the line to print: the time of both and the ratio, median and spread of rounds."""
    config = ModelConfig(
        name="deep",
        inputs={"features": InputConfig(shape=[_UNITS], dtype="float32")},
        layers={
            f"dense{index}": {"type": "Dense", "units": _UNITS, "activation": "relu"}
            for index in range(_LAYERS)
        },
        outputs=f"dense{_LAYERS - 1}",
    )
    ours, theirs = [], []
    for index in range(_ROUNDS + 1):
        pair = (_seconds(lambda: build_model(config)), _seconds(_build_with_keras))
        if index > 0:  # the first round warms both up
            ours.append(pair[0])
            theirs.append(pair[1])
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return [
        f"building {_LAYERS:,} layers: {statistics.median(ours):.2f} s; Keras "
        f"{statistics.median(theirs):.2f} s; {statistics.median(ratios):.2f} times Keras "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    ]


def _build_with_keras() -> keras.Model:
    features = hidden = keras.Input((_UNITS,), name="features")
    for index in range(_LAYERS):
        hidden = keras.layers.Dense(_UNITS, activation="relu", name=f"dense{index}")(hidden)
    with allow_recursion(_LAYERS):  # Keras alone stops with a RecursionError
        return keras.Model(features, hidden, name="deep")


def _seconds(build: Callable[[], object]) -> float:
    """Returns the time of one build in a graph of its own, as a run builds."""
    keras.utils.clear_session()
    with tf.Graph().as_default():
        start = time.perf_counter()
        build()
        return time.perf_counter() - start
