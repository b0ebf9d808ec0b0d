"""Lists the pictures that a result is worth. No matplotlib."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from runner.results import (
    BalanceResult,
    BenchmarkResult,
    ClassifyResult,
    ExamplesResult,
    FetchResult,
    TraceResult,
)
from runner.tracking.pictures.kinds import Kind, choose_kinds, find_images

Drawable = (
    FetchResult | ClassifyResult | TraceResult | BenchmarkResult | BalanceResult | ExamplesResult
)

_MOST_LETTERS = 120


@dataclass(frozen=True)
class Picture:
    """A picture that is not drawn yet.

    Attributes:
        name: The fetch, the output, the step or the feature that it is of.
        kind: How it is drawn.
        title: What its file is called; "" for its name and kind.
    """

    name: str
    kind: Kind | Literal["confusion", "mistakes", "layers", "latencies", "balance", "examples"]
    title: str = ""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.title or f'{name_file(self.name)}.{self.kind}'}.png"


def plan_pictures(
    result: Drawable,
) -> Iterator[Picture]:
    """Yields the pictures that `result` is worth."""
    if isinstance(result, BalanceResult):
        if result.labels:
            yield Picture("labels", "balance", "balance")
    elif isinstance(result, ExamplesResult):
        yield from _plan_examples(result)
    elif isinstance(result, BenchmarkResult):
        yield Picture("benchmark", "latencies")
    elif isinstance(result, TraceResult):
        if result.operations:
            yield Picture(result.name, "layers")
    elif isinstance(result, FetchResult):
        for name, value in result.fetched.items():
            examples = len(result.rows) if name in result.batched else None
            for kind in choose_kinds(value, examples):
                yield Picture(name, kind)
    elif len(result.actual):
        yield Picture(result.output, "confusion")
        if find_images(result.features) is not None:
            yield Picture(result.output, "mistakes")


def _plan_examples(result: ExamplesResult) -> Iterator[Picture]:
    images = [
        name
        for name, values in result.features.items()
        if choose_kinds(values, len(values)) == ("images",)
    ]
    for name in images:
        title = "examples" if len(images) == 1 else f"examples.{name_file(name)}"
        yield Picture(name, "examples", title)


def name_file(name: str) -> str:
    """Returns `name` if it is fit for a file, else what is left of it with its checksum."""
    fit = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:_MOST_LETTERS]
    return fit if fit == name else f"{fit}-{zlib.crc32(name.encode()):08x}"
