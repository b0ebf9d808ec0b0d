"""The YAML of the documentation: each snippet is a model that can be built."""

import re

import pytest
import yaml

from runner.composition import PROJECT
from runner.engine.graph import build_graph
from runner.validation import validate

SNIPPET = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.*)$", re.MULTILINE)
MISSING = {"name": "documented", "loss": None, "metrics": {}}


def read_snippets(file):
    text = (PROJECT / file).read_text(encoding="utf-8")
    for match in SNIPPET.finditer(text):
        heading = HEADING.findall(text[: match.start()])[-1]
        yield pytest.param(match[1], id=f"{heading} ({text[: match.start()].count(chr(10)) + 2})")


@pytest.mark.parametrize("snippet", list(read_snippets("docs/models.md")))
def test_a_snippet_of_the_language_is_a_model(compose, tmp_path, snippet):
    model = yaml.safe_load(snippet)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "documented.yaml").write_text(
        yaml.safe_dump({**MISSING, **model}, sort_keys=False), encoding="utf-8"
    )
    trains = model.get("loss") is not None
    data = ["data=digits", "task=train"] if trains else ["data=random", "task=forward"]
    is_single = any(given.get("batch_size") == 1 for given in model["inputs"].values())
    config = compose(
        f"hydra.searchpath=[file://{tmp_path}]",
        "model=documented",
        *data,
        *(["task.examples=1"] if is_single else []),
    )
    validate(config)
    build_graph(config)
