"""What of a configuration differs from the defaults of its groups."""

import pytest
from hydra import compose
from omegaconf import open_dict

from runner.changes import find_changes, flatten_tree, format_value
from runner.composition import compare_with_defaults, open_hydra


def compare(*overrides):
    """Returns the differences of a command line of `overrides`."""
    with open_hydra():
        cfg = compose("config", list(overrides), return_hydra_config=True)
        job = cfg.hydra
        with open_dict(cfg):
            del cfg["hydra"]
        return compare_with_defaults(cfg, job)


def test_a_tree_is_laid_out_by_dotted_path():
    tree = {"a": {"b": 1, "c": {}}, "d": [1, {"e": None}], "f": [1, 2]}
    assert flatten_tree(tree) == {"a.b": 1, "a.c": {}, "d.0": 1, "d.1.e": None, "f": [1, 2]}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (0.5, "0.5"), ([1, {"a": False}], "[1, {a: false}]")],
)
def test_values_are_written_as_in_yaml(value, text):
    assert format_value(value) == text


def test_changes_hold_the_defaults():
    defaults = {"kept": 1, "other": {"set": None, "gone": [1, 2]}}
    tree = {"kept": 1, "other": {"set": 5, "new": "x"}}
    assert find_changes(tree, defaults) == {
        "other.set": "null",
        "other.new": None,
        "other.gone": "[1, 2]",
    }


def test_what_was_set_differs_from_the_defaults_of_the_chosen_groups():
    changes = compare(
        "model=mlp", "seed=3", "task.epochs=20", "~model.layers.dense2", "+tracking.tags.who=me"
    )
    assert changes["seed"] == "0"
    assert changes["tracking.tags.who"] is None
    assert changes["model.layers.dense2.units"] == "64"
    assert "model.name" not in changes
    assert "task.epochs" not in changes  # it is the default


def test_a_set_of_overrides_by_name_differs():
    assert compare("experiment=quick") == {"task.epochs": "20"}


@pytest.mark.parametrize("overrides", [(), ("model=mlp", "data=iris")])
def test_groups_alone_differ_in_nothing(overrides):
    assert compare(*overrides) == {}


def test_what_is_computed_is_compared_as_it_is_written():
    assert compare("data=iris", "model=tabular", "data.batch_size=8") == {"data.batch_size": "16"}
