"""Which layers behind inputs have statistics of the data, and if they have them. No TensorFlow.

A layer has been adapted where its arguments hold its statistics: it is then built like any other.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from models.config import ModelConfig
from models.problems import Problem
from models.wiring import PREPROCESS_PATH, LayerCall, Wiring, read_wiring

# The layers of Keras that can be adapted, and the argument that holds what they have learned.
_STATISTICS = {
    "Discretization": "bin_boundaries",
    "IntegerLookup": "vocabulary",
    "Normalization": "mean",
    "StringLookup": "vocabulary",
    "TextVectorization": "vocabulary",
}
# Layers that mix examples, and with them labels, which nothing behind an input sees.
_MIXERS = ("CutMix", "MixUp")

Stacks = Mapping[str, Any]


def is_unadapted(spec: object) -> bool:
    """Returns whether `spec` declares a layer that is still to be adapted."""
    if not isinstance(spec, Mapping):
        return False
    argument = _STATISTICS.get(str(spec.get("type")))
    return argument is not None and spec.get(argument) is None


def preprocess_calls(calls: Iterable[LayerCall]) -> list[LayerCall]:
    """Returns those of `calls` that are of layers behind inputs."""
    return [call for call in calls if call.path.startswith(f"{PREPROCESS_PATH}.")]


def needs_adapting(config: ModelConfig) -> bool:
    """Returns whether a layer behind an input is still to be adapted."""
    calls = preprocess_calls(read_wiring(config).calls) if config.preprocess else []
    return any(is_unadapted(call.spec) for call in calls)


def validate_preprocess(wiring: Wiring) -> Iterator[Problem]:
    """Yields what is wrong with layers behind inputs that would do in a model."""
    layers: dict[str, str] = {}
    for call in preprocess_calls(wiring.calls):
        kind = str(call.spec.get("type"))
        if kind in _MIXERS:
            message = f"{kind} mixes labels too, which no layer behind an input sees. Remove it."
            yield Problem(call.path, message)
        elif kind == "RandomCrop":
            message = "RandomCrop crops in training alone; use CenterCrop, or RandomTranslation."
            yield Problem(call.path, message)
        elif is_unadapted(call.spec) and layers.setdefault(call.path, call.layer) != call.layer:
            message = f"{kind} adapts to what one layer is given; write the block out."
            yield Problem(call.path, message)
        for place, inner in _nested(call.path, call.spec):
            if is_unadapted(inner):
                message = (
                    f"{inner['type']} is not adapted within another layer; make it one of "
                    f"the stack, or give its {_STATISTICS[str(inner['type'])]}."
                )
                yield Problem(place, message)


def set_statistics(stacks: Stacks, path: str, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `stacks` in which the layer declared at `path` has been adapted.

    Args:
        stacks: Stacks of layers by input.
        path: The layer's place in the configuration.
        statistics: Arguments of the layer.
    """
    changed: dict[str, Any] = deepcopy(dict(stacks))
    spec = changed
    for key in path.removeprefix(f"{PREPROCESS_PATH}.").split("."):
        spec = spec[key]
    spec.update(statistics)
    return changed


def stand_in(config: ModelConfig) -> ModelConfig:
    """Returns `config` in which made-up statistics stand for what is still to be adapted.

    What the layers give has the shape that it would have, as far as that is known without data.
    """
    stacks: Mapping[str, Any] = config.preprocess
    for call in preprocess_calls(read_wiring(config).calls) if stacks else ():
        if is_unadapted(call.spec):
            stacks = set_statistics(stacks, call.path, _make_up(call.spec))
    return replace(config, preprocess=dict(stacks))


def _make_up(spec: Mapping[str, Any]) -> dict[str, Any]:
    kind = spec["type"]
    if kind == "Normalization":
        return {"mean": 0.0, "variance": 1.0}
    if kind == "Discretization":
        bins = spec.get("num_bins") or 1
        return {"bin_boundaries": [float(bound) for bound in range(1, bins)], "num_bins": None}
    is_text = kind == "TextVectorization"
    is_index = spec.get("output_mode", "int") == "int"
    masks = is_text or spec.get("mask_token") is not None
    special = (1 if is_text else spec.get("num_oov_indices", 1)) + (1 if masks and is_index else 0)
    count = max((spec.get("max_tokens") or 0) - special, 1)
    if kind == "IntegerLookup":
        start = (spec.get("mask_token") or 0) + 1
        return {"vocabulary": list(range(start, start + count)), **_weigh(spec, count)}
    return {"vocabulary": [f"token{index}" for index in range(count)], **_weigh(spec, count)}


def _weigh(spec: Mapping[str, Any], count: int) -> dict[str, Any]:
    is_weighted = spec.get("output_mode") in ("tf_idf", "tf-idf")
    return {"idf_weights": [1.0] * count} if is_weighted else {}


def _nested(path: str, value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the place of every mapping within the arguments of a layer, and the mapping."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, Mapping):
                yield f"{path}.{key}", item
            yield from _nested(f"{path}.{key}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield f"{path}[{index}]", item
            yield from _nested(f"{path}[{index}]", item)
