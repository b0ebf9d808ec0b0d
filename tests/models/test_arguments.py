"""Keras objects as arguments, and every optimizer, loss and metric, beside plain Keras."""

import functools

import keras
import numpy as np
import pytest

from models.declarations import check_call
from models.objects import build_object
from models.registry import UNDECLARABLE, names_of, texts_of

# The arguments of each object as YAML would hold them; `named` may be given by name alone.
INITIALIZERS = {
    "Constant": {"value": 0.5},
    "GlorotNormal": {"seed": 7},
    "GlorotUniform": {"seed": 7},
    "HeNormal": {"seed": 7},
    "HeUniform": {"seed": 7},
    "Identity": {"gain": 2.0},
    "IdentityInitializer": {},
    "LecunNormal": {"seed": 7},
    "LecunUniform": {"seed": 7},
    "Ones": {},
    "Orthogonal": {"gain": 0.5, "seed": 7},
    "OrthogonalInitializer": {"seed": 7},
    "RandomNormal": {"mean": 1.0, "stddev": 0.1, "seed": 7},
    "RandomUniform": {"minval": 0, "maxval": 1, "seed": 7},
    "STFT": {"side": "imag", "window": "hamming"},
    "STFTInitializer": {"side": "real", "window": None, "scaling": "spectrum", "periodic": True},
    "TruncatedNormal": {"stddev": 0.2, "seed": 7},
    "VarianceScaling": {"scale": 2, "mode": "fan_out", "distribution": "uniform", "seed": 7},
    "Zeros": {},
}
REGULARIZERS = {
    "L1": {"l1": 0.1},
    "L1L2": {"l1": 0.1, "l2": 0.2},
    "L2": {"l2": 0.1},
    "OrthogonalRegularizer": {"factor": 0.1, "mode": "columns"},
}
CONSTRAINTS = {
    "MaxNorm": {"max_value": 1, "axis": [0, 1]},
    "MinMaxNorm": {"min_value": 0.2, "max_value": 0.8, "rate": 0.5, "axis": 1},
    "NonNeg": {},
    "UnitNorm": {"axis": 0},
}
ACTIVATIONS = {
    "celu": {"alpha": 0.5},
    "elu": {"alpha": 0.5},
    "exponential": {},
    "gelu": {"approximate": True},
    "glu": {"axis": -1},
    "hard_shrink": {"threshold": 0.2},
    "hard_sigmoid": {},
    "hard_silu": {},
    "hard_swish": {},
    "hard_tanh": {},
    "leaky_relu": {"negative_slope": 0.3},
    "linear": {},
    "log_sigmoid": {},
    "log_softmax": {"axis": 0},
    "mish": {},
    "relu": {"negative_slope": 0.1, "max_value": 0.5, "threshold": 0.1},
    "relu6": {},
    "selu": {},
    "sigmoid": {},
    "silu": {},
    "soft_shrink": {"threshold": 0.2},
    "softmax": {"axis": 0},
    "softplus": {},
    "softsign": {},
    "sparse_plus": {},
    "sparse_sigmoid": {},
    "sparsemax": {"axis": -1},
    "squareplus": {"b": 2},
    "swish": {},
    "tanh": {},
    "tanh_shrink": {},
    "threshold": {"threshold": 0.5, "default_value": -1.0},
}
SCHEDULES = {
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 1e1, "warmup_steps": 2.0},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 5.0},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 1e1, "decay_rate": 0.9},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 1e1, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [2, 4], "values": [0.1, 0.01, 0.001]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 1e1, "power": 2.0},
}
DTYPE_POLICIES = {
    "AWQDTypePolicy": {"mode": "awq/4/128", "source_name": "float32"},
    "DTypePolicy": {"name": "mixed_bfloat16"},
    "FloatDTypePolicy": {"name": "float16"},
    "GPTQDTypePolicy": {"mode": "gptq/4/128", "source_name": "float32"},
    "Int4DTypePolicy": {"mode": "int4/128", "source_name": "float32"},
    "QuantizedDTypePolicy": {"mode": "int8", "source_name": "mixed_bfloat16"},
    "QuantizedFloat8DTypePolicy": {"mode": "float8", "source_name": "mixed_bfloat16"},
}

