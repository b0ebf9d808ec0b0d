"""Every refusal of a configuration that needs no TensorFlow, by its message."""

import re

import pytest

from models.problems import ConfigError
from runner.composition import CONF
from runner.validation import validate

IMAGE = "model.inputs.image"


def tensor(path):
    parent, _, name = path.rpartition(".")
    return [f"{parent}={{{name}:{{shape:[8,8,1],dtype:float32}}}}"]


def problems_of(config):
    with pytest.raises(ConfigError) as caught:
        validate(config)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("model", ["cnn", "mlp"])
@pytest.mark.parametrize("data", ["digits", "random"])
@pytest.mark.parametrize("task", ["train", "evaluate", "predict", "forward", "inspect"])
def test_what_is_shipped_is_valid(compose, model, data, task):
    validate(compose(f"model={model}", f"data={data}", f"task={task}"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=-1"], "seed: expected a number of 0 or more; received -1 (int)."),
        (
            ["seed=4294967296"],
            "seed: expected a number of at most 4294967295; received 4294967296 (int).",
        ),
        (
            [f"{IMAGE}.dtype=flaot32"],
            f"{IMAGE}.dtype: expected a dtype such as float32; received 'flaot32' (str). "
            "Did you mean 'float32'?",
        ),
        (
            [f"{IMAGE}.dtype=int32"],
            f"{IMAGE}.dtype: expected a dtype that holds float32, as data.features.image is; "
            "received 'int32' (str).",
        ),
        (
            [f"{IMAGE}.shape=[9,9,1]"],
            f"{IMAGE}.shape: expected [8, 8, 1], as data.features.image is; received [9, 9, 1] "
            "(list). Interpolate it: ${data.features.image.shape}.",
        ),
        (
            ["data=random", f"{IMAGE}.shape=[null,3]"],
            f"{IMAGE}.shape: expected whole numbers, since data=random draws arrays of this "
            "shape; received [None, 3] (list).",
        ),
        (
            ["data=random", f"{IMAGE}.shape=[0,3]"],
            f"{IMAGE}.shape: expected axes of 1 or more, or null where the length varies; "
            "received [0, 3] (list).",
        ),
        (
            ["data=random", f"{IMAGE}.dtype=string"],
            f"{IMAGE}.dtype: expected a dtype that data=random can draw; received 'string' (str).",
        ),
        (
            ["~model.inputs.image", *tensor("model.inputs.picture")],
            "model.inputs.picture: expected a feature of data 'digits' to feed it; received "
            "'picture' (str). Choose from image.",
        ),
        (
            [*tensor("model.inputs.second"), "data=random"],
            "model.layers.conv1: expected from, since the model has the inputs image, second; "
            "received None (NoneType). Say which of them it takes.",
        ),
        (
            ["model.inputs={}", "~model.inputs.image"],
            "model.inputs: expected at least one input; received {} (dict).",
        ),
        (
            ["model.layers.conv2.type=Conv2d"],
            "model.layers.conv2.type: expected a layer; received 'Conv2d' (str). "
            "Did you mean 'Conv2D'?",
        ),
        (
            ["model.layers.conv1.kernel_sise=3"],
            "model.layers.conv1: Conv2D has no argument 'kernel_sise'; did you mean 'kernel_size'?",
        ),
        (
            ["~model.layers.logits.units"],
            "model.layers.logits: Dense needs the argument 'units'.",
        ),
        (
            ["model.layers.image={type: Flatten}", "model.outputs=image"],
            "model.layers.image: the name 'image' is taken by an input; choose another.",
        ),
        (
            ["model.layers.a-b.type=Flatten", "model.outputs=a-b"],
            "model.layers.a-b: expected a layer named by letters, digits and _; received 'a-b' "
            "(str).",
        ),
        (
            ["model.outputs=logit"],
            "model.outputs: expected the name of a layer; received 'logit' (str). "
            "Did you mean 'logits'?",
        ),
        (
            ["model.outputs=flatten"],
            "model.layers.logits: nothing takes it: the output flatten is made without it. "
            "Remove it.",
        ),
        (
            ["model.loss.type=SparseCategoricalCrossEntropie"],
            "model.loss.type: expected a loss; received 'SparseCategoricalCrossEntropie' (str). "
            "Did you mean 'SparseCategoricalCrossentropy'?",
        ),
        (
            ["model.loss=null"],
            "model.loss: expected a loss, which task=train needs where no layer of your own adds "
            "one; received None (NoneType).",
        ),
        (
            ["model.metrics.accuracy.type=Acuracy"],
            "model.metrics.accuracy.type: expected a metric; received 'Acuracy' (str). "
            "Did you mean 'Accuracy'?",
        ),
        (
            ["model.metrics.loss={type: Mean}"],
            "model.metrics.loss: the name is taken by the loss; choose another.",
        ),
        (
            ["model.metrics.batch_loss={type: Mean}"],
            "model.metrics.batch_loss: the name is taken by the loss; choose another.",
        ),
        (
            ["model.metrics.top-5={type: Mean}"],
            "model.metrics.top-5: expected a metric named by letters, digits and _; received "
            "'top-5' (str).",
        ),
        (
            ["model.name=a/b"],
            "model.name: expected a name of letters, digits and _, - and .; received 'a/b' (str).",
        ),
        (
            ["model.layers._x={type: ReLU}", "model.outputs=_x"],
            "model.layers._x: expected a layer named by letters, digits and _; received '_x' "
            "(str).",
        ),
        (
            ["tracking=sqlite", "tracking.database='/tmp/a?b.db'"],
            "tracking.database: expected a path without ?, % and #; received '/tmp/a?b.db' (str).",
        ),
        (
            ["tracking.report=true"],
            "tracking.report: expected false, since tracking=off keeps no artifacts; received True "
            "(bool).",
        ),
        (
            ["tracking.register=digits"],
            "tracking.register: expected null, since tracking=off has no registry; received "
            "'digits' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.register=digits", "tracking.model=false"],
            "tracking.register: expected null, since tracking.model=false keeps no model; received "
            "'digits' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.register=digits", "task=forward"],
            "tracking.register: expected null, since only task=train makes a model; received "
            "'digits' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.register=a/b"],
            "tracking.register: expected a name of letters, digits, _, -, . and spaces; received "
            "'a/b' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.alias=champion"],
            "tracking.alias: expected null where tracking.register names no model; received "
            "'champion' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.register=a", "tracking.alias=the best"],
            "tracking.alias: expected a name of letters, digits, _ and -, 255 at the most; "
            "received 'the best' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.register=a", "tracking.alias=v3"],
            "tracking.alias: expected a name of your own; received 'v3' (str). MLflow keeps "
            "latest, v1, v2 and so on for itself.",
        ),
        (
            ["tracking=server", "tracking.uri=somewhere"],
            "tracking.uri: expected a server's address, such as http://127.0.0.1:5000; received "
            "'somewhere' (str).",
        ),
        *(
            (
                ["tracking=server", f"tracking.uri={uri!r}"],
                "tracking.uri: expected a server's address, such as http://127.0.0.1:5000; "
                f"received {uri!r} (str).",
            )
            for uri in (
                "postgresql://127.0.0.1/mlflow",
                "http://[::1",
                "http://127.0.0.1:99999",
                "http://127.0.0.1:5000/#/experiments",
                "https://",
            )
        ),
        (
            ["tracking=server", "tracking.uri=http://me:word@127.0.0.1:5000"],
            "tracking.uri: expected an address without user information. Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in "
            "the environment.",
        ),
        (
            ["tracking=server", "tracking.uri=postgresql://me:word@127.0.0.1/mlflow"],
            "tracking.uri: expected an address without user information. Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in "
            "the environment.",
        ),
        (
            ["data.batch_size=0"],
            "data.batch_size: expected a number of 1 or more; received 0 (int).",
        ),
        (
            ["data.split.test=1.5"],
            "data.split.test: expected a share from 0 to 1; received 1.5 (float).",
        ),
        (
            ["data.split.test=0.9"],
            "data.split: expected shares that leave some examples to train on; received "
            "'validation 0.1 and test 0.9' (str).",
        ),
        (
            ["data.split.test=0"],
            "data.split.test: expected a share above 0 to evaluate on; received 0.0 (float).",
        ),
        (
            [*tensor("data.labels.image"), "~data.labels.digit"],
            "data.labels.image: the name 'image' is taken by an input; choose another.",
        ),
        (
            ["~data.labels.digit", "~data.labels.parity"],
            "model.loss.label: expected label, since the data has no labels of its own; received "
            "None (NoneType). Choose from image.",
        ),
        (
            ["data=random", "data.examples=0"],
            "data.examples: expected a number of 1 or more; received 0 (int).",
        ),
        (["task.epochs=0"], "task.epochs: expected a number of 1 or more; received 0 (int)."),
        (["task.examples=0"], "task.examples: expected a number of 1 or more; received 0 (int)."),
        (
            ["task=forward", "task.mask=[true,false]"],
            "task.mask: expected 8 booleans, one for each step of model.inputs.image; received "
            "[True, False] (list).",
        ),
        (
            ["task=inspect", "task.examples=0"],
            "task.examples: expected a number of 1 or more; received 0 (int).",
        ),
        (
            ["task=inspect", "task.show=-1"],
            "task.show: expected a number of 0 or more; received -1 (int).",
        ),
        (
            ["task=inspect", "data=random", f"{IMAGE}.shape=[null,8,1]"],
            "model.inputs.image.shape: expected whole numbers, since data=random draws arrays of "
            "this shape; received [None, 8, 1] (list).",
        ),
        (
            ["task=inspect", f"{IMAGE}.batch_size=7"],
            "task.examples: expected 7, as model.inputs.image.batch_size is; received 32 (int).",
        ),
        (
            ["optimizer.learning_rat=3"],
            "optimizer: Adam has no argument 'learning_rat'; did you mean 'learning_rate'?",
        ),
        (
            ["optimizer.type=Adamm"],
            "optimizer.type: expected an optimizer; received 'Adamm' (str). Did you mean 'Adam'?",
        ),
        (
            ["session.device=gpu"],
            "session.device: expected a device such as '/CPU:0' or '/GPU:0'; received 'gpu' (str).",
        ),
        (
            ["session.device_count.GPUS=1"],
            "session.device_count.GPUS: expected a count for CPU or GPU; received 'GPUS' (str).",
        ),
        (
            ["session.intra_op_parallelism_threads=-1"],
            "session.intra_op_parallelism_threads: expected a number of 0 or more; received -1 "
            "(int).",
        ),
        (
            ["session.inter_op_parallelism_threads=-2"],
            "session.inter_op_parallelism_threads: expected a number of -1 or more; received -2 "
            "(int).",
        ),
        (
            ["session.placement_period=3000000000"],
            "session.placement_period: expected a number of at most 2147483647; received "
            "3000000000 (int).",
        ),
        (
            ["session.device_count.CPU=-1"],
            "session.device_count.CPU: expected a number of 0 or more; received -1 (int).",
        ),
        (
            ["session.gpu_options.visible_device_list=first"],
            "session.gpu_options.visible_device_list: expected GPU ids such as '0,1'; received "
            "'first' (str).",
        ),
        (
            ["session.gpu_options.experimental.virtual_devices=[{priority: [3000000000]}]"],
            "session.gpu_options.experimental.virtual_devices[0].priority[0]: expected a number of "
            "at most 2147483647; received 3000000000 (int).",
        ),
        (
            ["session.graph_options.optimizer_options.global_jit_level=ON1"],
            "session.graph_options.optimizer_options.global_jit_level: expected one of DEFAULT, "
            "OFF, ON_1, ON_2; received 'ON1' (str). Did you mean 'ON_1'?",
        ),
        (
            ["session.graph_options.optimizer_options.global_jit_level=true"],
            "session.graph_options.optimizer_options.global_jit_level: expected one of DEFAULT, "
            "OFF, ON_1, ON_2; received True (bool).",
        ),
        (
            ["session.graph_options.optimizer_options.opt_level=L2"],
            "session.graph_options.optimizer_options.opt_level: expected one of L1, L0; received "
            "'L2' (str).",
        ),
        (
            ["session.graph_options.rewrite_options.constant_folding=of"],
            "session.graph_options.rewrite_options.constant_folding: expected one of DEFAULT, ON, "
            "OFF, AGGRESSIVE, EXPERIMENTAL_MLIR, EXPERIMENTAL_BOTH; received 'of' (str). Did you "
            "mean 'OFF'?",
        ),
        (
            ["session.gpu_options.per_process_gpu_memory_fraction=2"],
            "session.gpu_options.per_process_gpu_memory_fraction: expected a share from 0 to 1; "
            "received 2.0 (float).",
        ),
        (
            ["session.tensorflow_log_level=4"],
            "session.tensorflow_log_level: expected a level from 0 to 3; received 4 (int).",
        ),
        (
            ["tracking=sqlite", "tracking.database=here.db"],
            "tracking.database: expected an absolute path; received 'here.db' (str).",
        ),
        (
            ["tracking=sqlite", "tracking.spool=here"],
            "tracking.spool: expected an absolute path; received 'here' (str).",
        ),
        (
            ["tracking=server", "tracking.wait_seconds=-1"],
            "tracking.wait_seconds: expected a number of 0 or more; received -1.0 (float).",
        ),
        (
            ["tracking.experiment=''"],
            "tracking.experiment: expected a name; received '' (str).",
        ),
        (
            ["tracking.pictures=-1"],
            "tracking.pictures: expected a number of 0 or more; received -1 (int).",
        ),
        (
            ["tracking.system_metrics_seconds=0"],
            "tracking.system_metrics_seconds: expected a number from 0.1 to 86400, or null; "
            "received 0.0 (float).",
        ),
        (
            ["fetches.x=conv7"],
            "fetches.x: expected the name of a layer, or of a tensor such as 'conv1/Relu:0'; "
            "received 'conv7' (str). Did you mean 'conv2'?",
        ),
        (["fetches.row=conv1"], "fetches.row: the name 'row' is taken; choose another."),
        (
            ["trace.steps=[3,0]"],
            "trace.steps[1]: expected a number of 1 or more; received 0 (int).",
        ),
        (
            ["trace.level=FULL"],
            "trace.level: expected a level of RunOptions; received 'FULL' (str). Choose from "
            "SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE.",
        ),
        (
            ["task=evaluate", "task.splits=[tests]"],
            "task.splits[0]: expected one of train, validation, test, all; received 'tests' (str). "
            "Did you mean 'test'?",
        ),
        (
            ["task=evaluate", "task.splits=[]"],
            "task.splits: expected some of train, validation, test, all; received [] (list).",
        ),
        (
            ["task=evaluate", "model.loss=null"],
            "model.loss: expected a loss, which task=evaluate needs where no layer of your own "
            "adds one; received None (NoneType).",
        ),
        (
            ["task=evaluate", "~data.labels.digit", "~data.labels.parity"],
            "model.loss.label: expected label, since the data has no labels of its own; received "
            "None (NoneType). Choose from image.",
        ),
        (
            ["task=predict", "task.split=every"],
            "task.split: expected one of train, validation, test, all; received 'every' (str). "
            "Choose from train, validation, test, all.",
        ),
        (
            ["task=predict", "task.file=p.xlsx"],
            "task.file: expected a file that ends in one of .csv, .parquet, .npz; received "
            "'p.xlsx' (str).",
        ),
        (
            ["task=predict", "task.file=/nowhere/p.csv"],
            "task.file: expected a file in a folder that is there; received '/nowhere/p.csv' "
            "(str).",
        ),
        (
            ["task=predict", "fetches.id=conv1"],
            "fetches.id: the name 'id' is taken; choose another.",
        ),
        (
            ["task=predict", f"{IMAGE}.batch_size=8"],
            f"data.batch_size: expected 8, as {IMAGE}.batch_size is; received 32 (int).",
        ),
        (
            ["pretrained.source=/nowhere/w.npz"],
            "pretrained.source: expected a file, .keras, .weights.h5, .npz, or a run; "
            "received '/nowhere/w.npz' (str). There is nothing at /nowhere/w.npz.",
        ),
        (
            ["pretrained.source=w.npz", "task=inspect"],
            "pretrained.source: expected null, since task=inspect uses no weights; received "
            "'w.npz' (str).",
        ),
        (
            ["pretrained.source=w.npz", "pretrained.layers=[]"],
            "pretrained.layers: expected patterns of the names of layers; received [] (list).",
        ),
        (["trace.top=0"], "trace.top: expected a number of 1 or more; received 0 (int)."),
        (
            ["data=imdb", "model=tokens", "data.buckets=[9,5]", "data.pad.tokens.length=null"],
            "data.buckets: expected lengths of 1 or more, ascending; received [9, 5] (list).",
        ),
        (
            ["data.pad.images.value=1"],
            "data.pad.images: expected a feature of data 'digits'; received 'images' (str). Did "
            "you mean 'image'?",
        ),
        (
            ["data.buckets=[5,9]"],
            "data.buckets: expected none, since no feature of data 'digits' has lengths that "
            "differ; received [5, 9] (list).",
        ),
        (
            ["data.shards=2", "data.shard=2"],
            "data.shard: expected 0 to 1, as data.shards is; received 2 (int).",
        ),
    ],
)
def test_validate_reports(compose, overrides, message):
    assert message in problems_of(compose(*overrides))


def test_a_model_that_the_data_could_not_feed_is_inspected(compose):
    validate(compose("task=inspect", f"{IMAGE}.shape=[9,9,1]"))


def test_the_batch_size_that_costs_are_counted_at_is_the_datas(compose):
    assert compose("task=inspect", "data.batch_size=5").task.examples == 5


def test_all_problems_come_together_in_the_order_of_the_file(compose):
    config = compose("trace.steps=[0]", "seed=-1", "data.batch_size=0", "model.outputs=x")
    paths = [problem.partition(":")[0] for problem in problems_of(config)]
    assert paths == ["seed", "model.outputs", "data.batch_size", "trace.steps[0]"]


def test_a_file_without_a_schema_is_told_of_them(compose):
    config = compose()
    config.data = type(config.data).__mro__[1](**vars(config.data))
    text = "".join(file.read_text("utf-8") for file in (CONF / "data").glob("*.yaml"))
    named = set(re.findall(r"/schema_data_\w+@_here_", text))
    schemas = ", ".join(sorted(named))
    assert problems_of(config) == [
        f"data: expected a schema in the file's defaults list; choose from {schemas}."
    ]
