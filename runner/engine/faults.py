"""Finds, in everything of a step, the first value that is not finite and what made it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.wiring import LayerCall
from runner.engine.probe import Arrays, Probe

_MOST_INPUTS = 4
# Far above what training gives a weight.
_LARGE = 1e6


@dataclass(frozen=True)
class Fault:
    """A value that is not finite.

    Attributes:
        path: The place in the configuration of what made it.
        message: What it made, from what.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """Returns the place and the message."""
        return f"{self.path}: {self.message}"


def locate_fault(probe: Probe, rows: np.ndarray) -> Fault | None:
    """Returns the first value of a step that is not finite, None if all are.

    What goes in comes first, then each layer in the order it is called, the losses, and gradients
    from the last layer to the first.

    Args:
        probe: Everything in the step.
        rows: (examples,) integers, each example's row in its source.
    """
    found = (
        *_in_data("data.features", probe.features, rows),
        *_in_data("data.labels", probe.labels, rows),
        *_in_weights(probe),
        *_in_values(probe),
        *_in_losses(probe),
        *_in_gradients(probe),
    )
    return next(iter(found), None)


def summarize_probe(probe: Probe) -> Iterator[dict[str, str | int | float]]:
    """Yields the statistics of everything in a step, in order."""
    kinds: tuple[tuple[str, Arrays], ...] = (
        ("feature", probe.features),
        ("label", probe.labels),
        ("weight", probe.weights),
        ("value", probe.values),
        ("loss", probe.losses),
        ("gradient", probe.gradients),
    )
    for kind, arrays in kinds:
        for name, array in arrays.items():
            if array.dtype.kind in "fV":
                yield {"kind": kind, "name": name or "total", **_statistics(array)}


def describe(array: np.ndarray) -> str:
    """Returns the shape of an array and the range of its finite values."""
    shape = f"({', '.join(map(str, array.shape))})" if array.ndim else "a number"
    finite = _finite(array)
    if not finite.size:
        return f"{shape}, none of them finite"
    zeros = int((finite == 0).sum())
    text = f"{shape}, from {finite.min():.4g} to {finite.max():.4g}, mean {finite.mean():.4g}"
    return f"{text}, {zeros:,} zeros" if zeros else text


def count_faults(array: np.ndarray) -> str:
    """Returns how many values are not finite, by kind; nothing where all are."""
    values = _as_float(array)
    kinds = {
        "nan": np.isnan(values).sum(),
        "inf": np.isposinf(values).sum(),
        "-inf": np.isneginf(values).sum(),
    }
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return f"{sum(kinds.values()):,} of {values.size:,} values that are not finite ({counts})"


def is_finite(array: np.ndarray) -> bool:
    """Returns whether all of `array` is finite; what is no floating-point number is."""
    return array.dtype.kind not in "fV" or bool(np.isfinite(_as_float(array)).all())


def _in_data(path: str, arrays: Arrays, rows: np.ndarray) -> Iterator[Fault]:
    for name, array in arrays.items():
        if is_finite(array):
            continue
        bad = ~np.isfinite(_as_float(array)).reshape(len(array), -1).all(axis=1)
        first = int(np.flatnonzero(bad)[0])
        message = (
            f"the batch holds {count_faults(array)}, first in row {int(rows[first])} of the data."
        )
        yield Fault(f"{path}.{name}", message)


def _in_weights(probe: Probe) -> Iterator[Fault]:
    for name, array in probe.weights.items():
        if not is_finite(array):
            path = next(
                (call.path for call in probe.model.calls if name.startswith(f"{call.layer}.")),
                "model.layers",
            )
            message = (
                f"its weight {name} holds {count_faults(array)} before the step. "
                "Lower optimizer.learning_rate, or clip gradients (optimizer.clipnorm)."
            )
            yield Fault(path, message)


