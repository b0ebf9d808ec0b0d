"""The configuration of a run, composed anew from what it logged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir

from models.problems import ConfigError
from runner import secrets
from runner.comparison import metric_values
from runner.composition import compose_open, open_hydra, register, to_config
from runner.config import OffTrackingConfig
from runner.differences import LoggedData
from runner.repetition import NAME, list_overrides, read_weights, write_conf
from runner.resolved import FILE, find_hidden, format_resolved
from runner.tracking.archives import write_arrays
from runner.tracking.origin import Origin

STORE = ("tracking.database=/tmp/a.db", "tracking.artifacts=/tmp/a")


def log_run(*overrides, status="FINISHED", plan=None, losses=0):
    """Returns what a run of `overrides` would have logged, and its configuration."""
    with open_hydra():
        cfg = compose_open([*overrides, *STORE])
        config = to_config(cfg)
        text = format_resolved(config, find_hidden(cfg))
    entries = [(step, 1.0) for step in range(1, losses + 1)]
    values = {"step/loss": metric_values(entries)} if losses else {}
    tags = {} if plan is None else {"plan": plan}
    data = LoggedData("", "", "", {})
    return Origin("abc", "cnn", status, yaml.safe_load(text), tags, data, values), config


def compose_again(origin, folder, *overrides):
    folder.mkdir()
    write_conf(origin, folder, overrides)
    register()
    with initialize_config_dir(str(folder), version_base="1.3"):
        return to_config(compose(NAME, list(overrides)))


def test_all_groups_and_values_are_those_of_the_run(tmp_path):
    origin, config = log_run(
        *("model=mlp", "data.batch_size=7", "optimizer=sgd", "optimizer.momentum=0.5", "seed=5"),
        *("task.epochs=3", "session=cpu", "plan=loop", "fetches={loss: loss}", "trace.top=3"),
        *("tracking.experiment=mine", "+tracking.tags.owner=me"),
    )
    again = compose_again(origin, tmp_path / "conf", *STORE)
    for name in ("model", "data", "task", "optimizer", "session", "plan", "fetches", "trace"):
        assert getattr(again, name) == getattr(config, name), name
    assert (again.seed, again.tracking.experiment) == (5, "mine")
    assert again.tracking.tags == {"owner": "me"}
    assert again.tracking.run_name == "cnn"


def test_a_repetition_is_registered_only_if_it_is_asked_for(tmp_path):
    registered = ("tracking.register=digits", "tracking.alias=champion")
    origin, config = log_run(*registered)
    assert (config.tracking.register, config.tracking.alias) == ("digits", "champion")
    again = compose_again(origin, tmp_path / "conf", *STORE)
    assert (again.tracking.register, again.tracking.alias) == (None, None)
    again = compose_again(origin, tmp_path / "asked", *STORE, *registered)
    assert (again.tracking.register, again.tracking.alias) == ("digits", "champion")


def test_overrides_go_before_what_the_run_had(tmp_path):
    origin, _ = log_run("model=mlp", "seed=5")
    overrides = ("seed=6", "model=cnn", "optimizer.learning_rate=0.5", *STORE)
    again = compose_again(origin, tmp_path / "conf", *overrides)
    assert (again.seed, again.model.name, again.optimizer["learning_rate"]) == (6, "cnn", 0.5)
    assert again.tracking.run_name == "cnn seed=6 model=cnn optimizer.learning_rate=0.5"


@pytest.mark.parametrize(
    ("plan", "name", "jit_compile", "threads"),
    [("step", "step", False, 0), ("loop, XLA, 1 thread", "loop", True, 1)],
)
def test_the_plan_that_was_chosen_is_the_plan(tmp_path, plan, name, jit_compile, threads):
    origin, config = log_run("plan=auto", plan=plan)
    assert config.plan.name == "auto"
    again = compose_again(origin, tmp_path / "conf")
    assert (again.plan.name, again.plan.jit_compile, again.plan.measurements) == (
        name,
        jit_compile,
        None,
    )
    assert again.session.intra_op_parallelism_threads == threads


def test_time_that_was_up_is_the_steps_that_were_taken(tmp_path):
    origin, _ = log_run("task.stop.minutes=0.5", losses=12)
    assert compose_again(origin, tmp_path / "a").task.stop.steps == 12
    # Of one that was cut short it is not known when time would have been up.
    origin, _ = log_run("task.stop.minutes=0.5", losses=12, status="KILLED")
    assert compose_again(origin, tmp_path / "b").task.stop.minutes == 0.5


def test_paths_lead_where_they_led(tmp_path, monkeypatch):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20))
    (there / "a.csv").write_text(f"x,kind\n{rows}", encoding="utf-8")
    monkeypatch.chdir(there)
    origin, _ = log_run("model=tabular", "data=table", "data.file=a.csv", "data.targets=[kind]")
    monkeypatch.chdir(here)
    assert compose_again(origin, tmp_path / "conf").data.file == str(there / "a.csv")


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_path_of_the_environment_leads_where_it_led(tmp_path, monkeypatch, is_whole):
    # What is read from the environment is a secret from then on.
    monkeypatch.setattr(secrets, "_redactor", secrets.Redactor(None))
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    np.savez(there / "few.npz", image=np.zeros((2, 8, 8, 1)))
    monkeypatch.setenv("FEW", str(there / "few.npz") if is_whole else "few.npz")
    monkeypatch.chdir(there)
    origin, _ = log_run("feeds='${oc.env:FEW}'")
    assert origin.resolved["config"]["feeds"] == "${oc.env:FEW}"
    monkeypatch.chdir(here)
    assert compose_again(origin, tmp_path / "conf").feeds == str(there / "few.npz")
    origin.resolved["config"]["from_run"] = "${oc.env:FIRST}"
    monkeypatch.setenv("FIRST", "first")
    keep_weights(there / "first")
    assert read_weights(origin, [], OffTrackingConfig()).run == str(there / "first")


def test_values_of_the_environment_are_read_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("FEEDFETCH_SEED", "3")
    origin, config = log_run("seed=${oc.env:FEEDFETCH_SEED}")
    assert config.seed == 3
    monkeypatch.setenv("FEEDFETCH_SEED", "4")
    assert compose_again(origin, tmp_path / "conf").seed == 4


def test_a_run_without_a_store_is_repeated_without_one(tmp_path):
    origin, _ = log_run("model=mlp")
    origin.resolved["kinds"]["tracking"] = "off"
    for key in ("database", "artifacts", "spool", "wait_seconds"):
        del origin.resolved["config"]["tracking"][key]
    assert isinstance(compose_again(origin, tmp_path / "conf").tracking, OffTrackingConfig)


def test_what_is_set_is_told_with_what_it_was():
    origin, _ = log_run("model=mlp", "seed=5")
    told = list_overrides(
        origin, ["seed=6", "trace.steps=[1]", "~model.layers.drop", "seed=5", *STORE]
    )
    assert list(map(str, told)) == [
        "override: seed=6, was 5",
        "override: trace.steps=[1], was [3]",
        "override: ~model.layers.drop",
    ]


def test_only_tasks_that_come_to_the_same_are_repeated(tmp_path):
    origin, _ = log_run("task=benchmark")
    message = r"RUN: expected a run of task=train, evaluate, predict, forward; received 'benchmark'"
    with pytest.raises(ConfigError, match=message):
        write_conf(origin, tmp_path, [])


def test_predictions_do_not_go_over_those_of_the_run(tmp_path):
    origin, _ = log_run("task=predict", f"task.file={tmp_path}/kept.npz")
    write_conf(origin, tmp_path, [])
    task = yaml.safe_load((tmp_path / "task" / f"{NAME}.yaml").read_text(encoding="utf-8"))
    assert task["file"] == "${hydra:runtime.output_dir}/kept.npz"


def keep_weights(folder):
    folder.mkdir()
    (folder / FILE).write_text("config: {}\nkinds: {}\n", encoding="utf-8")
    write_arrays(folder / "weights.npz", {"a.b": np.ones(2)})


def test_weights_are_those_of_the_run_that_it_went_by(tmp_path):
    origin, _ = log_run()
    assert read_weights(origin, [], OffTrackingConfig()) is None
    keep_weights(tmp_path / "first")
    origin.resolved["config"]["from_run"] = str(tmp_path / "first")
    inherited = read_weights(origin, [], OffTrackingConfig())
    assert list(inherited.weights) == ["a.b"]


def test_a_run_that_it_went_by_and_is_gone_is_told(tmp_path):
    origin, _ = log_run()
    origin.resolved["config"]["from_run"] = str(Path(tmp_path) / "gone")
    message = r"^from_run: .* Run abc took its weights from it, and cannot be repeated without\.$"
    with pytest.raises(ConfigError, match=message):
        read_weights(origin, [], OffTrackingConfig())


def test_a_repetition_is_named_for_what_is_set_anew(tmp_path):
    origin, _ = log_run("seed=1", "task.epochs=2", *STORE)
    named = replace(origin, name="cnn seed=1 task.epochs=2")
    again = compose_again(named, tmp_path / "conf", "seed=2")
    assert again.tracking.run_name == "cnn task.epochs=2 seed=2"
