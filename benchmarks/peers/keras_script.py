"""The default job as a plain Keras script: a CNN on digits, logged to MLflow by autolog.

    python -m benchmarks.peers.keras_script FOLDER

The same model, optimizer, splits and epochs as ``python -m runner``, and the outputs of the same
number of test examples. The model itself is not logged, as it is not there.
"""

import sys
from pathlib import Path

import keras
import mlflow
import numpy as np
from sklearn.datasets import load_digits

_EPOCHS = 20
_BATCH_SIZE = 32
_VALIDATION, _TEST, _SHOWN = 180, 359, 64


def main(folder: Path) -> None:
    """Trains, evaluates, predicts, and keeps it all in `folder`."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name("digits") is None:
        mlflow.create_experiment("digits", artifact_location=f"file://{folder}/artifacts")
    mlflow.set_experiment("digits")
    mlflow.tensorflow.autolog(log_models=False, log_datasets=False)
    keras.utils.set_random_seed(0)
    images, digits = _load()
    test, validation, train = np.split(
        np.random.default_rng(0).permutation(len(images)), [_TEST, _TEST + _VALIDATION]
    )
    model = _build()
    with mlflow.start_run():
        model.fit(
            images[train],
            digits[train],
            batch_size=_BATCH_SIZE,
            epochs=_EPOCHS,
            validation_data=(images[validation], digits[validation]),
            verbose=0,
        )
        metrics = model.evaluate(
            images[test], digits[test], batch_size=_BATCH_SIZE, verbose=0, return_dict=True
        )
        mlflow.log_metrics({f"test_{name}": value for name, value in metrics.items()})
        outputs = folder / "test.npz"
        np.savez(outputs, outputs=model.predict(images[test[:_SHOWN]], verbose=0))
        mlflow.log_artifact(str(outputs), "fetches")
    sys.stdout.write(f"test accuracy {metrics['accuracy']:.4f}\n")


def _load() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return (data.images[..., None] / 16).astype(np.float32), data.target


def _build() -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]))