def _in_values(probe: Probe) -> Iterator[Fault]:
    for call in probe.model.calls:
        for _, array in _values_of(call.name, probe.values):
            if not is_finite(array):
                gave = f"{_type_of(probe, call)} gave {count_faults(array)}."
                yield Fault(call.path, f"{gave} {_what_went_in(probe, call)}{_hint(probe, call)}")


def _in_losses(probe: Probe) -> Iterator[Fault]:
    outputs = ", ".join(
        f"{name} {describe(array)}"
        for reference in probe.model.outputs.values()
        for name, array in _values_of(reference.name, probe.values)
    )
    for name, array in probe.losses.items():
        if name and not is_finite(array):
            place = f"model.loss.{name}" if len(probe.losses) > 2 else "model.loss"
            yield Fault(place, f"the loss is {float(array)}. What went in: {outputs}.")
    if "" in probe.losses and not is_finite(probe.losses[""]):
        message = f"what layers add to the loss makes it {float(probe.losses[''])}."
        yield Fault("model.layers", message)


def _in_gradients(probe: Probe) -> Iterator[Fault]:
    """Yields layers in whose backward pass a gradient stops being finite, the last layer first."""
    gradients = probe.gradients
    for reference in probe.model.outputs.values():
        for name, array in _values_of(reference.name, gradients):
            if not is_finite(array):
                message = f"its gradient with respect to {name} has {count_faults(array)}."
                yield Fault("model.loss", message)
    for call in reversed(probe.model.calls):
        given = [reference.name for reference in call.references()]
        names = [name for name in gradients if name.startswith(f"{call.layer}.")]
        names += [name for source in given for name, _ in _values_of(source, gradients)]
        for name in names:
            if not is_finite(gradients[name]):
                message = (
                    f"the gradient that {_type_of(probe, call)} gives {name} has "
                    f"{count_faults(gradients[name])}. {_what_went_in(probe, call)}"
                )
                yield Fault(call.path, message)


def _what_went_in(probe: Probe, call: LayerCall) -> str:
    arrays = {
        name: array
        for reference in call.references()
        for name, array in _values_of(reference.name, {**probe.features, **probe.values})
    }
    arrays |= _weights_of(probe, call)
    shown = [f"{name} {describe(array)}" for name, array in list(arrays.items())[:_MOST_INPUTS]]
    return f"What went in: {'; '.join(shown)}."


def _hint(probe: Probe, call: LayerCall) -> str:
    weights = _weights_of(probe, call).values()
    if any(np.abs(_finite(array)).max(initial=0) > _LARGE for array in weights):
        return " Its weights have exploded: lower optimizer.learning_rate."
    return ""


def _weights_of(probe: Probe, call: LayerCall) -> dict[str, np.ndarray]:
    return {
        name: array for name, array in probe.weights.items() if name.startswith(f"{call.layer}.")
    }


def _values_of(call: str, arrays: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in arrays.items():
        if name == call or name.startswith(f"{call}["):
            yield name, array


def _type_of(probe: Probe, call: LayerCall) -> str:
    return type(probe.model.layers[call.layer]).__name__


def _statistics(array: np.ndarray) -> Mapping[str, str | int | float]:
    values, finite = _as_float(array), _finite(array)
    is_empty = not finite.size
    return {
        "shape": "x".join(map(str, array.shape)),
        "dtype": array.dtype.name,
        "min": "" if is_empty else float(finite.min()),
        "mean": "" if is_empty else float(finite.mean()),
        "max": "" if is_empty else float(finite.max()),
        "nan": int(np.isnan(values).sum()),
        "infinite": int(np.isinf(values).sum()),
    }


def _finite(array: np.ndarray) -> np.ndarray:
    values = _as_float(array)
    found: np.ndarray = values[np.isfinite(values)]
    return found


def _as_float(array: np.ndarray) -> np.ndarray:
    """Returns `array` in a precision in which its sum does not overflow."""
    return np.asarray(array).astype(np.float64)
