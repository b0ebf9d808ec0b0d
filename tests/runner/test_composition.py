"""Every YAML file that is shipped, and what is said of overrides that do not fit."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf.errors import ValidationError

from models.config import TensorConfig
from models.problems import ConfigError
from runner.composition import CONF, compose_config
from runner.composition_errors import explain
from runner.config import PadConfig, RecordConfig
from runner.engine.graph import build_graph
from runner.exits import BAD_CONFIG, describe_known
from runner.preprocessing import stand_in_statistics
from runner.validation import validate

FILES = sorted(file.relative_to(CONF) for file in CONF.glob("*/*.yaml"))
COMMAND = re.compile(r"python -m runner(?P<overrides>[^\n]*)$", re.MULTILINE)


def header_of(file):
    """Returns the comment that a file begins with."""
    lines = (CONF / file).read_text(encoding="utf-8").splitlines()
    return "\n".join(takewhile(lambda line: line.startswith("#"), lines))


def overrides_of(file):
    """Returns what the command in a file's header sets."""
    return shlex.split(COMMAND.search(header_of(file))["overrides"])


# Those of large models, which the zoo's own tests build too.
LARGE = ("model/mobilenet.yaml", "model/resnet.yaml", "data/cifar10.yaml", "data/cifar100.yaml")


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file, marks=[pytest.mark.slow] if str(file) in LARGE else [], id=str(file))
        for file in FILES
    ],
)
def test_the_command_of_every_file_composes_validates_and_builds_it(compose, file):
    overrides = overrides_of(file)
    assert f"{file.parent}={file.stem}" in overrides or is_chosen(file)
    config = compose(*(text for text in overrides if not text.startswith("tracking")))
    validate(config)
    if file != Path("session/gpu.yaml"):
        build_graph(stand_in_statistics(config))


def is_chosen(file):
    """Returns whether the file's command chooses it by name, as an experiment does."""
    chosen = compose_config(overrides_of(file))
    return getattr(getattr(chosen, file.parent.name), "name", None) == file.stem


@pytest.mark.parametrize("file", sorted(CONF.rglob("*.yaml")), ids=str)
def test_every_file_says_what_it_is_what_to_expect_and_how_to_get_it(file):
    what, *rest = [
        line
        for line in header_of(file).splitlines()
        if not line.startswith(("# @package", "# yaml-language-server:"))
    ]
    assert what.endswith(".")
    assert not what.startswith("# Expect")
    (expected,) = [line for line in rest if line.startswith("# Expect ")]
    assert COMMAND.search(expected)


