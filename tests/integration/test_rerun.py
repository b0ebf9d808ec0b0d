"""Runs that are repeated in another folder and process come to the same, or it is told why."""

import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.datasets import load_digits

from runner.composition import CONF, PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SAMPLES = PROJECT / "tests" / "samples"
FEW = ("task.stop.steps=6", "task.epochs=3", "data.batch_size=16", "trace.steps=null")
WORDS = "data.preprocess.text.tokens"
# What each model of the zoo is run on; digits where nothing is said.
ZOO = {
    "forecast": ("data=series", f"data.file={SAMPLES}/waves.csv", "data.targets=[level]"),
    "letters": ("data=text", f"data.file={SAMPLES}/irises"),
    "regression": ("data=diabetes",),
    "sequence": ("data=sequences",),
    "subclassed": ("experiment=subclassed",),
    "tabular": ("data=wine",),
    "text": (
        "data=table",
        f"data.file={SAMPLES}/moods.csv",
        "data.targets=[mood]",
        f"{WORDS}.type=TextVectorization",
        f"{WORDS}.max_tokens=1000",
        f"{WORDS}.output_sequence_length=50",
    ),
    "tokens": ("data=imdb",),
    "wide_deep": ("data=breast_cancer",),
}
MODELS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))


def store_in(folder):
    return [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]


def start(*arguments, cwd, text="", project=PROJECT, check=True):
    """Returns what a Python process wrote that can import the packages of `project`."""
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(project)},
    )
    if check:
        assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def run(folder, *overrides, cwd=PROJECT, **options):
    """Runs in `folder`, which is the store's too, and returns the run's id and what was written."""
    number = len(list(folder.iterdir()))
    store = [*store_in(folder), f"hydra.run.dir={folder}/{number}", "tracking.pictures=0"]
    finished = start("-m", "runner", *overrides, *store, cwd=cwd, **options)
    found = re.search(r"^run +(\w+)$", finished.stdout, re.M)
    return found and found[1], finished


def rerun(folder, run_id, *overrides, **options):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    options = {"cwd": elsewhere, **options}
    return run(folder, "rerun", run_id, *overrides, **options)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Returns the runs of all models by name, each repeated by another process elsewhere."""
    folder = tmp_path_factory.mktemp("zoo")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    script = str(PROJECT / "tests" / "integration" / "repeated_commands.py")
    store = [*store_in(folder), "tracking.pictures=0", f"hydra.sweep.dir={folder}"]
    commands = []
    for name in MODELS:
        on = ZOO.get(name, ())
        model = [] if name == "subclassed" else [f"model={name}", *FEW]
        commands.append([*model, *on, *store, f"hydra.run.dir={folder}/{name}"])
    keras_home = str(tmp_path_factory.mktemp("keras"))
    text = "\n".join(map(json.dumps, commands))
    first = start(script, keras_home, cwd=PROJECT, text=text)
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    ids = {found.data.tags["model"]: found.info.run_id for found in search(client)}
    again = [["rerun", ids[name], *store, f"hydra.run.dir={folder}/{name}-again"] for name in ids]
    second = start(script, keras_home, cwd=elsewhere, text="\n".join(map(json.dumps, again)))
    by_origin = {found.data.tags.get("rerun_of"): found for found in search(client)}
    written = first.stdout + first.stderr + second.stdout + second.stderr
    return {name: by_origin.get(run_id) for name, run_id in ids.items()}, written


def search(client):
    ids = [one.experiment_id for one in client.search_experiments()]
    return client.search_runs(ids)


@pytest.mark.parametrize("model", MODELS)
def test_a_rerun_of_each_model_is_the_same_bit_for_bit(zoo, model):
    runs, written = zoo
    again = runs.get(model)
    assert again is not None, written
    assert again.info.status == "FINISHED"
    assert again.data.tags["rerun.verdict"] == "bitwise", written


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Returns the folder and the id of a run whose plan was measured, on a file of digits."""
    folder = tmp_path_factory.mktemp("runs")
    write_digits(folder / "digits.npz")
    run_id, _ = run(
        folder,
        *("model=cnn", "data=arrays", "data.file=digits.npz", "data.targets=[digit]"),
        *("task.epochs=40", "plan.measurements=null"),
        cwd=folder,
    )
    return folder, run_id


def write_digits(file, changed=None):
    images = (load_digits().images[:400, ..., np.newaxis] / 16).astype(np.float32)
    if changed is not None:
        images[changed] = 0
    np.savez(file, image=images, digit=load_digits().target[:400])


def read_verdict(folder, run_id):
    run = MlflowClient(f"sqlite:///{folder}/mlflow.db").get_run(run_id)
    return run.data.tags["rerun_of"], run.data.tags["rerun.verdict"]


def list_differences(finished):
    """Returns what is told to differ, but for code that is being changed beside the tests."""
    told = re.findall(r"^differs +(.*)$", finished.stdout, re.M)
    return [text for text in told if not text.startswith("code:")]


