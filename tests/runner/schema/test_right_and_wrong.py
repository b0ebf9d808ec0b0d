"""What the schemas let pass, and what they say of mistakes."""

import pytest
import yaml

from tests.models.test_wrong_models import CASES
from tests.runner.schema.reading import read_yaml, tell, tell_of_yaml

INPUTS = "name: m\ninputs: {x: {shape: [8, 8, 1], dtype: float32}}\n"
UNRESOLVED = r"'\\$\\{|^\\?\\?\\?$'"

# What cannot be told without looking at what else stands in the file, or at classes and files.
UNTOLD = {
    "name of an input",
    "class of a module that is not trusted",
    "class of a module that is not there",
    "class that is not there",
    "a function for a class",
    "argument that a class does not take",
    "from a layer that is not there",
    "typo in from",
    "from a later layer",
    "a circle of two",
    "a circle of three",
    "from itself",
    "an argument that a call does not take",
    "no from with two inputs",
    "a layer that nothing takes",
    "an input that nothing takes",
    "an output that is not there",
    "an output that is an input",
    "an output twice",
    "an unreachable output",
    "from a name of another block",
    "a layer of a block called input",
    "a repeated block of two outputs",
    "one of a block's outputs that is not there",
    "a block of two outputs taken as one",
    "a circle in a block",
    "a shared layer that is not there",
    "one loss for two outputs",
    "a loss of no output",
    "a metric of no output",
    "a metric of two outputs",
    "a metric called loss",
    "a file of no model",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_wrong_model_is_refused_with_no_more_said_than_is_wrong(case):
    model = {**read_yaml(INPUTS), **yaml.safe_load(case["model"])}
    told = tell("model.json", model)
    assert (told == []) == (case["case"] in UNTOLD)
    assert len(told) <= len(case["problems"])


@pytest.mark.parametrize(
    ("layer", "messages"),
    [
        ("{type: Dense, units: 3, activaton: relu}", [": {closed} ('activaton' was unexpected)"]),
        ("{type: Conv2D, filters: 3}", [": 'kernel_size' is a required property"]),
        ("{units: 3}", [": 'type' is a required property"]),
        ("{type: Dense, units: many}", [".units: 'many' does not match {unresolved}"]),
        ("{type: Dense, units: 3.5}", [".units: 3.5 is not of type 'integer', 'string'"]),
        (
            "{type: Conv2D, filters: 3, kernel_size: 3, padding: smae}",
            [".padding: 'smae' is not one of ['same', 'valid']"],
        ),
        (
            "{type: Dense, units: 3, kernel_regularizer: l3}",
            [
                ".kernel_regularizer: 'l3' is not one of ['L1', 'L1L2', 'L2', "
                "'OrthogonalRegularizer', 'l1', 'l1l2', 'l2', 'orthogonal_regularizer']"
            ],
        ),
        (
            "{type: Dense, units: 3, kernel_initializer: {type: HeNormal, sead: 1}}",
            [".kernel_initializer: {closed} ('sead' was unexpected)"],
        ),
        (
            "{type: TimeDistributed, layer: {type: Dense, unit: 3}}",
            [
                ".layer: {closed} ('unit' was unexpected)",
                ".layer: 'units' is a required property",
            ],
        ),
        (
            "{repeat: 2, layers: {b: {type: Dense, units: 3, use_bias: 'no'}}}",
            [".layers.b.use_bias: 'no' does not match {unresolved}"],
        ),
        ("{type: Flatten, from: 3}", [".from: 3 is not of type 'string', 'array', 'object'"]),
        ("{shared: b, units: 4}", [": {closed} ('units' was unexpected)"]),
        ("{file: net.pb, output: y}", [": {closed} ('output' was unexpected)"]),
        ("Dense", [": 'Dense' does not match {unresolved}"]),
        ("null", [": None is not of type 'object', 'string'"]),
    ],
)
def test_a_mistake_in_a_layer_is_told_at_its_place(layer, messages):
    closed = "Additional properties are not allowed"
    assert tell_of_yaml("model", f"{INPUTS}layers: {{a: {layer}}}\noutputs: a\n") == [
        "layers.a" + message.format(closed=closed, unresolved=UNRESOLVED) for message in messages
    ]


def test_a_typo_in_a_type_is_one_message_at_the_type():
    layers = "layers: {a: {type: Dens, units: 3}}\noutputs: a\n"
    (message,) = tell_of_yaml("model", INPUTS + layers)
    assert message.startswith("layers.a.type: 'Dens' is not one of ['Activation', ")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "model",
            f"{INPUTS}layers: {{a: {{type: Flatten}}}}",
            "$: 'outputs' is a required property",
        ),
        (
            "model",
            f"{INPUTS}layer: {{}}\nlayers: {{a: {{type: Flatten}}}}\noutputs: a",
            "$: Additional properties are not allowed ('layer' was unexpected)",
        ),
        (
            "task",
            "defaults: [train, _self_]\nepochs: many",
            f"epochs: 'many' does not match {UNRESOLVED}",
        ),
        (
            "task",
            "defaults: [/schema_task_forward@_here_, train, _self_]\nepochs: 3",
            "$: Additional properties are not allowed ('epochs' was unexpected)",
        ),
        (
            "task",
            "defaults: [/schema_task_forward@_here_, _self_]\nname: t\nexamples: 3\nmask: null",
            "$: 'training' is a required property",
        ),
        ("task", "epochs: 3", "$: 'defaults' is a required property"),
        ("session", "defaults: [auto]\ndevice_count: {GPU: one}", "device_count.GPU: 'one' does"),
        (
            "session",
            "defaults: [auto]\ngpu_options: {alow_growth: true}",
            "gpu_options: Additional",
        ),
        (
            "session",
            "defaults: [auto]\ngraph_options: {optimizer_options: {global_jit_level: ON1}}",
            "graph_options.optimizer_options.global_jit_level: 'ON1' is not one of ['DEFAULT', ",
        ),
        ("optimizer", "type: Adan", "type: 'Adan' is not one of ['Adadelta', "),
        ("optimizer", "type: SGD\nmomentun: 0.9", "$: Additional properties are not allowed"),
        ("optimizer", "learning_rate: 0.1", "$: 'type' is a required property"),
        (
            "optimizer",
            "type: SGD\nlearning_rate: {type: CosineDecay, decay_steps: 9}",
            "learning_rate: 'initial_learning_rate' is a required property",
        ),
        (
            "data",
            "defaults: [digits]\nfeatures: {image: {shape: [8, -1]}}",
            "features.image.shape[1]: -1 is less than the minimum of 1",
        ),
        (
            "data",
            "defaults: [digits]\nlabels: {digit: {dtype: flaot32}}",
            "labels.digit.dtype: 'flaot32' is not one of ['bfloat16', ",
        ),
        (
            "tracking",
            "defaults: [sqlite]\ntags: [a]",
            "tags: ['a'] is not of type 'object', 'string'",
        ),
        ("config", "sead: 1", "$: Additional properties are not allowed ('sead' was unexpected)"),
        ("config", "defaults: {model: cnn}", "defaults: {'model': 'cnn'} is not of type 'array'"),
        (
            "experiment",
            "model: {layers: {conv1: {type: Conv2D, filter: 3}}}",
            "model.layers.conv1: Additional properties are not allowed ('filter' was unexpected)",
        ),
        (
            "experiment",
            "data: {batch_size: first}",
            f"data.batch_size: 'first' does not match {UNRESOLVED}",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_at_its_place(name, text, message):
    (told,) = tell_of_yaml(name, text)
    assert told.startswith(message)


@pytest.mark.parametrize(
    "layer",
    [
        "{type: Dense, units: '${data.classes}', use_bias: '${a}', trainable: '${b}'}",
        "{type: '${model.kind}', units: 3}",
        "'${model.layers.b}'",
        "{type: Dense, units: '???'}",
        "{type: Conv2D, filters: 3, kernel_size: ['${a}', 3], padding: SAME}",
        "{type: Dense, units: 3, dtype: int8_from_mixed_bfloat16}",
        "{type: Dense, units: 3, activation: {type: LeakyReLU, negative_slope: 0.1}}",
        "{type: Dense, units: 3, kernel_initializer: {class: models.mine.Zeros, at: 3}}",
        "{type: Bidirectional, layer: {type: LSTM, units: 3, name: inner}}",
        "{class: models.subclassed.KerasModel, units: 2, from: {inputs: x}}",
        "{file: net.pb, inputs: {x: 'x:0'}, outputs: [y], from: x}",
        "{shared: b, from: [x, 'y[1]']}",
        "{repeat: 2, layers: {b: {type: Flatten}}, from: x, trainable: false, outputs: {p: b}}",
        "{name: n, inputs: {x: {}}, layers: {b: {type: Flatten}}, outputs: b, loss: null}",
        "{type: applications.MobileNet, weights: null, trainable: false}",
    ],
)
def test_a_layer_that_is_right_is_let_pass(layer):
    text = f"{INPUTS}layers: {{a: {layer}}}\noutputs: a\n"
    assert tell_of_yaml("model", text) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model", "defaults: [cnn, _self_]\nlayers: {conv1: {filters: 16}, drop: {type: Dropout}}"),
        ("model", "defaults: [cnn]\nloss: {from_logits: false}\nmetrics: {accuracy: {label: a}}"),
        ("optimizer", "defaults: [adam]\nlearning_rate: 0.1"),
        ("optimizer", "class: mine.Optimizer\nrate: 0.1"),
        ("task", "defaults: [train, _self_]\nepochs: 3"),
        ("data", "defaults: [digits]\nfeatures: ${other.features}\nsplit: {test: 0.5}"),
        ("tracking", "defaults: [sqlite]\nrun_name: 5\ntags: {fold: 1, final: true}"),
        ("session", "defaults: [{/session: auto}, _self_]\ndevice: null"),
        ("session", "defaults: [auto]\ngraph_options: {rewrite_options: {remapping: OFF}}"),
        (
            "experiment",
            "defaults: [{override /model: cnn}]\noptimizer: {momentum: 0.5}\ntask: {epochs: 3}\n"
            "model: {layers: {conv1: {filters: 16}}}\nfetches: {a: {b: [c]}}\nfeeds: a.npz\n"
            "hydra: {sweeper: {params: {seed: '1,2'}}}",
        ),
        ("config", "seed: ${oc.env:SEED}\ntrusted_modules: [a.b]"),
        ("hydra", "anything: [1]"),
    ],
)
def test_a_file_that_is_right_is_let_pass(name, text):
    assert tell_of_yaml(name, text) == []
