"""PyTorch, eager and compiled."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.peers.torch_models import build_model
from benchmarks.work import (
    BETAS,
    EPSILON,
    LEARNING_RATE,
    Peers,
    Round,
    Skipped,
    Work,
    check_logits,
)

_COMPILERS = ("g++", "clang++", "c++")

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@contextmanager
def open_training(work: Work) -> Iterator[Peers]:
    """Yields a loop in Python, of a model as it is and of one that is compiled with its loss."""
    yield {
        "pytorch eager": _loop(work, lambda loss: loss),
        "pytorch compile": _find_compiler_lack() or _loop(work, torch.compile),
    }
    torch.compiler.reset()


@contextmanager
def open_forward(work: Work) -> Iterator[Peers]:
    """Yields both kinds of call for a batch of images, arrays in and out."""
    model = _build(work)
    # The only channel stands last in one layout and first in the other: the bytes are the same.
    shape = _channels_first(work.images[0]).shape
    compiled = torch.compile(model)

    def call(model: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(work.images[0]).view(shape)).numpy()

    yield {
        "pytorch eager": lambda: call(model),
        "pytorch compile": _find_compiler_lack() or (lambda: call(compiled)),
    }
    torch.compiler.reset()


def _find_compiler_lack() -> Skipped | None:
    """Returns why ``torch.compile`` cannot be used here, if so."""
    if os.environ.get("CXX") or any(map(shutil.which, _COMPILERS)):
        return None
    return Skipped(f"torch.compile needs a C++ compiler; none of {', '.join(_COMPILERS)} was found")


def _build(work: Work) -> torch.nn.Module:
    model = build_model(work.task.model, work.weights).eval()
    with torch.inference_mode():
        logits = model(_channels_first(work.images[0])).numpy()
    check_logits("pytorch", logits, work)
    return model


def _channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, -3)))


def _loop(work: Work, prepare: Callable[[Loss], Loss]) -> Round:
    """Returns a round of steps, its batches made tensors beforehand."""
    images, digits = _channels_first(work.images).unbind(), torch.from_numpy(work.digits).unbind()
    model = _build(work).train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    # Fused is the fastest of PyTorch's Adams on a CPU.
    optimizer = torch.optim.Adam(trained, LEARNING_RATE, BETAS, EPSILON, fused=True)
    compute_loss = prepare(lambda images, digits: cross_entropy(model(images), digits))

    def train() -> np.ndarray:
        losses = []
        for batch in zip(images, digits, strict=True):
            optimizer.zero_grad()
            loss = compute_loss(*batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy()

    return train