def test_a_run_whose_plan_was_measured_is_repeated_by_that_plan(trained):
    folder, run_id = trained
    again, finished = rerun(folder, run_id)
    assert read_verdict(folder, again) == (run_id, "bitwise")
    assert re.search(
        rf"^rerun +of {run_id}: bit for bit the same, \d+ metrics", finished.stdout, re.M
    )
    assert list_differences(finished) in ([], ["nothing that is known"])
    differing = start("-m", "runner", "diff", run_id, again, *store_in(folder), cwd=folder)
    assert differing.stdout.splitlines()[-1] == "nothing differs"
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    plans = [client.get_run(each).data.tags["plan"] for each in (run_id, again)]
    assert plans[0] == plans[1]


def test_a_row_of_the_data_that_changed_is_told(trained):
    folder, run_id = trained
    file = folder / "digits.npz"
    kept = file.read_bytes()
    try:
        write_digits(file, changed=7)
        again, finished = rerun(folder, run_id)
        _, refused = rerun(folder, run_id, "--strict", check=False)
    finally:
        file.write_bytes(kept)
    assert read_verdict(folder, again) == (run_id, "different")
    told = list_differences(finished)
    # The row is of one split.
    changed = r"the file was \w+ and is \w+; all that is read was \w+ and is \w+"
    split = r"split \w+ \(\d+ rows\) was \w+ and is \w+"
    assert len(told) == 1
    assert re.fullmatch(rf"data: {file} has changed, by digest: {changed}; {split}", told[0])
    assert len(re.findall(r"^warning +data: ", finished.stdout + finished.stderr, re.M)) == 1
    assert refused.returncode == 2
    assert f"data: {file} has changed" in refused.stderr
    assert not re.search(r"^run ", refused.stdout, re.M)


def test_an_override_is_told_with_what_was(trained):
    folder, run_id = trained
    again, finished = rerun(folder, run_id, "optimizer.learning_rate=0.01")
    assert read_verdict(folder, again) == (run_id, "different")
    assert list_differences(finished) == ["override: optimizer.learning_rate=0.01, was 0.001"]
    assert re.search(
        r"^ +test/loss +was [\d.e-]+, is [\d.e-]+; relative difference", finished.stdout, re.M
    )


def test_another_commit_is_told_and_conf_does_not_matter(trained, tmp_path):
    folder, run_id = trained
    for name in ("runner", "models", "conf"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=ignored)
    model = tmp_path / "conf" / "model" / "cnn.yaml"
    model.write_text(model.read_text(encoding="utf-8").replace("filters: 32", "filters: 7"))
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "Other")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    head = ["git", "-C", str(tmp_path), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout[:12]
    again, finished = rerun(folder, run_id, project=tmp_path)
    assert read_verdict(folder, again) == (run_id, "bitwise")
    (told,) = re.findall(r"^differs +(code: the commit .*)$", finished.stdout, re.M)
    assert re.fullmatch(rf"code: the commit was \w+ and is {commit}", told)
    assert f"warning  {told}" in finished.stdout


@pytest.mark.parametrize(
    ("task", "count"), [("evaluate", r"\d+ metrics"), ("predict", r"\d+ predicted columns")]
)
def test_what_is_done_with_a_trained_run_is_repeated(trained, task, count):
    folder, run_id = trained
    first, _ = run(folder, f"task={task}", f"from_run={run_id}", cwd=folder)
    again, finished = rerun(folder, first)
    assert read_verdict(folder, again) == (first, "bitwise")
    assert re.search(rf"bit for bit the same, {count}", finished.stdout)


def test_a_run_without_a_store_is_repeated_from_its_folder(tmp_path):
    few = ("model=mlp", "task.epochs=1", "data.batch_size=256")
    kept = tmp_path / "kept"
    start("-m", "runner", *few, "tracking=off", f"hydra.run.dir={kept}", cwd=PROJECT)
    again = start("-m", "runner", "rerun", str(kept), f"hydra.run.dir={tmp_path}/b", cwd=tmp_path)
    assert f"rerun    of {kept}: bit for bit the same" in again.stdout
    logged = json.loads((tmp_path / "b" / "logged.json").read_text(encoding="utf-8"))
    assert logged["tags"]["rerun_of"] == str(kept)
    assert logged["tags"]["rerun.verdict"] == "bitwise"


def test_a_job_of_a_sweep_is_repeated_alone(tmp_path):
    few = ("model=mlp", "task.epochs=1", "data.batch_size=256", "seed=1,2")
    run(tmp_path, "-m", *few, f"hydra.sweep.dir={tmp_path}/sweep")
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = {found.data.tags.get("overrides"): found for found in search(client)}
    (job,) = [found for text, found in runs.items() if "seed=2" in text and "1,2" not in text]
    again, _ = rerun(tmp_path, job.info.run_id)
    assert read_verdict(tmp_path, again) == (job.info.run_id, "bitwise")
    assert "mlflow.parentRunId" not in client.get_run(again).data.tags
    (sweep,) = [found for found in runs.values() if "task" not in found.data.tags]
    _, refused = rerun(tmp_path, sweep.info.run_id, check=False)
    assert refused.returncode == 2
    assert "It is the run of a sweep; repeat one of its jobs." in refused.stderr