def test_tracking_is_under_the_project_wherever_the_process_starts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = compose_config([])
    assert config.tracking.database == str(CONF.parent / "outputs" / "mlflow.db")
    assert config.tracking.artifacts == str(CONF.parent / "outputs" / "artifacts")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["model=cnnn"],
            "model: expected one of autoencoder, cnn, forecast, gru, letters, lstm, mlp, "
            "mobilenet, multitask, regression, resnet, sequence, subclassed, tabular, text, "
            "tokens, transformer, vae, vit, wide_deep; "
            "received 'cnnn' (str). "
            "Did you mean 'cnn'?",
        ),
        (
            ["experiment=nothing"],
            "experiment: expected one of quick, saliency, subclassed; received 'nothing' (str).",
        ),
        (
            ["modell=cnn"],
            "modell: expected a key of the configuration; received 'modell' (str). "
            "Did you mean 'model'?",
        ),
        (
            ["optimzer.learning_rate=1"],
            "optimzer: expected a key of the configuration; received 'optimzer' (str). "
            "Did you mean 'optimizer'?",
        ),
        (
            ["task.epochz=3"],
            "task.epochz: expected a key of task; received 'epochz' (str). Did you mean 'epochs'?",
        ),
        (
            ["task=forward", "task.epochs=3"],
            "task.epochs: expected a key of task; received 'epochs' (str). Choose from "
            "name, examples, training, mask.",
        ),
        (
            ["model.inputs.image.dtyp=float32"],
            "model.inputs.image.dtyp: expected a key of model.inputs.image; received 'dtyp' "
            "(str). Did you mean 'dtype'?",
        ),
        (["task.epochs=abc"], "task.epochs: expected a whole number; received 'abc' (str)."),
        (["task.epochs=null"], "task.epochs: expected a value; received None (NoneType)."),
        (
            ["data.split.test=half"],
            "data.split.test: expected a number; received 'half' (str).",
        ),
        (
            ["session.allow_soft_placement=7x"],
            "session.allow_soft_placement: expected true or false; received '7x' (str).",
        ),
        (
            ["session.gpu_options.allow_grwth=true"],
            "session.gpu_options.allow_grwth: expected a key of session.gpu_options; received "
            "'allow_grwth' (str). Did you mean 'allow_growth'?",
        ),
        (
            ["session.graph_options.rewrite_options.constant_foldin=ON"],
            "session.graph_options.rewrite_options.constant_foldin: expected a key of "
            "session.graph_options.rewrite_options; received 'constant_foldin' (str). Did you mean "
            "'constant_folding'?",
        ),
        (
            ["session.experimental.executor_type=[a]"],
            "session.experimental.executor_type: expected a text; received ['a'] (list).",
        ),
        (
            ["session.graph_options.rewrite_options.constant_folding=3"],
            "session.graph_options.rewrite_options.constant_folding: expected a text, true or "
            "false; received 3 (int).",
        ),
        (
            ["session.graph_options.rewrite_options.constant_folding=[ON]"],
            "session.graph_options.rewrite_options.constant_folding: expected a text, true or "
            "false; received ['ON'] (list).",
        ),
        (
            ["session.graph_options.optimizer_options=L0"],
            "session.graph_options.optimizer_options: expected a mapping; received 'L0' (str).",
        ),
        (
            ["session.device_filters=/job:worker"],
            "session.device_filters: expected a list; received a value of type str.",
        ),
        (
            ["session.session_inter_op_thread_pool=[{num_thread: 1}]"],
            "session.session_inter_op_thread_pool.num_thread: expected a key of "
            "session.session_inter_op_thread_pool; received 'num_thread' (str). Did you mean "
            "'num_threads'?",
        ),
        (
            ["session.session_inter_op_thread_pool=[{num_threads: x}]"],
            "session.session_inter_op_thread_pool.num_threads: expected a whole number; received "
            "'x' (str).",
        ),
        (
            ["model.layers=3"],
            "model.layers: expected a mapping; received a value of type int.",
        ),
        (
            ["model.inputs.second.shape=[3]"],
            "model.inputs.second: is not there yet; add the whole of it: "
            "model.inputs={second: {...}}.",
        ),
        (["seed=???"], "seed: expected a value; received '???' (str). Set seed=VALUE."),
        (
            ["model.layers.logits.units=${data.clases}"],
            "model.layers.logits.units: expected an interpolation of a value that is there; "
            "received '${data.clases}' (str). Did you mean 'data.classes'?",
        ),
        (
            ["task.epochs"],
            "task.epochs: cannot be read as key=value: missing EQUAL at '<EOF>'.",
        ),
        (
            ["~model.layers.nothing"],
            "command line: Could not delete from config. 'model.layers.nothing' does not exist.",
        ),
    ],
)
def test_overrides_that_do_not_fit_are_explained(overrides, message):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        compose_config(overrides)
    assert str(explain(caught.value)) == message


