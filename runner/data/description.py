"""What a source says of its examples before any is read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from models.config import TensorConfig
from models.problems import Problem, did_you_mean, expected


@dataclass(frozen=True)
class Description:
    """The schema of a source.

    Attributes:
        features: What it gives as inputs, by name.
        labels: What it gives as targets, by name, the main one first.
        classes: Number of classes of the first label; None where it is no class.
    """

    features: Mapping[str, TensorConfig]
    labels: Mapping[str, TensorConfig]
    classes: int | None


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
