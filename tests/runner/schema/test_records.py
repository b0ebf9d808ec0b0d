"""What the schema of a dataclass holds of its types and of its docstring."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from omegaconf import MISSING

from runner.config import ExperimentConfig, TrainConfig
from runner.schema.records import describe_keys, record_of
from runner.schema.values import PARTIAL, UNRESOLVED
from tests.runner.schema.reading import read_schema

DEFINITIONS = read_schema("definitions")["definitions"]
RECORDS = [name for name in DEFINITIONS if name.removesuffix(PARTIAL).endswith("Config")]


@dataclass
class WrittenConfig:
    """Written for a test.

    Attributes:
        count: How many ``steps``,
            counted from 1.
        share: A share.
        names: Texts by name.
        anything: Whatever.
    """

    count: int = MISSING
    share: float | None = None
    names: dict[str, list[str]] = field(default_factory=dict)
    anything: Any = 3


def test_a_key_has_its_type_its_default_and_its_description():
    properties = record_of(WrittenConfig, "")["properties"]
    assert properties == {
        "count": {
            "description": "How many `steps`, counted from 1.",
            "type": ["integer", "string"],
            "pattern": UNRESOLVED,
            "errorMessage": "Expected an integer, or ${...}.",
        },
        "share": {
            "description": "A share.",
            "default": None,
            "type": ["number", "null", "string"],
            "pattern": UNRESOLVED,
            "errorMessage": "Expected a number or null, or ${...}.",
        },
        "names": {
            "description": "Texts by name.",
            "type": ["object", "string"],
            "pattern": UNRESOLVED,
            "errorMessage": "Expected a mapping, or ${...}.",
            "additionalProperties": {
                "type": ["array", "string"],
                "pattern": UNRESOLVED,
                "errorMessage": "Expected a list, or ${...}.",
                "items": {
                    "type": ["boolean", "number", "string"],
                    "errorMessage": "Expected a text, or ${...}.",
                },
            },
        },
        "anything": {"description": "Whatever.", "default": 3},
    }


def test_what_has_no_default_is_required_but_of_a_mapping_that_is_added_to_another():
    assert record_of(WrittenConfig, "")["required"] == ["count"]
    assert "required" not in record_of(WrittenConfig, PARTIAL)


def test_a_kind_has_the_keys_of_its_parent_and_their_descriptions():
    assert list(record_of(TrainConfig, "")["properties"])[:2] == ["name", "examples"]
    assert describe_keys(TrainConfig)["name"] == "What runs of the task are labelled with."


def test_the_whole_has_the_keys_of_every_kind():
    tasks = DEFINITIONS["TaskConfig"]
    assert {"name", "examples", "epochs", "training", "mask"} <= set(tasks["properties"])
    assert tasks["required"] == ["name"]
    assert set(DEFINITIONS["ExperimentConfig"]["properties"]) == set(
        ExperimentConfig.__dataclass_fields__
    )


@pytest.mark.parametrize("name", RECORDS)
def test_every_key_is_described(name):
    assert DEFINITIONS[name]["description"]
    for key, described in DEFINITIONS[name]["properties"].items():
        assert described["description"], f"{name}.{key} has no line under Attributes"
