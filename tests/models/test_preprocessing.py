"""Layers behind inputs: how they are laid out, and what stands in for their statistics."""

import pytest

from models.preprocessing import is_unadapted, needs_adapting, set_statistics, stand_in
from models.validation import validate_model
from models.wiring import read_wiring
from tests.models.reading import read_model


def test_what_takes_an_input_takes_what_the_last_layer_behind_it_gives():
    config = read_model(
        """
        inputs: {x: {shape: [4], dtype: float32}, y: {shape: [4], dtype: float32}}
        preprocess:
          x:
            norm: {type: Normalization, mean: 0, variance: 1}
            twice: {repeat: 2, layers: {scale: {type: Rescaling, scale: 2}}}
          y:
            sum: {type: Add, from: [input, x]}
        layers:
          a: {type: Dense, units: 3, from: x}
          b: {type: Dense, units: 3, from: preprocess.x.norm}
          c: {type: Dense, units: 3, from: y}
          all: {type: Add, from: [a, b, c]}
        outputs: all
        """
    )
    assert validate_model(config) == []
    wiring = read_wiring(config)
    taken = {call.name: [str(each) for each in call.references()] for call in wiring.calls}
    assert taken == {
        "preprocess.x.norm": ["x"],
        "preprocess.x.twice.0.scale": ["preprocess.x.norm"],
        "preprocess.x.twice.1.scale": ["preprocess.x.twice.0.scale"],
        "preprocess.y.sum": ["y", "preprocess.x.twice.1.scale"],
        "a": ["preprocess.x.twice.1.scale"],
        "b": ["preprocess.x.norm"],
        "c": ["preprocess.y.sum"],
        "all": ["a", "b", "c"],
    }
    assert [call.path for call in wiring.calls[:2]] == [
        "data.preprocess.x.norm",
        "data.preprocess.x.twice.layers.scale",
    ]
    assert {name: str(wiring.names[name]) for name in ("x", "preprocess.x", "preprocess.y")} == {
        "x": "x",
        "preprocess.x": "preprocess.x.twice.1.scale",
        "preprocess.y": "preprocess.y.sum",
    }


@pytest.mark.parametrize(
    ("spec", "statistics"),
    [
        ("{type: Normalization, axis: null}", {"mean": 0.0, "variance": 1.0}),
        (
            "{type: Discretization, num_bins: 3}",
            {"bin_boundaries": [1.0, 2.0], "num_bins": None},
        ),
        ("{type: StringLookup}", {"vocabulary": ["token0"]}),
        ("{type: StringLookup, max_tokens: 3}", {"vocabulary": ["token0", "token1"]}),
        (
            "{type: IntegerLookup, max_tokens: 4, mask_token: 0, num_oov_indices: 1}",
            {"vocabulary": [1, 2]},
        ),
        (
            "{type: TextVectorization, max_tokens: 4, output_mode: tf_idf}",
            {
                "vocabulary": ["token0", "token1", "token2"],
                "idf_weights": [1.0, 1.0, 1.0],
            },
        ),
        ("{type: TextVectorization, max_tokens: 3}", {"vocabulary": ["token0"]}),
        ("{type: Rescaling, scale: 2}", {}),
    ],
)
def test_made_up_statistics_stand_in_for_what_is_still_to_be_adapted(spec, statistics):
    config = read_model(
        f"preprocess: {{x: {{a: {spec}}}}}\nlayers: {{b: {{type: Identity}}}}\noutputs: b"
    )
    given = config.preprocess["x"]["a"]
    assert is_unadapted(given) == needs_adapting(config) == bool(statistics)
    whole = stand_in(config)
    assert whole.preprocess["x"]["a"] == {**given, **statistics}
    assert not needs_adapting(whole)
    assert config.preprocess["x"]["a"] == given
    assert validate_model(whole) == []


def test_statistics_are_set_within_a_block():
    stacks = {"x": {"block": {"layers": {"norm": {"type": "Normalization"}}}}}
    changed = set_statistics(stacks, "data.preprocess.x.block.layers.norm", {"mean": [1.0]})
    assert changed["x"]["block"]["layers"]["norm"] == {"type": "Normalization", "mean": [1.0]}
    assert stacks["x"]["block"]["layers"]["norm"] == {"type": "Normalization"}
