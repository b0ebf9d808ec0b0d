"""Secrets planted wherever a run could find them, and looked for in all that it left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from runner.composition import PROJECT

pytestmark = pytest.mark.integration

TIMEOUT_SECONDS = 240
MODEL = """
defaults: [mlp, _self_]
name: failing
layers: {last: {class: failing.Failing, from: logits}}
outputs: last
"""
LAYER = '''
import logging
import os
from pathlib import Path

import keras
import tensorflow as tf


class Failing(keras.layers.Layer):
    """Fails in its first step, with all that it knows."""

    def call(self, inputs):
        def fail(values):
            message = f"{os.environ['MY_TOKEN']} planted-in-command {Path.home()}/x"
            message += " postgresql://ada:planted-in-message@localhost/x"
            logging.getLogger("failing").error(message)
            raise RuntimeError(message)

        failed = tf.numpy_function(fail, [inputs], tf.float32, stateful=False)
        failed.set_shape(inputs.shape)
        return inputs + 0.0 * tf.stop_gradient(failed)
'''


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "planted-home"
    (home / "model").mkdir(parents=True)
    (home / "model" / "failing.yaml").write_text(MODEL, encoding="utf-8")
    (home / "failing.py").write_text(LAYER, encoding="utf-8")
    return home


def run_failing(home, folder):
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{home}",
        "MY_TOKEN": "planted-in-environment",
        "MY_URL": "postgresql://ada:planted-in-url@localhost/x",
        "MY_NAME": "planted-and-read",
    }
    overrides = [
        *("model=failing", "data=random", "task.epochs=1", "plan.name=step"),
        "trusted_modules=[failing]",
        f"tracking.database={folder}/mlflow.db",
        f"tracking.artifacts={folder}/artifacts",
        f"hydra.run.dir={folder}/run",
        "+tracking.tags.password=planted-in-command",
        "+tracking.tags.address='http://ada:planted-in-address@localhost/x'",
        "+tracking.tags.url=${oc.env:MY_URL}",
        "+tracking.tags.read=${oc.env:MY_NAME}",
        "+tracking.tags.again=${tracking.tags.read}",
    ]
    command = [sys.executable, "-m", "runner", *overrides, "--config-dir", str(home)]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )


def find_planted(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {"mlflow.db", "error.txt", "feedfetch.log", "hydra.yaml"} <= {one.name for one in files}
    return [str(file) for file in files if b"planted" in file.read_bytes()]


def test_no_secret_is_in_what_a_run_leaves(home, tmp_path):
    folder = tmp_path / "left"
    folder.mkdir()
    finished = run_failing(home, folder)
    assert finished.returncode == 1, finished.stderr
    assert not find_planted(folder)
    assert "planted" not in finished.stderr + finished.stdout.replace(str(home), "")
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("random").experiment_id])
    assert run.info.status == "FAILED"
    tags = run.data.tags
    assert {key: tags[key] for key in ("password", "address", "url", "read", "again")} == {
        "password": "<secret>",
        "address": "http://localhost/x",
        "url": "postgresql://localhost/x",
        "read": "${oc.env:MY_NAME}",
        "again": "${oc.env:MY_NAME}",
    }
    assert "--config-dir ~ " in tags["command"]
    error = Path(client.download_artifacts(run.info.run_id, "error.txt", str(tmp_path)))
    assert "${oc.env:MY_TOKEN} <secret> ~/x postgresql://localhost/x" in error.read_text("utf-8")
