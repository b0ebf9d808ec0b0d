"""What a source says of its examples before any is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.config import TensorConfig
from models.problems import Problem, did_you_mean, expected
from runner.config import SPLIT_COLUMNS, ColumnsDataConfig


@dataclass(frozen=True)
class Description:
    """The schema of a source.

    Attributes:
        features: What it gives as inputs, by name.
        labels: What it gives as targets, by name, the main one first.
        classes: Number of classes of the first label; None where it is no class.
        class_names: Their names, in order; empty where they have none.
        columns: What becomes of each column of a table, as ``data.columns`` declares it.
    """

    features: Mapping[str, TensorConfig]
    labels: Mapping[str, TensorConfig]
    classes: int | None
    class_names: Sequence[str] = ()
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def split_columns(config: ColumnsDataConfig) -> list[str]:
    """Returns the columns or arrays that splits are made by or tell rows apart: no features."""
    named = [*(getattr(config.split, key) for key in SPLIT_COLUMNS), config.id]
    return list(dict.fromkeys(name for name in named if name is not None))


def check_columns(config: ColumnsDataConfig, names: Sequence[str], what: str) -> Iterator[Problem]:
    """Yields what of the columns of weights, of splits and of ids is not among `names`."""
    named = {"data.sample_weight": config.sample_weight, "data.id": config.id}
    named |= {f"data.split.{key}": getattr(config.split, key) for key in SPLIT_COLUMNS}
    for path, name in named.items():
        if name is not None and name not in names:
            yield expected(path, what, name, did_you_mean(name, names))


def check_tensors(
    path: str, declared: Mapping[str, TensorConfig], found: Mapping[str, TensorConfig]
) -> Iterator[Problem]:
    """Yields where `declared`, of the place `path`, is another than what a source has.

    A declared shape may leave lengths open with null; what is not declared is not looked at.
    """
    for name, tensor in declared.items():
        place = f"{path}.{name}"
        if name not in found:
            hint = did_you_mean(name, list(found))
            yield expected(place, "the name of something that the source has", name, hint)
            continue
        source = found[name]
        given, wanted = list(source.shape), list(tensor.shape)
        if len(given) != len(wanted) or any(
            want not in (None, have) for want, have in zip(wanted, given, strict=True)
        ):
            yield expected(f"{place}.shape", f"{given}, as the source has", wanted)
        if source.dtype != tensor.dtype:
            yield expected(f"{place}.dtype", f"{source.dtype}, as the source has", tensor.dtype)
