"""Where a value of the composed configuration was written."""

import pytest

from models.problems import Problem
from runner.composition import CONF, open_hydra
from runner.places import format_problems, locate_problems


@pytest.fixture
def line_of(monkeypatch):
    """Finds the line of a file under conf/ that begins with a text, and runs beside conf/."""
    monkeypatch.chdir(CONF.parent)

    def line_of(file, text):
        lines = (CONF / file).read_text(encoding="utf-8").splitlines()
        (number,) = [number for number, line in enumerate(lines, 1) if line.startswith(text)]
        return f"conf/{file}:{number}"

    return line_of


@pytest.mark.parametrize(
    ("path", "file", "text"),
    [
        ("model.layers.conv2", "model/cnn.yaml", "  conv2:"),
        ("model.layers.conv2.filters", "model/cnn.yaml", "  conv2:"),
        ("model.layers.conv2.nothing", "model/cnn.yaml", "  conv2:"),
        ("model.metrics.accuracy.type", "model/cnn.yaml", "  accuracy:"),
        ("data.features.image.shape[1]", "data/digits.yaml", "  image:"),
        ("seed", "config.yaml", "seed:"),
        ("session.device", "session/auto.yaml", "device:"),
    ],
)
def test_a_value_is_in_the_file_that_set_it_last(line_of, path, file, text):
    with open_hydra():
        assert locate_problems([Problem(path, "")], []) == [[line_of(file, text)]]


def test_a_value_that_refers_to_another_is_shown(line_of):
    path = "model.layers.logits.units"
    with open_hydra():
        ((place,),) = locate_problems([Problem(path, "")], ["model=tabular"])
    assert place == line_of("model/tabular.yaml", "  logits:") + " (${data.classes})"


def test_what_was_taken_from_a_run_is_not_found_in_its_copy(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "from_run.yaml").write_text("batch_size: 0\n", encoding="utf-8")
    overrides = [f"hydra.searchpath=[file://{tmp_path}]", "data=from_run"]
    with open_hydra():
        places = locate_problems([Problem("data.batch_size", "")], overrides)
    assert places == [["as in the run that from_run names"]]


def test_a_file_that_overrides_another_goes_before_it(line_of):
    with open_hydra():
        ((place,),) = locate_problems([Problem("session.device", "")], ["session=cpu"])
    assert place == line_of("session/cpu.yaml", "device:")


@pytest.mark.parametrize(
    ("problem", "override"),
    [
        (Problem("model.layers.conv1.filters", ""), "model.layers.conv1.filters=abc"),
        (Problem("model.layers.conv1", "no argument 'filtrs'"), "model.layers.conv1.filtrs=3"),
        (Problem("model.layers.conv1.filters", ""), "model.layers.conv1={filters: 0.5}"),
        (Problem("model.layers.more.type", ""), "+model.layers.more={type: Dens}"),
        (Problem("model.layers.more", ""), "model.layers.more.type=Flatten"),
    ],
)
def test_what_was_written_on_the_command_line_is_found_there(problem, override):
    with open_hydra():
        assert locate_problems([problem], ["seed=3", override]) == [[f"command line: {override}"]]


def test_a_layer_changed_on_the_command_line_is_found_in_both_places(line_of):
    overrides = ["model.layers.pool1.pool_size=9", "seed=1"]
    with open_hydra():
        (places,) = locate_problems([Problem("model.layers.pool1", "too large")], overrides)
    assert places == [
        line_of("model/cnn.yaml", "  pool1:"),
        "command line: model.layers.pool1.pool_size=9",
    ]


def test_a_file_of_the_users_own_is_found(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text(
        "defaults:\n  - cnn\n  - _self_\n\nlayers:\n  conv1: {filters: 3}\n", encoding="utf-8"
    )
    overrides = [f"hydra.searchpath=[file://{tmp_path}]", "model=mine"]
    with open_hydra():
        ((place,),) = locate_problems([Problem("model.layers.conv1.filters", "")], overrides)
    assert place == f"{tmp_path}/model/mine.yaml:6"


def test_a_report_has_the_problem_its_place_and_its_notes(line_of):
    problem = Problem("seed", "expected another.", ("one", "two"))
    with open_hydra():
        report = format_problems([problem], [])
    assert report.splitlines() == [
        "seed: expected another.",
        f"    {line_of('config.yaml', 'seed:')}",
        "    one",
        "    two",
    ]
