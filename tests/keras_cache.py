"""A cache of ``keras.datasets`` with small files of the forms that Keras downloads."""

import gzip
import io
import pickle
import tarfile

import numpy as np

WORDS = 50


def fill_cache(monkeypatch, home):
    """Writes small sets under `home`, has Keras look there, and pass their checksums."""
    point_to(monkeypatch, home)
    monkeypatch.setattr("keras.src.utils.file_utils.validate_file", lambda *_, **__: True)
    folder = home / "datasets"
    (folder / "fashion-mnist").mkdir(parents=True)
    random = np.random.default_rng(0)
    x_train, x_test = (random.integers(0, 256, (size, 28, 28), np.uint8) for size in (40, 20))
    y_train, y_test = (np.arange(size, dtype=np.uint8) % 10 for size in (40, 20))
    np.savez(folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    for name, images, labels in (("train", x_train, y_train), ("t10k", x_test, y_test)):
        for part, array, header in (("images-idx3", images, 16), ("labels-idx1", labels, 8)):
            content = gzip.compress(bytes(header) + array.tobytes())
            (folder / "fashion-mnist" / f"{name}-{part}-ubyte.gz").write_bytes(content)
    _write_cifar100(folder / "cifar-100-python-target_archive", random)
    texts = {name: _write_texts(random, size) for name, size in (("train", 40), ("test", 20))}
    np.savez(
        folder / "imdb.npz",
        **{f"x_{name}": words for name, words in texts.items()},
        y_train=np.arange(40) % 2,
        y_test=np.arange(20) % 2,
    )
    np.savez(folder / "reuters.npz", x=_write_texts(random, 460), y=np.arange(460) % 46)
    x, y = random.normal(size=(50, 8)), random.uniform(1e4, 5e5, 50)
    np.savez(folder / "california_housing.npz", x=x, y=y)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "texts": texts, "y": y}


def point_to(monkeypatch, home):
    """Has Keras keep its cache in a folder, which it reads of the environment when imported."""
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(home))


def _write_texts(random, size):
    words = np.empty(size, object)
    for index in range(size):
        words[index] = random.integers(1, WORDS, random.integers(3, 12)).tolist()
    return words


def _write_cifar100(file, random):
    with tarfile.open(file, "w:gz") as archive:
        for name, size in (("train", 200), ("test", 100)):
            content = pickle.dumps(
                {
                    b"data": random.integers(0, 256, (size, 3072), np.uint8),
                    b"fine_labels": [index % 100 for index in range(size)],
                }
            )
            entry = tarfile.TarInfo(f"cifar-100-python/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
