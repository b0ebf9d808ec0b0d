"""How nested YAML is laid out as calls: names, sources, blocks and sharing."""

import pytest

from models.validation import validate_model
from models.wiring import read_wiring
from tests.models.reading import read_model


def calls_of(text):
    """Returns each call's name, layer and sources as text, of a model that is valid."""
    config = read_model(text)
    assert validate_model(config) == []
    return [
        (
            call.name,
            call.layer,
            {
                name: [str(item) for item in source] if isinstance(source, tuple) else str(source)
                for name, source in call.sources.items()
            },
        )
        for call in read_wiring(config).calls
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "layers: {a: {type: Flatten}, b: {type: Dense, units: 3}}\noutputs: b",
            [("a", "a", {"": "x"}), ("b", "b", {"": "a"})],
            id="a stack",
        ),
        pytest.param(
            """
            layers:
              a: {type: Flatten}
              b: {type: Dense, units: 64}
              sum: {type: Add, from: [a, b]}
            outputs: sum
            """,
            [("a", "a", {"": "x"}), ("b", "b", {"": "a"}), ("sum", "sum", {"": ["a", "b"]})],
            id="a skip",
        ),
        pytest.param(
            """
            inputs: {q: {shape: [4, 8], dtype: float32}, valid: {shape: [4], dtype: bool}}
            layers:
              attend: {type: MultiHeadAttention, num_heads: 2, key_dim: 4,
                       from: {query: q, value: q, query_mask: valid}}
            outputs: attend
            """,
            [("attend", "attend", {"query": "q", "value": "q", "query_mask": "valid"})],
            id="by argument",
        ),
        pytest.param(
            """
            inputs: {s: {shape: [4, 8], dtype: float32}}
            layers:
              encode: {type: LSTM, units: 3, return_state: true}
              decode: {type: LSTM, units: 3, from: {sequences: s,
                       initial_state: ['encode[1]', 'encode[2]']}}
              both: {type: Add, from: ['encode[0]', decode]}
            outputs: both
            """,
            [
                ("encode", "encode", {"": "s"}),
                (
                    "decode",
                    "decode",
                    {"sequences": "s", "initial_state": ["encode[1]", "encode[2]"]},
                ),
                ("both", "both", {"": ["encode[0]", "decode"]}),
            ],
            id="parts of an output",
        ),
        pytest.param(
            """
            layers:
              block:
                repeat: 2
                layers:
                  conv: {type: Conv2D, filters: 1, kernel_size: 3, padding: same}
                  sum: {type: Add, from: [conv, input]}
              last: {type: Concatenate, from: [block, block.0.conv]}
            outputs: last
            """,
            [
                ("block.0.conv", "block.0.conv", {"": "x"}),
                ("block.0.sum", "block.0.sum", {"": ["block.0.conv", "x"]}),
                ("block.1.conv", "block.1.conv", {"": "block.0.sum"}),
                ("block.1.sum", "block.1.sum", {"": ["block.1.conv", "block.0.sum"]}),
                ("last", "last", {"": ["block.1.sum", "block.0.conv"]}),
            ],
            id="a repeated block",
        ),
        pytest.param(
            """
            layers:
              outer:
                layers:
                  inner: {repeat: 2, layers: {act: {type: ReLU}}}
                  sum: {type: Add, from: [inner, inner.0.act, input]}
            outputs: outer
            """,
            [
                ("outer.inner.0.act", "outer.inner.0.act", {"": "x"}),
                ("outer.inner.1.act", "outer.inner.1.act", {"": "outer.inner.0.act"}),
                ("outer.sum", "outer.sum", {"": ["outer.inner.1.act", "outer.inner.0.act", "x"]}),
            ],
            id="a block in a block",
        ),
        pytest.param(
            """
            inputs: {l: {shape: [4], dtype: float32}, r: {shape: [4], dtype: float32}}
            layers:
              left: {from: l, layers: {a: {type: Dense, units: 3}, b: {type: ReLU}}}
              right: {shared: left, from: r}
              gap: {type: Subtract, from: [left, right]}
            outputs: gap
            """,
            [
                ("left.a", "left.a", {"": "l"}),
                ("left.b", "left.b", {"": "left.a"}),
                ("right.a", "left.a", {"": "r"}),
                ("right.b", "left.b", {"": "right.a"}),
                ("gap", "gap", {"": ["left.b", "right.b"]}),
            ],
            id="a shared block",
        ),
        pytest.param(
            """
            layers:
              split:
                outputs: {low: a, high: b}
                layers: {a: {type: ReLU}, b: {type: ELU, from: input}}
              sum: {type: Add, from: ['split[low]', 'split[high]']}
            outputs: sum
            """,
            [
                ("split.a", "split.a", {"": "x"}),
                ("split.b", "split.b", {"": "x"}),
                ("sum", "sum", {"": ["split.a", "split.b"]}),
            ],
            id="a block of two outputs",
        ),
        pytest.param(
            """
            inputs: {u: {shape: [4], dtype: float32}, v: {shape: [4], dtype: float32}}
            layers:
              pair:
                from: {first: u, second: v}
                layers:
                  a: {type: Dense, units: 4, from: second}
                  sum: {type: Add, from: [first, a]}
            outputs: pair
            """,
            [("pair.a", "pair.a", {"": "v"}), ("pair.sum", "pair.sum", {"": ["u", "pair.a"]})],
            id="a block of two inputs",
        ),
        pytest.param(
            "layers: {a: {type: Pipeline, layers: [{type: RandomFlip}]}}\noutputs: a",
            [("a", "a", {"": "x"})],
            id="a layer with an argument called layers",
        ),
    ],
)
def test_read_wiring_lays_layers_out(text, expected):
    assert calls_of(text) == expected


def test_a_block_says_what_is_trained_of_all_its_layers():
    config = read_model(
        """
        layers:
          base:
            trainable: false
            layers: {a: {type: Flatten}, inner: {layers: {b: {type: Dense, units: 3}}}}
          head: {type: Dense, units: 2}
        outputs: head
        """
    )
    assert [call.trainable for call in read_wiring(config).calls] == [False, False, None]


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ("b", {"b": "b"}),
        ("[a, b]", {"a": "a", "b": "b"}),
        ("{first: a, second: b}", {"first": "a", "second": "b"}),
    ],
)
def test_outputs_have_names(outputs, expected):
    config = read_model(
        "layers: {a: {type: Flatten}, b: {type: Dense, units: 3}}\noutputs: " + outputs
    )
    assert {name: str(item) for name, item in read_wiring(config).outputs.items()} == expected