OPTIMIZERS = {
    "Adadelta": {"rho": 0.9},
    "Adafactor": {"relative_step": False, "weight_decay": 0.01},
    "Adagrad": {"initial_accumulator_value": 0.2},
    "Adam": {"beta_1": 0.8, "amsgrad": True, "clipnorm": 1.0},
    "AdamW": {"weight_decay": 0.1, "gradient_accumulation_steps": 2},
    "Adamax": {"epsilon": 1e-6},
    "Ftrl": {"l1_regularization_strength": 0.1},
    "Lamb": {"global_clipnorm": 1},
    "Lion": {"beta_2": 0.9},
    "LossScaleOptimizer": {"inner_optimizer": {"type": "Adam"}, "initial_scale": 1024.0},
    "Muon": {"exclude_layers": ["head"], "nesterov": False},
    "Nadam": {"use_ema": True, "ema_momentum": 0.9},
    "RMSprop": {"momentum": 0.5, "centered": True},
    "SGD": {"momentum": 0.9, "nesterov": True},
    "ScheduleFreeAdamW": {"warmup_steps": 5},
}
LOSSES = {
    "BinaryCrossentropy": {"from_logits": True, "label_smoothing": 0.1},
    "BinaryFocalCrossentropy": {"alpha": 0.3, "gamma": 1},
    "CTC": {},
    "CategoricalCrossentropy": {"reduction": "sum"},
    "CategoricalFocalCrossentropy": {"alpha": [0.2, 0.3, 0.5]},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.7},
    "CategoricalHinge": {},
    "Circle": {"gamma": 40, "margin": 0.3},
    "CosineSimilarity": {"axis": [-1]},
    "Dice": {"axis": [1, 2]},
    "Hinge": {"reduction": None},
    "Huber": {"delta": 2.0},
    "KLDivergence": {},
    "LogCosh": {},
    "MeanAbsoluteError": {"dtype": "float64"},
    "MeanAbsolutePercentageError": {},
    "MeanSquaredError": {"reduction": "mean_with_sample_weight"},
    "MeanSquaredLogarithmicError": {},
    "Poisson": {},
    "SparseCategoricalCrossentropy": {"from_logits": True, "ignore_class": 0},
    "SquaredHinge": {},
    "Tversky": {"alpha": 0.3, "beta": 0.7, "axis": [1]},
}
METRICS = {
    "AUC": {"curve": "PR", "num_thresholds": 50, "multi_label": True, "num_labels": 3},
    "Accuracy": {},
    "BinaryAccuracy": {"threshold": 0.3},
    "BinaryCrossentropy": {"from_logits": True, "label_smoothing": 0.1},
    "BinaryIoU": {"target_class_ids": [1], "threshold": 0.4},
    "CategoricalAccuracy": {},
    "CategoricalCrossentropy": {"axis": 1},
    "CategoricalHinge": {},
    "ConcordanceCorrelation": {"axis": 0},
    "CosineSimilarity": {"axis": 1},
    "F1Score": {"average": "macro", "threshold": 0.5},
    "FBetaScore": {"average": "weighted", "beta": 2.0},
    "FalseNegatives": {"thresholds": [0.3, 0.6]},
    "FalsePositives": {"thresholds": 0.5},
    "Hinge": {},
    "IoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "KLDivergence": {},
    "LogCoshError": {},
    "Mean": {},
    "MeanAbsoluteError": {"dtype": "float64"},
    "MeanAbsolutePercentageError": {},
    "MeanIoU": {"num_classes": 3, "ignore_class": 0},
    "MeanSquaredError": {},
    "MeanSquaredLogarithmicError": {},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 1]},
    "OneHotMeanIoU": {"num_classes": 3},
    "PearsonCorrelation": {},
    "Poisson": {},
    "Precision": {"top_k": 2, "class_id": 1},
    "PrecisionAtRecall": {"recall": 0.5},
    "R2Score": {"class_aggregation": None, "num_regressors": 2},
    "Recall": {"thresholds": [0.2, 0.4]},
    "RecallAtPrecision": {"precision": 0.5, "class_id": 0},
    "RootMeanSquaredError": {},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SparseCategoricalAccuracy": {},
    "SparseCategoricalCrossentropy": {"ignore_class": 1},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "SquaredHinge": {},
    "Sum": {},
    "TopKCategoricalAccuracy": {"k": 2},
    "TrueNegatives": {},
    "TruePositives": {},
}

MODULES = {
    "initializers": (keras.initializers, INITIALIZERS),
    "regularizers": (keras.regularizers, REGULARIZERS),
    "constraints": (keras.constraints, CONSTRAINTS),
    "schedules": (keras.optimizers.schedules, SCHEDULES),
    "dtype_policies": (keras.dtype_policies, DTYPE_POLICIES),
    "optimizers": (keras.optimizers, OPTIMIZERS),
    "losses": (keras.losses, LOSSES),
    "metrics": (keras.metrics, METRICS),
}
# What the arguments that are declared themselves are in plain Keras.
OBJECTS = {"LossScaleOptimizer": lambda: {"inner_optimizer": keras.optimizers.Adam()}}
NUMBERS = np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6)


def cases(*kinds):
    return [(kind, name) for kind in kinds for name in MODULES[kind][1]]


def build_both(kind, name):
    """Returns what the factory builds of a declaration, and the same made by hand."""
    module, table = MODULES[kind]
    spec = {"type": name, **table[name]}
    assert check_call("at", kind, spec) == []
    keras.utils.clear_session(free_memory=False)
    built = build_object("at", kind, spec)
    keras.utils.clear_session(free_memory=False)
    return built, getattr(module, name)(**{**table[name], **OBJECTS.get(name, dict)()})


