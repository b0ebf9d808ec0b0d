"""JSON Schema of a model's losses and metrics."""

from runner.schema.layers import NAMES
from runner.schema.values import PARTIAL, Schema, refer, value_of


def define_objectives() -> dict[str, Schema]:
    """Returns the definitions of what may stand under ``loss`` and under ``metrics``."""
    definitions = {}
    for suffix in ("", PARTIAL):
        definitions[f"loss{suffix}"] = _loss(suffix)
        definitions[f"scores{suffix}"] = {
            **value_of(["mapping"], "a mapping of names to metrics"),
            **NAMES,
            "additionalProperties": refer(f"metrics{suffix}"),
        }
    return definitions


def _loss(suffix: str) -> Schema:
    """Returns the schema of one loss, of a mapping of outputs to losses, or of none."""
    by_output = {"minProperties": 1, "additionalProperties": refer(f"losses{suffix}")}
    return {
        **value_of(["mapping", "null"], "a mapping with the type of a loss"),
        "if": {"type": "object", "anyOf": [{"required": ["type"]}, {"required": ["class"]}]},
        "then": refer(f"losses{suffix}"),
        # Arguments of a loss that another file declares cannot be told from outputs.
        "else": {"properties": {"type": refer("losses.type")}, **({} if suffix else by_output)},
    }
