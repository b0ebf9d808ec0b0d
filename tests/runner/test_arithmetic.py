"""The resolvers of arithmetic, in the YAML that uses them."""

import pytest
from omegaconf import OmegaConf

from runner.arithmetic import ARITHMETIC
from runner.composition import register


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${add:2,3,4}", 9),
        ("${sub:9,2,3}", 4),
        ("${mul:2,${n}}", 8),
        ("${mul:${shape}}", 64),
        ("${mul:0.5,${n}}", 2.0),
        ("${div:${n},2}", 2),
        ("${div:7,2}", 3.5),
        ("${div:${mul:${shape}},${n}}", 16),
    ],
)
def test_a_resolver_gives(text, value):
    register()
    tree = OmegaConf.create({"n": 4, "shape": [8, 8, 1], "value": text})
    assert tree.value == value
    assert type(tree.value) is type(value)


@pytest.mark.parametrize(
    ("name", "operands", "message"),
    [
        ("div", (3, 0), "div: cannot divide by 0"),
        ("mul", (), "mul: expected at least one number"),
        ("add", (1, "two"), r"add: expected numbers; received 'two' \(str\)"),
        ("sub", (1, True), r"sub: expected numbers; received True \(bool\)"),
    ],
)
def test_a_resolver_refuses(name, operands, message):
    with pytest.raises(ValueError, match=message):
        ARITHMETIC[name](*operands)
