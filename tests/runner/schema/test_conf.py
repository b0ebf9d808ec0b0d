"""The files under conf/ and the schemas that they point to."""

import os

import pytest
import yaml
from hydra import compose
from jsonschema import Draft7Validator
from omegaconf import OmegaConf

from runner.composition import CONF, describe_data, open_hydra
from runner.schema.files import write_schemas
from tests.runner.schema.reading import FOLDER, read_schema, schema_of, tell, tell_of_yaml
from tests.runner.test_composition import overrides_of
from tests.test_docs import MISSING, read_snippets

FILES = sorted(CONF.rglob("*.yaml"))
IDS = [str(file.relative_to(CONF)) for file in FILES]
PACKAGE = "# @package"  # Hydra reads it in the first line only
EXPERIMENT = "definitions.json#/definitions/ExperimentConfig"


def test_the_committed_schemas_are_those_that_the_command_writes(tmp_path):
    written = {file.name: file.read_text(encoding="utf-8") for file in write_schemas(tmp_path)}
    committed = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    assert committed == written, "write them anew: make schema"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_a_schema_is_one_of_draft_7(file):
    Draft7Validator.check_schema(read_schema(file.stem))


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_every_file_points_to_the_schema_of_its_group(file):
    first, second, *_ = file.read_text(encoding="utf-8").splitlines()
    pointing = second if first.startswith(PACKAGE) else first
    path = os.path.relpath(FOLDER / f"{schema_of(file)}.json", file.parent)
    assert pointing == f"# yaml-language-server: $schema={path}"


@pytest.mark.parametrize("file", FILES, ids=IDS)
def test_every_file_is_as_its_schema_says(file):
    assert tell_of_yaml(schema_of(file), file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", [file for file in FILES if schema_of(file) != "hydra"], ids=str)
@pytest.mark.parametrize("resolve", [False, True])
def test_the_whole_that_a_file_is_composed_into_is_as_its_schema_says(file, resolve):
    with open_hydra():
        cfg = compose("config", overrides_of(file.relative_to(CONF)))
        if resolve:
            describe_data(cfg)
    assert tell(EXPERIMENT, OmegaConf.to_container(cfg, resolve=resolve)) == []


@pytest.mark.parametrize("snippet", list(read_snippets("docs/models.md")))
def test_a_snippet_of_the_language_is_as_the_schema_of_models_says(snippet):
    text = yaml.safe_dump({**MISSING, **yaml.safe_load(snippet)}, sort_keys=False)
    assert tell_of_yaml("model", text) == []


def test_every_group_has_a_schema():
    groups = {folder.name for folder in CONF.iterdir() if folder.is_dir()}
    schemas = {file.stem for file in FOLDER.iterdir()}
    assert schemas == {*groups, "config", "definitions"}
