"""Which classes are taken for which, held to scikit-learn, and the tables of it."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from runner.results import ClassifyResult
from runner.tracking.confusion import (
    choose_classes,
    count_confusions,
    format_confusion,
    format_mistakes,
)


def classified(actual, predicted, *, classes, shown=(), **features):
    actual, predicted = np.array(actual), np.array(predicted)
    return ClassifyResult(
        split="test",
        output="logits",
        label="digit",
        classes=classes,
        rows=np.arange(len(actual)) + 100,
        actual=actual,
        predicted=predicted,
        confidence=np.linspace(0.5, 1, len(actual)),
        left_out=0,
        shown=np.array(shown, int),
        features={name: np.array(values) for name, values in features.items()},
    )


@pytest.mark.parametrize("classes", [2, 10, 300])
def test_counts_are_those_of_scikit_learn(classes):
    generator = np.random.default_rng(0)
    actual, predicted = generator.integers(0, classes, (2, 1000))
    names = np.arange(classes)
    np.testing.assert_array_equal(
        count_confusions(actual, predicted, names),
        confusion_matrix(actual, predicted, labels=names),
    )
    some = names[1::3]
    np.testing.assert_array_equal(
        count_confusions(actual, predicted, some),
        confusion_matrix(actual, predicted, labels=names)[1::3, 1::3],
    )


def test_of_too_many_classes_those_in_the_most_mistakes_are_chosen():
    result = classified([5, 5, 7, 9, 1], [6, 7, 5, 9, 2], classes=10)
    np.testing.assert_array_equal(choose_classes(result, 10), np.arange(10))
    np.testing.assert_array_equal(choose_classes(result, 2), [5, 7])


def test_the_matrix_is_a_table():
    result = classified([0, 0, 1, 2], [0, 1, 1, 0], classes=3)
    assert format_confusion(result) == (
        '"digit as labelled, by column as predicted",0,1,2\n0,1,1,0\n1,0,1,0\n2,1,0,0\n'
    )


def test_mistakes_are_a_table_with_the_features_that_can_be_read():
    result = classified(
        [0, 1, 1],
        [1, 1, 0],
        classes=2,
        shown=[2, 0],
        age=[41.5, 30.0],
        mean=[[1.0, 2.0], [3.0, 4.0]],
        image=np.zeros((2, 8, 8, 1)),
    )
    assert format_mistakes(result) == (
        "row,digit,predicted,confidence,age,mean[0],mean[1]\n"
        "102,1,0,1,41.5,1,2\n"
        "100,0,1,0.5,30,3,4\n"
    )


def test_a_table_of_no_example_has_its_head():
    assert format_mistakes(classified([], [], classes=2)) == "row,digit,predicted,confidence\n"


def test_classes_that_have_names_are_called_by_them():
    result = replace(
        classified([0, 1, 1], [0, 0, 1], classes=2, shown=[1], age=[30.0]),
        class_names=("cat", "dog"),
    )
    assert format_confusion(result) == (
        '"digit as labelled, by column as predicted",cat,dog\ncat,1,0\ndog,1,1\n'
    )
    assert format_mistakes(result).splitlines()[1] == "101,dog,cat,0.75,30"
