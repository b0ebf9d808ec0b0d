"""Which outputs are classes, by what they are compared with."""

import pytest

from models.classifiers import Classifier, read_classifiers

LABELS = ["digit", "parity"]


@pytest.mark.parametrize(
    ("loss", "metrics", "found"),
    [
        (
            {"type": "SparseCategoricalCrossentropy", "from_logits": True},
            {},
            [("logits", "digit", "index", True, None)],
        ),
        (
            {"type": "SparseCategoricalCrossentropy", "ignore_class": 0, "label": "parity"},
            {},
            [("logits", "parity", "index", False, 0)],
        ),
        ({"type": "CategoricalCrossentropy"}, {}, [("logits", "digit", "one_hot", False, None)]),
        ({"type": "BinaryFocalCrossentropy"}, {}, [("logits", "digit", "binary", False, None)]),
        ({"type": "MeanSquaredError"}, {}, []),
        ({"class": "mine.Loss"}, {}, []),
        ({"type": "CategoricalCrossentropy", "axis": 1}, {}, []),
        (None, {}, []),
        (
            None,
            {"accuracy": {"type": "SparseCategoricalAccuracy"}},
            [("logits", "digit", "index", None, None)],
        ),
        (
            {"class": "mine.Loss"},
            {"accuracy": {"type": "BinaryAccuracy", "threshold": 0.0, "label": "parity"}},
            [("logits", "parity", "binary", True, None)],
        ),
        (
            None,
            {"accuracy": {"type": "BinaryAccuracy"}},
            [("logits", "digit", "binary", False, None)],
        ),
        (  # the loss is the one that knows whether they are logits
            {"type": "BinaryCrossentropy", "from_logits": True},
            {"accuracy": {"type": "BinaryAccuracy"}},
            [("logits", "digit", "binary", True, None)],
        ),
    ],
)
def test_the_loss_else_a_metric_tells_which_output_is_a_class(compose, loss, metrics, found):
    model = compose("model=cnn").model
    model.loss, model.metrics = loss, metrics
    assert read_classifiers(model, LABELS) == tuple(Classifier(*one) for one in found)


def test_each_output_of_a_model_of_several_has_its_own_label(compose):
    assert read_classifiers(compose("model=multitask").model, LABELS) == (
        Classifier("digit", "digit", "index", True),
        Classifier("parity", "parity", "binary", True),
    )


def test_without_labels_nothing_is_a_class(compose):
    assert read_classifiers(compose("model=cnn").model, []) == ()
