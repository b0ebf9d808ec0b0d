"""The YAML of the documentation: each snippet is something that can be had."""

import re

import pytest
import tensorflow as tf
import yaml

from runner.composition import CONF, PROJECT
from runner.data.sources.table import read_table
from runner.engine.graph import build_graph
from runner.engine.protos import build_config_proto
from runner.session_options import find_idle_options
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


@pytest.mark.parametrize("snippet", list(read_snippets("docs/session.md")))
def test_a_snippet_of_the_session_opens_one(compose, tmp_path, snippet):
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "documented.yaml").write_text(snippet, encoding="utf-8")
    config = compose(f"hydra.searchpath=[file://{tmp_path}]", "session=documented")
    validate(config)
    assert list(find_idle_options(config.session, gpus=0)) == []
    with tf.compat.v1.Session(graph=tf.Graph(), config=build_config_proto(config.session)):
        pass


def read_data_snippet(heading):
    """Returns the YAML in a section of the page on data."""
    text = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.search(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]


def test_the_records_of_the_page_on_data_are_declared(compose, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "photos.tfrecord").touch()
    others = "  mask: {shape: [64], dtype: uint8}\n  weight: {shape: [], dtype: float32}\n"
    snippet = read_data_snippet("TFRecord").replace("records:\n", f"{others}records:\n")
    (tmp_path / "data" / "photos.yaml").write_text(
        f"defaults: [tfrecord, _self_]\nfile: {tmp_path}/photos.tfrecord\n{snippet}classes: 2\n",
        encoding="utf-8",
    )
    config = compose(f"hydra.searchpath=[file://{tmp_path}]", "data=photos")
    assert config.data.records["image"].decode == "image"
    assert config.data.features["tokens"].shape == [None]


def test_the_columns_of_the_page_on_data_are_those_of_a_table(compose, tmp_path):
    snippet = read_data_snippet("Tables")
    (tmp_path / "data").mkdir()
    (tmp_path / "houses.csv").write_text(
        "id,city,floor,door,kind,rooms,note,price\n"
        "1,Rome,1,2,boat,,by the river,10.5\n2,Oslo,0,1,flat,4,small,8.5\n",
        encoding="utf-8",
    )
    (tmp_path / "data" / "houses.yaml").write_text(
        f"defaults: [table, _self_]\nfile: {tmp_path}/houses.csv\ntargets: [price]\n{snippet}",
        encoding="utf-8",
    )
    config = compose(f"hydra.searchpath=[file://{tmp_path}]", "model=regression", "data=houses")
    validate(config)
    features = {name: (one.shape, one.dtype) for name, one in config.data.features.items()}
    assert features == {
        "city": ([], "int64"),
        "position": ([2], "float32"),
        "numbers": ([4], "float32"),
        "note": ([], "string"),
    }
    examples = read_table(config.data)
    assert examples.features["numbers"].tolist() == [[0, 0, 1, 1], [1, 0, 0, 4]]


def test_the_sources_of_the_page_on_data_are_all_there():
    text = (PROJECT / "docs" / "data.md").read_text(encoding="utf-8")
    sources, _, _ = text.partition("## Splits")
    listed = re.findall(r"^\| `(\w+)` \|", sources, re.MULTILINE)
    assert sorted(listed) == sorted(file.stem for file in (CONF / "data").glob("*.yaml"))


def test_the_presets_of_the_session_are_all_listed():
    text = (PROJECT / "docs" / "session.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)`.* \|$", text.split("## Options")[0], re.MULTILINE)
    assert sorted(listed) == sorted(file.stem for file in (CONF / "session").glob("*.yaml"))


@pytest.mark.parametrize("file", ["docs/serving.md"])
def test_the_python_of_a_page_runs(file):
    text = (PROJECT / file).read_text(encoding="utf-8")
    snippets = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(snippet, {})


@pytest.mark.parametrize("snippet", list(read_snippets("docs/training.md")))
def test_a_snippet_of_training_is_an_experiment_that_trains(compose, tmp_path, snippet):
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_\n{snippet}"
    (tmp_path / "experiment" / "documented.yaml").write_text(text, encoding="utf-8")
    config = compose(f"hydra.searchpath=[file://{tmp_path}]", "experiment=documented")
    validate(config)
    build_graph(config)


def test_the_image_of_the_server_has_the_versions_that_are_tested():
    pinned = dict(
        line.split("==")
        for line in (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    text = (PROJECT / "docs" / "server" / "Dockerfile").read_text(encoding="utf-8")
    installed = re.findall(r'"([a-z0-9]+)(?:\[\w+\])?==([\d.]+)"', text)
    assert {name for name, _ in installed} == {"mlflow", "psycopg", "boto3"}
    assert {name: pinned[name] for name, _ in installed} == dict(installed)


def test_the_compose_file_has_no_secret_and_waits_for_what_it_needs():
    compose = yaml.safe_load((PROJECT / "docs/server/compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    for service in services.values():
        for name, value in service["environment"].items():
            if any(word in name for word in ("PASSWORD", "SECRET")):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    volumes = [place for service in services.values() for place in service.get("volumes", ())]
    assert {place.partition(":")[0] for place in volumes} == set(compose["volumes"])
    checked = {name for name, service in services.items() if "healthcheck" in service}
    assert checked == {"database", "storage", "server"}
    for service in services.values():
        for other, needed in service.get("depends_on", {}).items():
            ends = "service_healthy" if other in checked else "service_completed_successfully"
            assert needed["condition"] == ends
