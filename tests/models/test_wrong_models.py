"""Every way in which a model can be wrong that is known without TensorFlow, by all its messages."""

from pathlib import Path

import pytest
import yaml

from models.validation import validate_model
from tests.models.reading import read_model

CASES = yaml.safe_load(Path(__file__).with_name("wrong_models.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_wrong_model_is_told_all_that_is_wrong(case):
    problems = validate_model(read_model(case["model"]))
    assert [str(problem) for problem in problems] == case["problems"]


def test_a_file_that_is_not_there_is_named_in_full(tmp_path):
    model = read_model(f"layers: {{a: {{file: {tmp_path}/net.keras}}}}\noutputs: a")
    (problem,) = validate_model(model)
    assert str(problem) == (
        "model.layers.a.file: expected a .keras file, a SavedModel folder or a frozen graph in a "
        f".pb file; received '{tmp_path}/net.keras' (str). There is nothing at "
        f"{tmp_path}/net.keras."
    )
