"""The digits in each form that a source reads: trained on, evaluated and predicted by commands."""

import csv
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from PIL import Image
from pyarrow import parquet
from sklearn.datasets import load_digits

from runner.composition import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PIXELS = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
IMAGES = (load_digits().images[..., np.newaxis] / 16).astype(np.float32)
DIGITS = load_digits().target
FORMS = ("arrays", "folder of arrays", "pictures", "csv", "parquet", "tfrecord")


def write_arrays(folder):
    np.savez(folder / "digits.npz", image=IMAGES, digit=DIGITS)
    return ["data=arrays", f"data.file={folder}/digits.npz", "data.targets=[digit]"]


def write_array_folder(folder):
    (folder / "digits").mkdir()
    np.save(folder / "digits" / "image.npy", IMAGES)
    np.save(folder / "digits" / "digit.npy", DIGITS)
    streamed = ["data.targets=[digit]", "data.stream=true"]
    return ["data=arrays", f"data.file={folder}/digits", *streamed]


def write_pictures(folder):
    for row, (pixels, digit) in enumerate(zip(PIXELS, DIGITS, strict=True)):
        file = folder / "digits" / str(digit) / f"{row:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return ["data=images", f"data.file={folder}/digits"]


def write_table(folder, suffix):
    names = [f"pixel{index}" for index in range(64)]
    flat = IMAGES.reshape(-1, 64)
    if suffix == "csv":
        with (folder / "digits.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["row", *names, "digit"])
            writer.writerows(
                [row, *map(repr, map(float, flat[row])), DIGITS[row]] for row in range(len(flat))
            )
    else:
        columns = {name: flat[:, index] for index, name in enumerate(names)}
        table = pa.table({"row": np.arange(len(flat)), **columns, "digit": DIGITS})
        parquet.write_table(table, folder / "digits.parquet", row_group_size=300)
    (folder / "data").mkdir()
    columns = "\n".join(f"  {name}: {{feature: image}}" for name in names)
    (folder / "data" / "pixels.yaml").write_text(
        f"defaults: [table, _self_]\nfile: {folder}/digits.{suffix}\ntargets: [digit]\nid: row\n"
        f"stream: {'true' if suffix == 'parquet' else 'null'}\n"
        f"columns:\n{columns}\n"
        "preprocess: {image: {grid: {type: Reshape, target_shape: [8, 8, 1]}}}\n",
        encoding="utf-8",
    )
    return ["--config-dir", str(folder), "data=pixels"]


def write_records(folder):
    with tf.io.TFRecordWriter(str(folder / "digits.tfrecord")) as writer:
        for image, digit in zip(IMAGES, DIGITS, strict=True):
            values = {
                "image": tf.train.Feature(float_list=tf.train.FloatList(value=image.reshape(-1))),
                "digit": tf.train.Feature(int64_list=tf.train.Int64List(value=[digit])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=values))
            writer.write(example.SerializeToString())
    return [
        "data=tfrecord",
        f"data.file={folder}/digits.tfrecord",
        "data.features={image:{shape:[8,8,1],dtype:float32}}",
        "data.labels={digit:{shape:[],dtype:int64}}",
        "data.classes=10",
    ]


def write_form(form, folder):
    """Writes the digits and returns what is said of them on the command line."""
    writers = {
        "arrays": write_arrays,
        "folder of arrays": write_array_folder,
        "pictures": write_pictures,
        "tfrecord": write_records,
    }
    return writers[form](folder) if form in writers else write_table(folder, form)


def run(folder, *overrides):
    command = [sys.executable, "-m", "runner", *overrides]
    store = [f"tracking.database={folder}/mlflow.db", f"tracking.artifacts={folder}/artifacts"]
    finished = subprocess.run(
        [*command, *store, f"hydra.run.dir={folder}/{len(list(folder.iterdir()))}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def accuracies():
    """Returns the test accuracy of each form that was trained on so far."""
    return {}


@pytest.mark.parametrize("form", FORMS)
def test_digits_in_each_form_are_trained_on_evaluated_and_predicted(form, tmp_path, accuracies):
    source = write_form(form, tmp_path)
    trained = run(tmp_path, *source, "model=cnn", "task.epochs=15")
    (run_id,) = re.findall(r"^run +(\w+)", trained, re.MULTILINE)
    (tested,) = re.findall(r"^test +(.*)", trained, re.MULTILINE)
    accuracy = float(tested.split()[-1])
    evaluated = run(tmp_path, "task=evaluate", f"from_run={run_id}")
    assert re.findall(r"^test +(.*)", evaluated, re.MULTILINE) == [tested]
    file = tmp_path / "predictions.csv"
    run(tmp_path, "task=predict", f"from_run={run_id}", f"task.file={file}")
    with file.open(encoding="utf-8") as stream:
        predictions = list(csv.DictReader(stream))
    assert [int(one["row"]) for one in predictions] == list(range(len(DIGITS)))
    expected = np.sort(DIGITS) if form == "pictures" else DIGITS
    predicted = np.array([int(one["class"]) for one in predictions])
    # Of the whole source, of which a fifth is the test.
    assert (predicted == expected).mean() == pytest.approx(accuracy, abs=0.05)
    accuracies[form] = accuracy


def test_the_accuracies_agree_within_a_percent(accuracies):
    assert set(accuracies) == set(FORMS)
    assert max(accuracies.values()) - min(accuracies.values()) <= 0.01
    assert min(accuracies.values()) > 0.97


@pytest.mark.parametrize(
    "overrides",
    [
        ["data=text", "data.file=tests/samples/irises", "model=letters"],
        ["data=series", "data.file=tests/samples/waves.csv", "model=forecast"],
        ["data=table", "data.file=tests/samples/wine.csv", "model=tabular"],
    ],
    ids=["text", "series", "table"],
)
def test_samples_of_other_forms_are_trained_on_evaluated_and_predicted(overrides, tmp_path):
    targets = {"data=series": ["data.targets=[level]"], "data=table": ["data.targets=[cultivar]"]}
    trained = run(tmp_path, *overrides, *targets.get(overrides[0], []), "task.epochs=2")
    (run_id,) = re.findall(r"^run +(\w+)", trained, re.MULTILINE)
    (tested,) = re.findall(r"^test +(.*)", trained, re.MULTILINE)
    evaluated = run(tmp_path, "task=evaluate", f"from_run={run_id}")
    assert re.findall(r"^test +(.*)", evaluated, re.MULTILINE) == [tested]
    file = tmp_path / "predictions.parquet"
    run(tmp_path, "task=predict", f"from_run={run_id}", f"task.file={file}")
    rows = parquet.read_table(file)["row"].to_pylist()
    assert rows == sorted(set(rows))
    assert len(rows) > 100
