"""Names and values as MLflow's own checks take them."""

import pytest
from mlflow.utils.validation import _validate_param, _validate_tag

from runner.tracking.limits import PARAM_CHARACTERS, fit_name, fit_param, fit_tags

NAMES = [
    "model.layers.conv1.filters",
    "data.columns.fixed acidity (g/l).type",
    "data.columns.größe.type",
    "data.columns.a//b",
    "./a",
    "../a",
    "/a",
    ".",
    "a/..",
    "a/",
    "",
    "é?" * 200,
    "long." * 100,
]


@pytest.mark.parametrize("name", NAMES)
def test_mlflow_takes_each_name(name):
    _validate_param(fit_name(name, {}), "1")


def test_a_name_that_mlflow_takes_is_kept():
    assert fit_name(NAMES[0], {}) == NAMES[0]


def test_names_stay_apart():
    taken = {}
    for name in ("a(b", "a)b", "a?b", "long." * 100, "long." * 101):
        taken[fit_name(name, taken)] = name
    assert len(taken) == 5


def test_a_value_that_is_cut_says_so():
    fitted = fit_param("x" * 7000)
    assert len(fitted) == PARAM_CHARACTERS
    assert fitted.endswith("x … (7,000 characters, all in config/resolved.yaml)")
    assert fit_param("x" * PARAM_CHARACTERS) == "x" * PARAM_CHARACTERS


def test_mlflow_takes_each_tag():
    for name, value in fit_tags({"my (tag)": "x" * 9000, "my [tag]": "y"}).items():
        _validate_tag(name, value)
        assert len(value) <= 8000