@pytest.mark.parametrize("override", ["tracking.report=maybe", "tracking.tags=x"])
def test_an_override_of_a_wrong_type_is_named_as_its_place(override):
    with pytest.raises(ConfigCompositionException) as caught:
        compose_config([override])
    text, status = describe_known(caught.value)
    assert status == BAD_CONFIG
    assert text.splitlines()[1:] == [f"    command line: {override}"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+foo=3",
            "foo: expected a key of the configuration; received 'foo' (str). Choose from from_run, "
            "seed, model, data, task, pretrained, optimizer, plan, session, tracking, feeds, "
            "fetches, trace, debug, trusted_modules.",
        ),
        (
            "+task.epoch=3",
            "task.epoch: expected a key of task; received 'epoch' (str). Did you mean 'epochs'?",
        ),
    ],
)
def test_a_key_added_to_the_schema_is_refused(override, message):
    with pytest.raises(ConfigError) as caught:
        compose_config([override])
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "defaults: [/schema_task_train@_here_, _self_]\nname: mine\nepoch: 3\n",
            "task.epoch: expected a key of task (in conf/task/mine.yaml); received 'epoch' (str). "
            "Did you mean 'epochs'?",
        ),
        (
            "name: [mine\n",
            "{folder}/task/mine.yaml:2: while parsing a flow sequence expected ',' or ']', but got "
            "'<stream end>'.",
        ),
        (
            "name: mine\nname: yours\n",
            "{folder}/task/mine.yaml:2: a second entry 'name' in one mapping; rename one of them.",
        ),
    ],
)
def test_a_wrong_file_of_the_users_own_is_explained(tmp_path, text, message):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        compose_config([f"hydra.searchpath=[file://{tmp_path}]", "task=mine"])
    assert str(explain(caught.value)) == message.format(folder=tmp_path)


def test_an_error_of_ours_is_not_explained_away():
    assert explain(KeyError("conv1")) is None


def test_what_records_hold_is_declared_key_by_key(compose, tmp_path):
    (tmp_path / "a.tfrecord").touch()
    given = ["model=cnn", "data=tfrecord", f"data.file={tmp_path}/a.tfrecord", "data.classes=2"]
    declared = ["data.features.image.shape=[8,8,1]", "data.features.image.dtype=float32"]
    declared += ["data.labels.digit={shape:[],dtype:int64}"]
    config = compose(*given, *declared)
    assert config.data.features == {"image": TensorConfig([8, 8, 1], "float32")}
    assert config.data.labels == {"digit": TensorConfig([], "int64")}
    assert config.model.inputs["image"].shape == [8, 8, 1]
    with pytest.raises(ConfigError) as caught:
        compose(*given, *declared, "data.features.image.dtyp=int64", "data.labels.digit=3")
    assert str(caught.value).splitlines() == [
        "data.features.image.dtyp: expected a key of data.features; received 'dtyp' (str). Did you "
        "mean 'dtype'?",
        "data.labels.digit: expected a mapping of shape, dtype; received 3 (int).",
    ]
    with pytest.raises(ValidationError) as wrong:
        compose(*given, *declared, "data.features.image.dtype=[1]")
    assert str(explain(wrong.value)).startswith("data.features.image.dtype: expected a text; ")


def test_how_a_feature_is_padded_or_stands_in_a_record_is_set_key_by_key(compose, tmp_path):
    (tmp_path / "a.tfrecord").touch()
    given = ["model=mlp", "data=tfrecord", f"data.file={tmp_path}/a.tfrecord", "data.classes=2"]
    given += ["data.features={image:{shape:[null],dtype:int64}}"]
    data = compose(*given, "data.pad.image.value=-1", "data.records.image.key=tokens").data
    assert data.pad == {"image": PadConfig(None, -1)}
    assert data.records == {"image": RecordConfig("tokens")}
    with pytest.raises(ConfigError) as caught:
        compose(*given, "data.pad.image.lenght=3", "data.records.image.dekode=raw")
    assert str(caught.value).splitlines() == [
        "data.pad.image.lenght: expected a key of data.pad; received 'lenght' (str). Did you mean "
        "'length'?",
        "data.records.image.dekode: expected a key of data.records; received 'dekode' (str). Did "
        "you mean 'decode'?",
    ]
