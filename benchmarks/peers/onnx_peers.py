"""ONNX Runtime."""

from collections.abc import Iterator
from contextlib import contextmanager

import onnxruntime

from benchmarks.peers.onnx_models import INPUT, MODELS, OUTPUT, build_model
from benchmarks.work import Peers, Skipped, Work

_NAME = "onnx runtime"


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields a call for a batch of images, arrays in and out."""
    model = work.task.model
    if model not in MODELS:
        yield {_NAME: Skipped(f"{model} is not written in ONNX here")}
        return
    images = work.images[0]
    serialized = build_model(model, work.weights, images.shape)
    session = onnxruntime.InferenceSession(serialized, providers=["CPUExecutionProvider"])
    yield {_NAME: lambda: session.run([OUTPUT], {INPUT: images})[0]}
