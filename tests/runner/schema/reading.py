"""What the committed schemas say of a configuration."""

import json

from jsonschema import Draft7Validator
from omegaconf import OmegaConf
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from runner.composition import CONF, PROJECT

FOLDER = PROJECT / "docs" / "schema"


def read_schema(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


REGISTRY = Registry().with_resources(
    (file.name, Resource.from_contents(read_schema(file.stem), default_specification=DRAFT7))
    for file in FOLDER.glob("*.json")
)


def schema_of(file):
    """Returns the name of the schema for a file under conf/."""
    folders = file.relative_to(CONF).parts[:-1]
    return folders[0] if folders else "config"


def tell(reference, value):
    """Returns what a schema says of a value: the place and the message of each mistake."""
    validator = Draft7Validator({"$ref": reference}, registry=REGISTRY)
    return [
        f"{error.json_path.removeprefix('$.')}: {error.message}"
        for error in validator.iter_errors(value)
    ]


def read_yaml(text):
    """Returns what YAML holds, read as OmegaConf does, interpolations as they stand."""
    return OmegaConf.to_container(OmegaConf.create(text), resolve=False)


def tell_of_yaml(name, text):
    """Returns what the schema of a kind of file says of YAML."""
    return tell(f"{name}.json", read_yaml(text))
