"""Synthetic examples: sized by configuration, drawn from the seed, learnable."""

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_regression
from sklearn.linear_model import LinearRegression, LogisticRegression

from models.problems import ConfigError
from runner.data.sources.synthetic import make_synthetic


@pytest.fixture
def compose_made(compose):
    models = {"regression": "regression", "sequences": "sequence"}
    return lambda kind, *overrides: (
        compose(
            f"model={models.get(kind, 'tabular')}",
            "data=synthetic",
            f"data.kind={kind}",
            *overrides,
        ).data
    )


def test_classes_are_those_of_scikit_learn(compose_made):
    data = compose_made("classification", "data.examples=90", "data.numbers=6", "data.classes=4")
    assert (data.features["numbers"].shape, data.classes) == ([6], 4)
    made = make_synthetic(data, 3)
    numbers, classes = make_classification(
        90, 6, n_informative=5, n_redundant=0, n_classes=4, n_clusters_per_class=1, flip_y=0.01,
        random_state=3,
    )  # fmt: skip
    np.testing.assert_array_equal(made.features["numbers"], numbers.astype(np.float32))
    np.testing.assert_array_equal(made.labels["class"], classes)


def test_numbers_to_predict_are_those_of_scikit_learn(compose_made):
    data = compose_made("regression", "data.examples=90", "data.numbers=6", "data.noise=2")
    assert data.classes is None
    assert (list(data.labels), data.labels["target"].dtype) == (["target"], "float32")
    made = make_synthetic(data, 3)
    numbers, targets = make_regression(90, 6, n_informative=5, noise=2, random_state=3)
    np.testing.assert_array_equal(made.features["numbers"], numbers.astype(np.float32))
    np.testing.assert_array_equal(made.labels["target"], targets.astype(np.float32))
    fitted = LinearRegression().fit(numbers, targets)
    assert fitted.score(made.features["numbers"], made.labels["target"]) > 0.99


def test_sequences_hold_a_cylinder_a_bell_or_a_funnel(compose_made):
    size = ["data.examples=600", "data.length=128", "data.channels=2"]
    data = compose_made("sequences", *size, "data.noise=0")
    assert data.features["series"].shape == [128, 2]
    assert data.class_names == ["cylinder", "bell", "funnel"]
    made = make_synthetic(data, 0)
    series, classes = made.features["series"], made.labels["class"]
    assert (series.shape, series.dtype) == ((600, 128, 2), np.float32)
    assert np.bincount(classes).tolist() == [200, 200, 200]
    # As published: from a of 16 to 32, for 32 to 96 steps, 6 high on average, deviation 1.
    is_high = (series != 0).any(axis=2)
    first, last = is_high.argmax(axis=1), 127 - is_high[:, ::-1].argmax(axis=1)
    assert first[classes != 1].min() >= 16
    assert first[classes == 0].max() <= 33
    assert last[classes == 0].max() < 128
    height = series[classes == 0].max(axis=1)
    assert abs(height.mean() - 6) < 0.2
    assert abs(height.std() - 1) < 0.15
    middle = (first + last) // 2
    rise = series[np.arange(600), middle + 5, 0] - series[np.arange(600), middle - 5, 0]
    sign = np.sign(series[np.arange(600), middle, 0])
    assert set(np.sign(rise * sign)[classes == 1]) == {1}
    assert set(np.sign(rise * sign)[classes == 2]) == {-1}
    assert set(rise[classes == 0]) == {0}


def test_sequences_can_be_told_apart_in_noise(compose_made):
    made = make_synthetic(compose_made("sequences", "data.noise=1"), 0)
    flat = made.features["series"].reshape(len(made), -1)
    fitted = LogisticRegression(max_iter=2000).fit(flat[:700], made.labels["class"][:700])
    assert fitted.score(flat[700:], made.labels["class"][700:]) > 0.8


@pytest.mark.parametrize("kind", ["classification", "regression", "sequences"])
def test_the_seed_draws_them(compose_made, kind):
    data = compose_made(kind, "data.examples=50")
    first, again, other = (make_synthetic(data, seed) for seed in (1, 1, 2))
    for name, array in first.features.items():
        np.testing.assert_array_equal(array, again.features[name])
        assert not np.array_equal(array, other.features[name])


@pytest.mark.parametrize(
    ("kind", "override", "message"),
    [
        (
            "clusters",
            "data.examples=5",
            "data.kind: expected one of classification, regression, sequences; "
            "received 'clusters' (str).",
        ),
        (
            "classification",
            "data.examples=0",
            "data.examples: expected a number of 1 or more; received 0 (int).",
        ),
        (
            "classification",
            "data.noise=2",
            "data.noise: expected a share from 0 to 1; received 2.0 (float).",
        ),
        (
            "regression",
            "data.noise=-1",
            "data.noise: expected a number of 0 or more; received -1.0 (float).",
        ),
        (
            "regression",
            "data.informative=21",
            "data.informative: expected a number of at most 20, as data.numbers is; "
            "received 21 (int).",
        ),
        (
            "classification",
            "data.classes=33",
            "data.classes: expected a number from 2 to 32, since data.informative is 5; "
            "received 33 (int).",
        ),
        (
            "sequences",
            "data.classes=4",
            "data.classes: expected a number from 2 to 3, since the shapes are cylinder, bell, "
            "funnel; received 4 (int).",
        ),
        (
            "sequences",
            "data.length=4",
            "data.length: expected a number of 8 or more; received 4 (int).",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(compose_made, kind, override, message):
    with pytest.raises(ConfigError) as caught:
        compose_made(kind, override)
    assert str(caught.value) == message
