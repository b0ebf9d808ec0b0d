"""Which outputs are read as numbers."""

import pytest

from models.regressors import Regressor, read_regressors
from runner.example_weights import list_targets


@pytest.mark.parametrize(
    ("overrides", "regressors"),
    [
        (["model=regression", "data=diabetes"], [Regressor("value", "progression")]),
        (["model=cnn"], []),
        (["model=autoencoder"], []),
        (["model=cnn", "model.loss=null", "~model.metrics.accuracy",
          "model.metrics={far: {type: MeanAbsoluteError}}"],
         [Regressor("logits", "digit")]),
        (["model=cnn", "model.metrics={far: {type: MeanAbsoluteError}}"], []),
    ],
)  # fmt: skip
def test_outputs_that_are_compared_with_numbers(compose, overrides, regressors):
    config = compose(*overrides)
    assert list(read_regressors(config.model, list_targets(config.data))) == regressors


def test_without_labels_there_is_none(compose):
    assert read_regressors(compose("model=regression", "data=diabetes").model, []) == ()
