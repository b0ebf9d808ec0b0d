"""data.preprocess: where it is laid, what of it is refused, what stands in for statistics."""

import pytest

from models.problems import ConfigError
from runner.config import DigitsDataConfig
from runner.preprocessing import stand_in_statistics
from runner.validation import validate

FLIP = "data.preprocess.image={flip: {type: RandomFlip, mode: horizontal}}"

TEXTS = (
    "model=text",
    "data=table",
    "data.file=tests/samples/moods.csv",
    "data.targets=[mood]",
    "data.preprocess.text.tokens={type: TextVectorization, max_tokens: 9}",
)


def problems_of(config):
    with pytest.raises(ConfigError) as caught:
        validate(config)
    return [str(problem) for problem in caught.value.problems]


def test_keys_are_set_and_deleted_as_any_others(compose):
    config = compose(
        FLIP,
        "data.preprocess.image.scale={type: Rescaling, scale: 2}",
        "data.preprocess.image.flip.mode=vertical",
        "~data.preprocess.image.scale",
    )
    assert config.data.preprocess == {"image": {"flip": {"type": "RandomFlip", "mode": "vertical"}}}
    assert config.model.preprocess == config.data.preprocess


def test_an_input_with_a_stack_has_the_shape_and_dtype_of_the_data(compose):
    shape = ["model.inputs.image.shape=[64]", "model.inputs.image.dtype=bfloat16"]
    flat = "data.preprocess.image={flat: {type: Flatten}}"
    config = compose("model=mlp", *shape, flat)
    validate(config)
    given = config.model.inputs["image"]
    assert (given.shape, given.dtype) == ([8, 8, 1], "float32")
    drawn = compose("model=mlp", "data=random", *shape, flat).model.inputs["image"]
    assert (drawn.shape, drawn.dtype) == ([64], "bfloat16")


def test_a_stack_of_a_feature_that_the_model_does_not_take_is_left_out(compose):
    config = compose(
        "model=wide_deep",
        "data=breast_cancer",
        "data.preprocess={mean: {a: {type: Flatten}}, error: {a: {type: Flatten}}}",
    )
    validate(config)
    assert list(config.model.preprocess) == ["mean"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["data.preprocess.imag.flip.type=RandomFlip"],
            "data.preprocess.imag: expected a feature of data 'digits'; received 'imag' (str). "
            "Did you mean 'image'?",
        ),
        (
            ["data.preprocess.image=null"],
            "data.preprocess.image: expected a mapping of names to layers; received None "
            "(NoneType).",
        ),
        (
            [FLIP, "data.preprocess.image.flip.mod=vertical"],
            "data.preprocess.image.flip: RandomFlip has no argument 'mod'; did you mean 'mode'?",
        ),
        (
            ["data=breast_cancer", "model=wide_deep", "data.preprocess.error={}"],
            "data.preprocess.error: expected a mapping of names to layers; received {} (dict).",
        ),
        (
            [*TEXTS, "plan.jit_compile=true"],
            "plan.jit_compile: expected null or false, since XLA takes no text, as "
            "model.inputs.text is; received True (bool).",
        ),
        (
            [FLIP, "fetches.flipped=preprocess.image.flop"],
            "fetches.flipped: expected the name of a layer, or of a tensor such as 'conv1/Relu:0'; "
            "received 'preprocess.image.flop' (str). Did you mean 'preprocess.image.flip'?",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(compose, overrides, message):
    assert message in problems_of(compose(*overrides))


def test_a_model_takes_no_stacks_but_the_data_s(compose):
    with pytest.raises(ConfigError) as caught:
        compose("+model.preprocess.image.flip.type=RandomFlip")
    assert str(caught.value) == (
        "model.preprocess: expected a key of model; received 'preprocess' (str). Choose from "
        "name, inputs, layers, outputs, loss, metrics."
    )


def test_made_up_statistics_stand_in_where_no_data_is_read(compose):
    config = stand_in_statistics(compose("data.preprocess.image.norm.type=Normalization"))
    norm = {"type": "Normalization", "mean": 0.0, "variance": 1.0}
    assert config.model.preprocess == config.data.preprocess == {"image": {"norm": norm}}
    assert isinstance(config.data, DigitsDataConfig)
