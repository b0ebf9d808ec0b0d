"""What of a configuration is not shown, and how it is read back."""

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

import runner.secrets
from runner.composition import compose_open, open_hydra, to_config
from runner.paths import expand_argument
from runner.resolved import expand_home, find_hidden, format_resolved
from runner.secrets import Redactor, redact
from runner.tracking.params import flatten_params

FIXED = ["tracking=off", "plan.measurements=null"]


@pytest.fixture(autouse=True)
def redactor(monkeypatch, tmp_path):
    """One that knows nothing of other tests, and a home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    fresh = Redactor(tmp_path)
    monkeypatch.setattr(runner.secrets, "_redactor", fresh)
    return fresh


def look_at(*overrides):
    """Returns the hidden values by dotted path, the resolved configuration and the params."""
    with open_hydra():
        cfg = compose_open([*FIXED, *overrides])
        hidden = find_hidden(cfg)
        config = to_config(cfg)
    resolved = yaml.safe_load(format_resolved(config, hidden))["config"]
    shown = {".".join(map(str, keys)): text for keys, text in hidden.items()}
    return shown, resolved, flatten_params(config, hidden)


def test_what_comes_from_the_environment_is_shown_as_it_is_written(monkeypatch):
    monkeypatch.setenv("MY_SEED", "7")
    monkeypatch.setenv("MY_NAME", "a name of mine")
    shown, resolved, params = look_at(
        "seed=${oc.env:MY_SEED}",
        "+tracking.tags.name=${oc.env:MY_NAME}",
        "+tracking.tags.again=the ${tracking.tags.name}",
        "task.epochs=${seed}",
    )
    assert shown == {
        "seed": "${oc.env:MY_SEED}",
        "task.epochs": "${oc.env:MY_SEED}",
        "tracking.tags.name": "${oc.env:MY_NAME}",
        "tracking.tags.again": "the ${oc.env:MY_NAME}",
    }
    assert resolved["seed"] == params["seed"] == "${oc.env:MY_SEED}"
    assert resolved["task"]["epochs"] == params["task.epochs"] == "${oc.env:MY_SEED}"
    assert redact("by a name of mine.") == "by ${oc.env:MY_NAME}."


def test_a_variable_that_is_not_set_hides_no_default(monkeypatch):
    monkeypatch.delenv("MY_SEED", raising=False)
    shown, resolved, params = look_at("seed=${oc.env:MY_SEED,5}")
    assert not shown
    assert resolved["seed"] == 5
    assert params["seed"] == "5"


def test_the_address_of_a_server_is_no_secret(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5123")
    look_at("tracking=server")
    assert redact("http://127.0.0.1:5123 asks") == "http://127.0.0.1:5123 asks"


def test_what_is_under_the_key_of_a_secret_is_missing():
    shown, resolved, _ = look_at("+tracking.tags.api_key=abcdefgh", "+tracking.tags.secret=''")
    assert shown == {"tracking.tags.api_key": "<secret>"}
    assert resolved["tracking"]["tags"]["api_key"] == "???"
    assert redact("refused: abcdefgh") == "refused: <secret>"


def test_params_of_layers_may_be_called_tokens():
    shown, _, params = look_at("+model.layers.flatten.name_of_token=abcdefgh")
    assert not shown
    assert params["model.layers.flatten.name_of_token"] == "abcdefgh"


def test_the_password_of_an_address_in_a_file_is_learned():
    _, resolved, _ = look_at("+tracking.tags.url='http://ada:hunter22@localhost/x'")
    assert resolved["tracking"]["tags"]["url"] == "http://localhost/x"
    assert redact("with hunter22") == "with <secret>"


def test_a_path_in_the_home_folder_is_read_back(tmp_path):
    table = tmp_path / "wine.csv"
    table.write_bytes(Path("tests/samples/wine.csv").read_bytes())
    overrides = ["model=tabular", "data=table", "data.targets=[cultivar]"]
    _, resolved, params = look_at(*overrides, f"data.file={table}")
    assert resolved["data"]["file"] == "~/wine.csv"
    assert redact(params["data.file"]) == "~/wine.csv"
    with open_hydra():
        config = to_config(compose_open([*FIXED, *overrides, "data.file='~/wine.csv'"]))
    assert config.data.file == str(table)
    assert expand_argument("data.file=~/wine.csv") == f"data.file={table}"
    assert expand_argument("~model.layers.drop") == "~model.layers.drop"


@pytest.mark.parametrize("scheme", ["", "file://", "sqlite:///"])
def test_an_address_of_the_home_folder_is_read_back(tmp_path, scheme):
    given = f"{scheme}{tmp_path}/x.db"
    assert redact(given) == f"{scheme}~/x.db"
    cfg = OmegaConf.create({"a": [redact(given), "a~/b ~/c"]})
    expand_home(cfg)
    assert cfg.a == [given, "a~/b ~/c"]
    assert expand_argument(f"a.b={redact(given)}") == f"a.b={given}"


def test_a_mapping_that_is_taken_from_another_place_hides_what_is_in_it(monkeypatch):
    monkeypatch.setenv("MY_NAME", "a name of mine")
    cfg = OmegaConf.create({"a": {"b": "${oc.env:MY_NAME}"}, "c": "${a}", "d": ["x", "${a.b}"]})
    with open_hydra():
        hidden = find_hidden(cfg)
    assert set(hidden) == {("a", "b"), ("c", "b"), ("d", 1)}
