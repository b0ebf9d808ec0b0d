"""Filters and orders in MLflow's syntax."""

import pytest

from models.problems import ConfigError
from runner.tracking.queries import read_filter, write_filter, write_order


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("metrics.`test/accuracy` > 0.9", "metrics.`test/accuracy` > 0.9"),
        ("test/accuracy>.9", "metrics.`test/accuracy` > .9"),
        ("status=failed", "attributes.status = 'FAILED'"),
        ("name like '%a and b%'", "attributes.run_name LIKE '%a and b%'"),
        ("optimizer.learning_rate == 1e-2", "params.`optimizer.learning_rate` = '0.01'"),
        ("seed != 3", "params.seed != '3'"),
        ("model=cnn AND loss < 1", "tags.model = 'cnn' and metrics.loss < 1"),
        ("model=it's", 'tags.model = "it\'s"'),
        ("git.dirty=true", "tags.`git.dirty` = 'true'"),
        ("params.x is null", "params.x IS NULL"),
        ("tags.`a b` is not  null", "tags.`a b` IS NOT NULL"),
        ("id in ('a', 'b')", "attributes.run_id IN ('a', 'b')"),
        ("start_time >= 17", "attributes.start_time >= 17"),
    ],
)
def test_a_filter_is_written_in_mlflows_syntax(text, wanted):
    assert write_filter(text) == wanted


def test_a_filter_names_what_a_run_has_to_have():
    text = "test/accuracy > 0.9 and seed=1 and status=failed and params.x is null"
    assert read_filter(text) == [
        ("metrics", "test/accuracy"),
        ("params", "seed"),
        ("attributes", "status"),
    ]
    assert read_filter(" ") == []


@pytest.mark.parametrize("text", ["status=FINISHD", "status != 'finishd'"])
def test_what_is_no_status_is_told(text):
    with pytest.raises(ConfigError) as caught:
        write_filter(text)
    assert str(caught.value) == (
        "--filter: expected a status; received 'FINISHD' (str). Did you mean 'FINISHED'?"
    )


@pytest.mark.parametrize("text", ["accuracy", "a=1 and", "a > 1 or b < 2 and c"])
def test_what_is_no_comparison_is_told(text):
    with pytest.raises(
        ConfigError,
        match=r"^--filter: expected comparisons such as test/accuracy > 0\.9, joined by and; ",
    ):
        write_filter(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("test/accuracy", "metrics.`test/accuracy` DESC"),
        ("metrics.test/loss", "metrics.`test/loss` ASC"),
        ("test/accuracy asc", "metrics.`test/accuracy` ASC"),
        ("best_step", "metrics.best_step DESC"),
        ("optimizer.learning_rate", "params.`optimizer.learning_rate` ASC"),
        ("name", "attributes.run_name ASC"),
        ("start_time", "attributes.start_time DESC"),
    ],
)
def test_the_best_comes_first(text, wanted):
    assert write_order(text) == wanted
