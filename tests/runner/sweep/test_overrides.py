"""What a sweep was asked for, as Hydra wrote it down."""

import pytest

from runner.sweep.overrides import name_sweep, read_overrides, read_settings

MULTIRUN = """\
hydra:
  sweeper:
    params: {seed: "0,1"}
  overrides:
    task:
    - model=mlp
    - data.fold=0,1,2
seed: 0
"""


def test_the_overrides_of_a_sweep_are_those_typed_and_those_of_the_sweeper(tmp_path):
    assert read_overrides(tmp_path) == []
    (tmp_path / "multirun.yaml").write_text(MULTIRUN, encoding="utf-8")
    assert read_overrides(tmp_path) == ["seed=0,1", "model=mlp", "data.fold=0,1,2"]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["model=mlp", "data.fold=0,1,2"], "data.fold=0,1,2"),
        (["model=mlp,cnn", "seed=range(3)"], "model=mlp,cnn seed=range(3)"),
        (["data.size=[8,8]", "seed=1"], "sweep"),  # a list is one value
    ],
)
def test_a_sweep_is_named_for_what_varies(overrides, name):
    assert name_sweep(overrides) == name


def test_a_long_name_is_cut():
    typed = f"seed={','.join(map(str, range(100)))}"
    assert name_sweep([typed]) == f"{typed[:199]}…"


def test_the_settings_of_a_job_are_its_overrides_by_key():
    settings = read_settings(["+a.b=c=d", "~model.layers.drop", "data.size=[8,8]"])
    assert settings == {"+a.b": "c=d", "~model.layers.drop": "", "data.size": "[8,8]"}
