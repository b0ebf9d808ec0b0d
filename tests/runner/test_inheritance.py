"""A command on top of a run, which is a folder here: nothing is trained."""

import uuid

import ml_dtypes
import numpy as np
import pytest
import yaml

from models.problems import ConfigError
from runner.composition import compose_config, compose_open, open_hydra, to_config
from runner.data.sources.table import read_table
from runner.inheritance import inherit, require_tracking
from runner.resolved import FILE, find_hidden, format_resolved
from runner.tracking.archives import write_arrays
from runner.tracking.folders import place_folder
from tests.stores import Store

WINE = ("model=tabular", "data=table", "data.targets=[cultivar]")
HEADER = "alcohol,color,kind,cultivar\n"


def keep_run(folder, *overrides, weights=None):
    """Leaves in `folder` what a run of `overrides` would."""
    folder.mkdir(exist_ok=True)
    with open_hydra():
        cfg = compose_open(list(overrides))
        text = format_resolved(to_config(cfg), find_hidden(cfg))
    (folder / FILE).write_text(text, encoding="utf-8")
    write_arrays(folder / "weights.npz", weights or {"a.b": np.ones(2)})
    return f"from_run={folder}"


def compose_on(tmp_path, *overrides):
    inherited = inherit(list(overrides), tmp_path / "inherited")
    with open_hydra():
        cfg = compose_open(inherited.extend(list(overrides)))
        inherited.settle(cfg)
        return to_config(cfg)


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "wine.csv"
    rows = ["13.2,1.5,red,a", "12.1,0.5,white,b", "11.9,0.25,red,a", "12.2,2.5,red,c"]
    file.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def test_model_data_and_seed_are_those_of_the_run(tmp_path):
    overrides = ("model=cnn", "model.layers.conv1.filters=3", "data.batch_size=7", "seed=5")
    run = keep_run(tmp_path / "run", *overrides, "session=cpu")
    config = compose_on(tmp_path, run, "task=evaluate")
    wanted = compose_config([*overrides, "task=evaluate"])
    assert (config.model, config.data, config.seed) == (wanted.model, wanted.data, 5)
    assert config.session == wanted.session  # not those of the run
    assert config.from_run == str(tmp_path / "run")


def test_what_the_command_sets_holds(tmp_path):
    run = keep_run(tmp_path / "run", "model=cnn", "seed=5")
    config = compose_on(tmp_path, run, "~model.layers.drop", "data.split.test=0.5", "seed=1")
    assert list(config.model.layers)[-2:] == ["flatten", "logits"]
    assert (config.data.split.test, config.seed) == (0.5, 1)
    config = compose_on(tmp_path, run, "data=random", "model.layers.conv1.filters=8")
    assert config.data.name == "random"
    assert config.model.layers["conv1"]["filters"] == 8


def test_new_files_are_encoded_as_those_of_the_run(tmp_path, table):
    run = keep_run(tmp_path / "run", *WINE, f"data.file={table}")
    table.with_name("new.csv").write_text(
        "id,kind,color,alcohol\n7,red,0.5,13.5\n8,red,1,12\n", encoding="utf-8"
    )
    new = [f"data.file={table.with_name('new.csv')}", "data.targets=[]", "data.id=id"]
    config = compose_on(tmp_path, run, *new)
    assert config.data.columns["kind"]["categories"] == ["red", "white"]
    assert config.data.labels == {}
    assert (config.data.classes, config.data.class_names) == (3, ["a", "b", "c"])
    examples = read_table(config.data)
    # alcohol, color, then red, white: in the order of the table that was trained on
    assert examples.features["numbers"].tolist() == [[13.5, 0.5, 1, 0], [12, 1, 1, 0]]
    assert examples.ids.tolist() == [7, 8]


def test_a_target_that_is_there_still_is_no_feature(tmp_path, table):
    run = keep_run(tmp_path / "run", *WINE, f"data.file={table}")
    config = compose_on(tmp_path, run, "data.targets=[]")
    assert config.data.features["numbers"].shape == [4]
    assert config.data.labels == {}


def test_predictions_need_neither_weights_nor_what_splits_are_made_by(tmp_path, table):
    text = "kind,color,weight,day,cultivar\n"
    text += "".join(f"{'rw'[i % 2]},{i},1.5,{i},{'abc'[i % 3]}\n" for i in range(30))
    table.write_text(text, encoding="utf-8")
    weighted = ["data.sample_weight=weight", "data.class_weight=balanced", "data.split.time=day"]
    run = keep_run(tmp_path / "run", *WINE, f"data.file={table}", *weighted, "data.columns={}")
    plain = table.with_name("plain.csv")
    plain.write_text("kind,color\nr,3\n", encoding="utf-8")
    new = [f"data.file={plain}", "data.targets=[]"]
    config = compose_on(tmp_path, run, *new, "task=predict")
    assert config.data.labels == {}
    assert read_table(config.data).features["numbers"].tolist() == [[1, 0, 3]]
    # To evaluate they are needed, but for the weights, if the command does without.
    with pytest.raises(ConfigError, match=r"data\.sample_weight: expected a column of the table"):
        compose_on(tmp_path, run, *new, "task=evaluate")
    config = compose_on(
        tmp_path, run, "data.sample_weight=null", "data.class_weight=null", "task=evaluate"
    )
    assert list(config.data.labels) == ["cultivar"]
    assert config.data.features["numbers"].shape == [3]