@pytest.mark.parametrize(("kind", "name"), cases(*MODULES))
def test_declared_object_equals_plain_keras(kind, name):
    built, plain = build_both(kind, name)
    assert type(built) is type(plain)
    np.testing.assert_equal(built.get_config(), plain.get_config())


@pytest.mark.parametrize("kind", MODULES)
def test_tables_hold_every_public_class(kind):
    module, table = MODULES[kind]
    public = {value for value in vars(module).values() if isinstance(value, type)}
    parents = {
        "initializers": keras.initializers.Initializer,
        "regularizers": keras.regularizers.Regularizer,
        "constraints": keras.constraints.Constraint,
        "schedules": keras.optimizers.schedules.LearningRateSchedule,
        "optimizers": keras.optimizers.Optimizer,
        "losses": keras.losses.Loss,
        "metrics": keras.metrics.Metric,
    }
    parent = parents.get(kind, object)
    declared = {getattr(module, name) for name in table}
    refused = {getattr(module, name) for name in UNDECLARABLE if hasattr(module, name)}
    assert declared.isdisjoint(refused)
    assert declared | refused == {cls for cls in public if issubclass(cls, parent)} - {parent}
    assert set(table) <= set(names_of(kind))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializer_gives_the_values_of_plain_keras(name):
    built, plain = build_both("initializers", name)
    shape = (3, 3, 4) if name.startswith("STFT") else (4, 4)
    np.testing.assert_array_equal(built(shape), plain(shape))


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "glu"])
@pytest.mark.parametrize("is_named", [True, False])
def test_activation_gives_the_values_of_plain_keras(name, is_named):
    arguments = ACTIVATIONS[name]
    if is_named and name == "threshold":
        pytest.skip("it has no default of its own")
    spec = name if is_named else {"type": name, **arguments}
    plain = getattr(keras.activations, name)
    if not is_named:
        plain = functools.partial(plain, **arguments)
    layer = {"type": "Activation", "activation": spec}
    assert check_call("at", "layers", layer) == []
    built = build_object("at", "layers", layer)
    np.testing.assert_array_equal(built(NUMBERS), plain(NUMBERS))


def test_glu_halves_an_axis():
    layer = {"type": "Activation", "activation": {"type": "glu", "axis": 0}}
    assert check_call("at", "layers", layer) == []
    activation = build_object("at", "layers", layer).activation
    first, second = np.split(NUMBERS, 2)
    np.testing.assert_allclose(activation(NUMBERS), first / (1 + np.exp(-second)), rtol=1e-6)


def test_activations_are_all_in_the_table():
    public = {
        name
        for name, value in vars(keras.activations).items()
        if callable(value) and name not in ("get", "serialize", "deserialize")
    }
    assert set(ACTIVATIONS) == public


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("kernel_initializer", "initializers"),
        ("kernel_regularizer", "regularizers"),
        ("kernel_constraint", "constraints"),
    ],
)
def test_names_stand_for_objects_as_in_keras(argument, kind):
    module, _ = MODULES[kind]
    for name in texts_of(kind):
        spec = {"type": "Dense", "units": 3, argument: name}
        assert check_call("at", "layers", spec) == []
        built = getattr(build_object("at", "layers", spec), argument)
        assert type(built) is type(module.get(name))


def test_name_of_what_needs_arguments_is_refused():
    spec = {"type": "Dense", "units": 3, "kernel_initializer": "constant"}
    (problem,) = check_call("at", "layers", spec)
    assert str(problem) == (
        "at.kernel_initializer: expected an initializer; received 'constant' (str). "
        "Write it with its arguments: {type: Constant, ...}."
    )


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_within_an_optimizer_decays_as_in_plain_keras(name):
    spec = {"type": "SGD", "learning_rate": {"type": name, **SCHEDULES[name]}}
    assert check_call("at", "optimizers", spec) == []
    built = build_object("at", "optimizers", spec)
    plain = getattr(keras.optimizers.schedules, name)(**SCHEDULES[name])
    for step in range(12):
        built.iterations.assign(step)
        np.testing.assert_allclose(built.learning_rate, plain(step), rtol=1e-6)


@pytest.mark.parametrize("name", DTYPE_POLICIES)
def test_dtype_policy_of_a_layer(name):
    policy = {"type": name, **DTYPE_POLICIES[name]}
    spec = {"type": "Dense", "units": 3, "dtype": policy}
    assert check_call("at", "layers", spec) == []
    plain = getattr(keras.dtype_policies, name)(**DTYPE_POLICIES[name])
    assert build_object("at", "layers", spec).dtype_policy == plain


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in ("optimizers", "metrics", "dtype_policies")
        for name in UNDECLARABLE
        if hasattr(MODULES[kind][0], name)
    ],
)
def test_what_no_yaml_can_hold_is_refused_with_its_reason(kind, name):
    (problem,) = check_call("at", kind, {"type": name})
    assert str(problem) == f"at.type: {name} cannot be declared: {UNDECLARABLE[name]}"
