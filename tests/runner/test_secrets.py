"""What is taken out of texts."""

import pytest

from runner.secrets import MASK, Redactor, is_secret


def test_a_secret_is_replaced_as_it_is_in_an_address_and_in_json(tmp_path):
    redactor = Redactor(None)
    redactor.learn({'p@ss"word': MASK})
    text = 'p@ss"word, p%40ss%22word, p@ss\\"word'
    assert redactor.redact(text) == ", ".join([MASK] * 3)


def test_user_and_password_of_an_address_are_left_out():
    text = "postgresql://ada:hunter2@localhost/mlflow"
    assert Redactor(None).redact(text) == "postgresql://localhost/mlflow"


def test_the_home_folder_is_a_tilde(tmp_path):
    redactor = Redactor(tmp_path)
    assert redactor.redact(f"{tmp_path}/data.csv {tmp_path}x") == f"~/data.csv {tmp_path}x"


def test_a_word_of_few_letters_is_no_secret():
    redactor = Redactor(None)
    redactor.learn({"train": MASK})
    assert redactor.redact("task=train") == "task=train"


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("tracking.tags.api_token", True),
        ("DB_PASSWORD", True),
        ("MY_API_KEY", True),
        ("model.layers.tokens", False),
        ("data.tokenizer", False),
        ("seed", False),
    ],
)
def test_a_key_says_whether_it_is_of_a_secret(path, is_one):
    assert is_secret(path) == is_one