def test_a_category_that_the_run_did_not_see_is_refused(tmp_path, table):
    run = keep_run(tmp_path / "run", *WINE, f"data.file={table}")
    table.write_text(HEADER + "1,1,orange,a\n", encoding="utf-8")
    config = compose_on(tmp_path, run)
    with pytest.raises(ConfigError, match=r"kind\.categories: expected one of the categories"):
        read_table(config.data)


def test_values_from_the_environment_are_not_written_down(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDFETCH_SECRET", "hunter2")
    run = keep_run(tmp_path / "run", "+tracking.tags.token=${oc.env:FEEDFETCH_SECRET}")
    text = (tmp_path / "run" / FILE).read_text(encoding="utf-8")
    assert "hunter2" not in text
    tags = yaml.safe_load(text)["config"]["tracking"]["tags"]
    assert tags == {"token": "${oc.env:FEEDFETCH_SECRET}"}
    assert compose_on(tmp_path, run).tracking.tags == {}


def test_a_command_that_names_no_run_takes_nothing_over(tmp_path):
    assert inherit(["model=cnn", "--cfg", "job"], tmp_path) is None
    assert inherit(["from_run=null"], tmp_path) is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["from_run=abc", "tracking=off"],
            "from_run: expected the folder of a run, since tracking=off has no store; received "
            "'abc' (str).",
        ),
        (
            ["from_run=abc", "tracking.database={folder}/no.db"],
            "tracking.database: expected a store with runs in it; received '{folder}/no.db' (str). "
            "Run one first.",
        ),
        (
            ["from_run={folder}"],
            "from_run: expected a run's id or its folder; received '{folder}' (str). There is no "
            "resolved.yaml in it.",
        ),
        (
            ["from_run={folder}/without", "tracking=off"],
            "from_run: expected a run with weights; received '{folder}/without' (str). Only a run "
            "of task=train with tracking=off keeps weights.npz there.",
        ),
        (
            ["from_run=a,b"],
            "from_run: expected a run's id, its name, its folder or last; received 'a,b' (str).",
        ),
    ],
)
def test_a_run_that_cannot_be_taken_over_is_told(tmp_path, overrides, message):
    keep_run(tmp_path / "without")
    (tmp_path / "without" / "weights.npz").unlink()
    with pytest.raises(ConfigError) as caught:
        inherit([text.format(folder=tmp_path) for text in overrides], tmp_path / "inherited")
    assert str(caught.value) == message.format(folder=tmp_path)


def test_a_run_is_named_as_people_name_it_and_noted_by_its_id(tmp_path, monkeypatch, capsys):
    keep_run(tmp_path / "run", "model=mlp", "seed=5")
    store = Store(tmp_path)
    # Reads as a number.
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID("1234e567" + "0" * 24))
    run = store.add("mlp 'a'=1", tags={"folder": place_folder(tmp_path / "run")})
    monkeypatch.undo()
    store.client.log_artifact(run, str(tmp_path / "run" / FILE), "config")
    store.client.log_artifact(run, str(tmp_path / "run" / "weights.npz"), "weights")
    (tmp_path / "run" / "weights.npz").unlink()
    for name in ("1234e567", "last", "last-0", "'last~0'", "\"mlp 'a'=1\"", tmp_path / "run"):
        given = [f"from_run={name}", *store.overrides]
        inherited = inherit(given, tmp_path / "inherited")
        assert inherited.run == run
        assert list(inherited.weights) == ["a.b"]
        assert f"from_run='{run}'" in inherited.extend(given)
        assert inherited.pin(given) == [f"from_run='{run}'", *store.overrides]
        with open_hydra():
            cfg = compose_open(inherited.extend(given))
        assert (cfg.from_run, cfg.seed) == (run, 5)
    assert "Downloading" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a b", "a b"),
        ("it's", "it's"),
        ("c\\d", "c\\d"),
        ("e\\", "e\\\\"),
        ("f\\'g", "f\\'g"),
        ("x=1,y=[2]", "x=1,y=[2]"),
    ],
)
def test_a_folder_of_any_name_is_taken(tmp_path, name, quoted):
    keep_run(tmp_path / name)
    given = [f'from_run="{tmp_path}/{quoted}"', "tracking=off"]
    inherited = inherit(given, tmp_path / "inherited")
    with open_hydra():
        assert compose_open(inherited.extend(given)).from_run == str(tmp_path / name)


def test_what_a_run_adds_stands_in_a_row_with_what_the_user_set(tmp_path):
    run = keep_run(tmp_path / "run", "seed=5")
    mine = tmp_path / "mine"
    mine.mkdir()
    given = ["-m", "task=predict", run, f"hydra.searchpath=[file://{mine}]", "model=mlp"]
    extended = inherit(given, tmp_path / "inherited").extend(given)
    path = f"hydra.searchpath=[file://{tmp_path}/inherited,file://{mine}]"
    assert extended == ["-m", "task=predict", "data=from_run", "seed=5", path, run, "model=mlp"]


def test_weights_of_bfloat16_come_back_as_they_were(tmp_path):
    kernel = np.asarray([[0.5, -3.0]], ml_dtypes.bfloat16)
    keep_run(tmp_path / "run", "model=mlp", weights={"a.kernel": kernel})
    inherited = inherit([f"from_run={tmp_path}/run"], tmp_path / "inherited")
    read = inherited.weights["a.kernel"]
    assert read.dtype == ml_dtypes.bfloat16
    assert read.tolist() == kernel.tolist()


def test_a_verb_takes_no_address_with_user_information():
    uri = "tracking.uri=http://ann:letmein@127.0.0.1:5000"
    with pytest.raises(ConfigError, match=r"tracking\.uri: expected an address without user"):
        require_tracking(["tracking=server", uri])
