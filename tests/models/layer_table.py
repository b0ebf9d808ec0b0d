"""One case or more for every public class of ``keras.layers``: its declaration and its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from models.config import InputConfig

EXAMPLES = 3
WORDS = ("a", "b", "c a", "d")


def tensor(*shape, dtype="float32", sparse=False):
    """Returns one input's declaration."""
    return InputConfig(shape=list(shape), dtype=dtype, sparse=sparse)


VECTOR = tensor(5)
SHORT = tensor(3)
STEPS = tensor(6, 4)
IMAGE = tensor(8, 8, 3)
VOLUME = tensor(6, 6, 6, 2)
NUMBERS = tensor(4, dtype="int32")
MASK = tensor(6, dtype="bool")
TEXT = tensor(1, dtype="string")


@dataclass(frozen=True)
class LayerCase:
    """A layer as YAML would declare it, and what it is called with.

    Attributes:
        arguments: Its arguments beside ``type``.
        inputs: The model's inputs; a single one is called ``x``.
        source: What stands under ``from``.
        objects: The arguments that are Keras objects, made by hand for the plain layer.
        parts: How many outputs the layer gives; a list of them where it is more than one.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, InputConfig] = field(default_factory=lambda: {"x": IMAGE})
    source: Any = None
    objects: Callable[[], Mapping[str, Any]] = dict
    parts: int = 1


def fill(config, *, seed):
    """Returns values for an input: numbers from 0 to 1, small integers, words, or a mask."""
    rng = np.random.default_rng(seed)
    shape = (EXAMPLES, *config.shape)
    if config.dtype == "string":
        return rng.choice(np.array(WORDS, dtype=object), shape)
    if config.dtype == "bool":
        values = rng.random(shape) < 0.6
        values[..., 0] = True  # a mask that hides everything leaves nothing to attend to
        return values
    if config.dtype.startswith("int"):
        return rng.integers(0, 4, shape).astype(config.dtype)
    values = rng.random(shape).astype(config.dtype)
    return np.where(values < 0.5, 0, values).astype(config.dtype) if config.sparse else values


def _each(source, **arguments):
    """Returns a case of one input for each layer."""
    return {
        name: LayerCase(arguments=given, inputs={"x": source}) for name, given in arguments.items()
    }


def _pair(shape, **arguments):
    """Returns a case of a list of two inputs of one shape for each layer."""
    return {
        name: LayerCase(arguments=given, inputs={"a": shape, "b": shape}, source=["a", "b"])
        for name, given in arguments.items()
    }


_CORE = {
    **_each(
        VECTOR,
        Activation={"activation": "tanh"},
        ActivityRegularization={"l1": 0.1, "l2": 0.2},
        Dense={"units": 4, "activation": "gelu", "kernel_initializer": "he_normal"},
        ELU={"alpha": 0.7},
        Identity={},
        LeakyReLU={"negative_slope": 0.1},
        Masking={"mask_value": 0.5},
        PReLU={"alpha_initializer": {"type": "Constant", "value": 0.3}},
        ReLU={"max_value": 0.6, "negative_slope": 0.1, "threshold": 0.2},
        RepeatVector={"n": 3},
        Rescaling={"scale": 2.0, "offset": -1.0},
        Softmax={"axis": -1},
        UnitNormalization={},
        RMSNormalization={"epsilon": 1e-3},
        Normalization={"mean": 0.5, "variance": 2.0},
        Discretization={"bin_boundaries": [0.3, 0.6]},
    ),
    **_each(
        STEPS,
        EinsumDense={"equation": "abc,cd->abd", "output_shape": [None, 5], "bias_axes": "d"},
        Cropping1D={"cropping": [1, 2]},
        UpSampling1D={"size": 2},
        ZeroPadding1D={"padding": [1, 2]},
        Flatten={},
        Permute={"dims": [2, 1]},
        Reshape={"target_shape": [-1, 2]},
        LayerNormalization={"axis": [1, 2]},
    ),
    **_each(
        IMAGE,
        Cropping2D={"cropping": [[1, 2], [0, 1]]},
        UpSampling2D={"size": [2, 1], "interpolation": "bilinear"},
        ZeroPadding2D={"padding": [[1, 0], [2, 1]]},
        BatchNormalization={"momentum": 0.7},
        GroupNormalization={"groups": 3},
    ),
    **_each(
        VOLUME,
        Cropping3D={"cropping": 1},
        UpSampling3D={"size": 2},
        ZeroPadding3D={"padding": [1, 0, 2]},
    ),
    "Dense on a sparse input": LayerCase({"units": 4}, {"x": tensor(5, sparse=True)}),
    "Dense of lower precision": LayerCase(
        {"units": 4, "dtype": "mixed_bfloat16", "bias_initializer": "ones"}, {"x": VECTOR}
    ),
    "Dense with objects": LayerCase(
        {
            "units": 4,
            "kernel_regularizer": {"type": "L1L2", "l1": 0.1, "l2": 0.2},
            "kernel_constraint": {"type": "MaxNorm", "max_value": 1.5},
            "activation": {"type": "LeakyReLU", "negative_slope": 0.2},
        },
        {"x": VECTOR},
        objects=lambda: {
            "kernel_regularizer": keras.regularizers.L1L2(0.1, 0.2),
            "kernel_constraint": keras.constraints.MaxNorm(1.5),
            "activation": keras.layers.LeakyReLU(negative_slope=0.2),
        },
    ),
    "EinsumDense of a number": LayerCase(
        {"equation": "ab,bc->ac", "output_shape": 7}, {"x": VECTOR}
    ),
    "Rescaling by channel": LayerCase({"scale": [1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0]}),
    "RMSNormalization of two axes": LayerCase({"axis": [1, 2]}, {"x": STEPS}),
    "Softmax with a mask": LayerCase(
        {},
        {"x": tensor(6), "mask": MASK},
        source={"inputs": "x", "mask": "mask"},
    ),
    "BatchNormalization with a mask": LayerCase(
        {}, {"x": STEPS, "mask": MASK}, source={"inputs": "x", "mask": "mask"}
    ),
    "BatchNormalization renormalized": LayerCase(
        {"renorm": True, "renorm_clipping": {"rmin": 0.5, "rmax": 2.0, "dmax": 1.0}}, {"x": VECTOR}
    ),
    "PReLU": LayerCase(
        {"alpha_initializer": {"type": "Constant", "value": 0.3}, "shared_axes": [1]},
        {"x": STEPS},
        objects=lambda: {"alpha_initializer": keras.initializers.Constant(0.3)},
    ),
}

_MERGING = {
    **_pair(VECTOR, Add={}, Average={}, Maximum={}, Minimum={}, Multiply={}, Subtract={}),
    **_pair(STEPS, Concatenate={"axis": 1}, Dot={"axes": [2, 2], "normalize": True}),
    "Add of three": LayerCase({}, {"a": VECTOR, "b": VECTOR, "c": VECTOR}, source=["a", "b", "c"]),
}

_CONVOLUTIONS = {
    **_each(
        STEPS,
        Conv1D={"filters": 4, "kernel_size": 3, "padding": "causal"},
        Conv1DTranspose={"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
        DepthwiseConv1D={"kernel_size": 3, "depth_multiplier": 2},
        SeparableConv1D={"filters": 4, "kernel_size": [3], "use_bias": False},
    ),
    **_each(
        IMAGE,
        Conv2D={"filters": 4, "kernel_size": [3, 2], "dilation_rate": 2, "padding": "SAME"},
        Conv2DTranspose={"filters": 4, "kernel_size": 3, "strides": 2, "output_padding": 1},
        DepthwiseConv2D={"kernel_size": 3, "strides": [2, 2], "activation": "relu"},
        SeparableConv2D={"filters": 4, "kernel_size": 3, "depth_multiplier": 2},
    ),
    **_each(
        VOLUME,
        Conv3D={"filters": 4, "kernel_size": 2, "strides": 2},
        Conv3DTranspose={"filters": 3, "kernel_size": 2, "strides": [2, 1, 1]},
    ),
    "Conv2D of a low rank": LayerCase({"filters": 4, "kernel_size": 3, "lora_rank": 2}),
    "Conv2D in groups": LayerCase({"filters": 6, "kernel_size": 3, "groups": 3}),
}

_POOLING = {
    **_each(
        STEPS,
        AdaptiveAveragePooling1D={"output_size": 2},
        AdaptiveMaxPooling1D={"output_size": 2},
        AveragePooling1D={"pool_size": 2, "padding": "same"},
        MaxPooling1D={"pool_size": 3, "strides": 1},
        GlobalAveragePooling1D={"keepdims": True},
        GlobalMaxPooling1D={},
    ),
    **_each(
        IMAGE,
        AdaptiveAveragePooling2D={"output_size": [2, 3]},
        AdaptiveMaxPooling2D={"output_size": 2},
        AveragePooling2D={"pool_size": [2, 3], "strides": 1},
        MaxPooling2D={"pool_size": 3, "padding": "same"},
        GlobalAveragePooling2D={},
        GlobalMaxPooling2D={"keepdims": True},
    ),
    **_each(
        VOLUME,
        AdaptiveAveragePooling3D={"output_size": [2, 3, 2]},
        AdaptiveMaxPooling3D={"output_size": 2},
        AveragePooling3D={"pool_size": 2},
        MaxPooling3D={"pool_size": [2, 1, 2]},
        GlobalAveragePooling3D={},
        GlobalMaxPooling3D={},
    ),
    "GlobalAveragePooling1D with a mask": LayerCase(
        {}, {"x": STEPS, "mask": MASK}, source={"inputs": "x", "mask": "mask"}
    ),
    "MaxPooling1D of lists": LayerCase({"pool_size": [2], "strides": [1]}, {"x": STEPS}),
}

_REGULARIZATION = _each(
    STEPS,
    AlphaDropout={"rate": 0.3, "seed": 7},
    Dropout={"rate": 0.3, "noise_shape": [None, 1, 4], "seed": 7},
    GaussianDropout={"rate": 0.3, "seed": 7},
    GaussianNoise={"stddev": 0.2, "seed": 7},
    SpatialDropout1D={"rate": 0.3, "seed": 7},
) | {
    "SpatialDropout2D": LayerCase({"rate": 0.3, "seed": 7}),
    "SpatialDropout3D": LayerCase({"rate": 0.3, "seed": 7}, {"x": VOLUME}),
}

_ATTENTION = {
    **_pair(
        STEPS,
        Attention={"use_scale": True, "dropout": 0.2, "seed": 7},
        AdditiveAttention={"dropout": 0.2, "seed": 7},
    ),
    "GroupQueryAttention": LayerCase(
        {"head_dim": 4, "num_query_heads": 2, "num_key_value_heads": 1, "dropout": 0.2, "seed": 7},
        {"a": STEPS, "b": STEPS},
        source={"query": "a", "value": "b"},
    ),
    "MultiHeadAttention": LayerCase(
        {"num_heads": 2, "key_dim": 3, "dropout": 0.2, "seed": 7},
        {"a": STEPS, "b": STEPS},
        source={"query": "a", "value": "b"},
    ),
    "Attention with masks": LayerCase(
        {"score_mode": "concat", "seed": 7},
        {"a": STEPS, "b": STEPS, "c": MASK, "d": MASK},
        source={"inputs": ["a", "b"], "mask": ["c", "d"]},
    ),
    "MultiHeadAttention with masks": LayerCase(
        {"num_heads": 2, "key_dim": 3, "value_dim": 2, "output_shape": 5, "seed": 7},
        {"a": STEPS, "b": STEPS, "c": STEPS, "d": MASK, "e": tensor(6, 6, dtype="bool")},
        source={
            "query": "a",
            "value": "b",
            "key": "c",
            "value_mask": "d",
            "attention_mask": "e",
        },
    ),
    "MultiHeadAttention of itself": LayerCase(
        {"num_heads": 2, "key_dim": 3, "attention_axes": [1]},
        {"x": STEPS},
        source={"query": "x", "value": "x"},
    ),
}

_RECURRENT = {
    **_each(
        STEPS,
        GRU={"units": 3, "return_sequences": True},
        LSTM={"units": 3, "recurrent_dropout": 0.2, "dropout": 0.2, "seed": 7},
        SimpleRNN={"units": 3, "go_backwards": True},
    ),
    **_each(
        tensor(4, 6, 2),
        ConvLSTM1D={"filters": 3, "kernel_size": 3, "padding": "same"},
    ),
    **_each(
        tensor(3, 6, 6, 2),
        ConvLSTM2D={"filters": 3, "kernel_size": 3, "return_sequences": True},
    ),
    **_each(
        tensor(3, 4, 4, 4, 2),
        ConvLSTM3D={"filters": 2, "kernel_size": [2, 2, 2]},
    ),
    "RNN": LayerCase(
        {"cell": {"type": "LSTMCell", "units": 3}},
        {"x": STEPS},
        objects=lambda: {"cell": keras.layers.LSTMCell(3)},
    ),
    "RNN of a list of cells": LayerCase(
        {
            "cell": [{"type": "LSTMCell", "units": 3}, {"type": "GRUCell", "units": 2}],
            "return_sequences": True,
        },
        {"x": STEPS},
        objects=lambda: {"cell": [keras.layers.LSTMCell(3), keras.layers.GRUCell(2)]},
    ),
    "RNN of stacked cells": LayerCase(
        {
            "cell": {
                "type": "StackedRNNCells",
                "cells": [
                    {"type": "SimpleRNNCell", "units": 3},
                    {"type": "LSTMCell", "units": 2},
                ],
            },
        },
        {"x": STEPS},
        objects=lambda: {
            "cell": keras.layers.StackedRNNCells(
                [keras.layers.SimpleRNNCell(3), keras.layers.LSTMCell(2)]
            )
        },
    ),
    "LSTM with a mask": LayerCase(
        {"units": 3, "return_sequences": True, "zero_output_for_mask": True},
        {"x": STEPS, "mask": MASK},
        source={"sequences": "x", "mask": "mask"},
    ),
    "LSTM from a state to a state": LayerCase(
        {"units": 3, "return_state": True},
        {"x": STEPS, "h": SHORT, "c": SHORT},
        source={"sequences": "x", "initial_state": ["h", "c"]},
        parts=3,
    ),
    "GRU unrolled": LayerCase({"units": 3, "unroll": True, "reset_after": False}, {"x": STEPS}),
    "LSTM without cuDNN": LayerCase({"units": 3, "use_cudnn": False}, {"x": STEPS}),
    "GRUCell": LayerCase(
        {"units": 3}, {"x": VECTOR, "h": SHORT}, {"inputs": "x", "states": ["h"]}, parts=2
    ),
    "LSTMCell": LayerCase(
        {"units": 3, "dropout": 0.2, "seed": 7},
        {"x": VECTOR, "h": SHORT, "c": SHORT},
        {"inputs": "x", "states": ["h", "c"]},
        parts=2,
    ),
    "SimpleRNNCell": LayerCase(
        {"units": 3}, {"x": VECTOR, "h": SHORT}, {"sequence": "x", "states": ["h"]}, parts=2
    ),
    "StackedRNNCells": LayerCase(
        {"cells": [{"type": "GRUCell", "units": 3}, {"type": "SimpleRNNCell", "units": 3}]},
        {"x": VECTOR, "g": SHORT, "h": SHORT},
        {"inputs": "x", "states": ["g", "h"]},
        objects=lambda: {"cells": [keras.layers.GRUCell(3), keras.layers.SimpleRNNCell(3)]},
        parts=2,
    ),
}

_WRAPPERS = {
    "Bidirectional": LayerCase(
        {"layer": {"type": "LSTM", "units": 3}},
        {"x": STEPS},
        objects=lambda: {"layer": keras.layers.LSTM(3)},
    ),
    "Bidirectional of two layers": LayerCase(
        {
            "layer": {"type": "LSTM", "units": 3, "return_sequences": True},
            "backward_layer": {
                "type": "GRU",
                "units": 3,
                "return_sequences": True,
                "go_backwards": True,
            },
            "merge_mode": "sum",
        },
        {"x": STEPS},
        objects=lambda: {
            "layer": keras.layers.LSTM(3, return_sequences=True),
            "backward_layer": keras.layers.GRU(3, return_sequences=True, go_backwards=True),
        },
    ),
    "Bidirectional not merged": LayerCase(
        {"layer": {"type": "GRU", "units": 3}, "merge_mode": None},
        {"x": STEPS},
        objects=lambda: {"layer": keras.layers.GRU(3)},
        parts=2,
    ),
    "TimeDistributed": LayerCase(
        {"layer": {"type": "Conv2D", "filters": 2, "kernel_size": 2}},
        {"x": tensor(3, 6, 6, 2)},
        objects=lambda: {"layer": keras.layers.Conv2D(2, 2)},
    ),
    "TimeDistributed with a mask": LayerCase(
        {"layer": {"type": "Dense", "units": 3}},
        {"x": STEPS, "mask": MASK},
        {"inputs": "x", "mask": "mask"},
        objects=lambda: {"layer": keras.layers.Dense(3)},
    ),
    "SpectralNormalization": LayerCase(
        {"layer": {"type": "Conv2D", "filters": 2, "kernel_size": 3}, "power_iterations": 2},
        objects=lambda: {"layer": keras.layers.Conv2D(2, 3)},
    ),
    "Pipeline": LayerCase(
        {"layers": [{"type": "Rescaling", "scale": 0.5}, {"type": "RandomFlip", "seed": 7}]},
        objects=lambda: {"layers": [keras.layers.Rescaling(0.5), keras.layers.RandomFlip(seed=7)]},
    ),
    "TFSMLayer": LayerCase({"filepath": "<SavedModel>"}, {"x": VECTOR}),
}

_WORDS = {
    **_each(
        NUMBERS,
        CategoryEncoding={"num_tokens": 5, "output_mode": "multi_hot"},
        Embedding={"input_dim": 5, "output_dim": 3, "mask_zero": True},
        Hashing={"num_bins": 3, "salt": 5},
        IntegerLookup={"vocabulary": [1, 2, 3]},
        ReversibleEmbedding={"input_dim": 5, "output_dim": 3},
    ),
    **_each(
        TEXT,
        StringLookup={"vocabulary": ["a", "b"]},
        TextVectorization={"vocabulary": ["a", "b"], "output_sequence_length": 4},
    ),
    **_pair(tensor(1, dtype="int32"), HashedCrossing={"num_bins": 5, "output_mode": "one_hot"}),
    "CategoryEncoding of counts": LayerCase(
        {"num_tokens": 5, "output_mode": "count"},
        {"x": NUMBERS, "weights": tensor(4)},
        {"inputs": "x", "count_weights": "weights"},
    ),
    # In a graph Keras casts what it encodes to the layer's dtype, and numbers of a float's dtype
    # cannot be places in a sparse tensor.
    "CategoryEncoding to a sparse tensor": LayerCase(
        {"num_tokens": 5, "sparse": True, "dtype": "int32"}, {"x": NUMBERS}
    ),
    "Discretization one-hot": LayerCase(
        {"bin_boundaries": [0.3, 0.6], "output_mode": "one_hot"}, {"x": tensor(1)}
    ),
    "Hashing of texts": LayerCase({"num_bins": 4, "mask_value": "a"}, {"x": TEXT}),
    "IntegerLookup to texts' places": LayerCase(
        {"vocabulary": [1, 2, 3], "mask_token": 0, "num_oov_indices": 2, "output_mode": "count"},
        {"x": NUMBERS},
    ),
    "StringLookup back to texts": LayerCase(
        {"vocabulary": ["a", "b"], "invert": True, "mask_token": ""}, {"x": NUMBERS}
    ),
    "StringLookup weighted": LayerCase(
        {"vocabulary": ["a", "b"], "idf_weights": [0.5, 0.7], "output_mode": "tf_idf"},
        {"x": TEXT},
    ),
    "TextVectorization multi-hot": LayerCase(
        {"vocabulary": ["a", "b"], "output_mode": "multi_hot", "standardize": None, "ngrams": 2},
        {"x": TEXT},
    ),
    "ReversibleEmbedding reversed": LayerCase(
        {"input_dim": 5, "output_dim": 3}, {"x": tensor(4, 3)}, {"inputs": "x"}
    ),
}

_RANGE = {"value_range": [0, 1]}
_IMAGES = _each(
    IMAGE,
    AugMix={**_RANGE, "num_chains": 2, "chain_depth": 2, "seed": 7},
    AutoContrast=_RANGE,
    CenterCrop={"height": 4, "width": 6},
    ContrastLimitedAdaptiveHistogramEqualization={**_RANGE, "tile_grid_size": [2, 2]},
    CutMix={"seed": 7},
    Equalization=_RANGE,
    MaxNumBoundingBoxes={"max_number": 3, "bounding_box_format": "xyxy"},
    MixUp={"alpha": 0.4, "seed": 7},
    RandAugment={**_RANGE, "seed": 7},
    RandomBrightness={"factor": 0.3, **_RANGE, "seed": 7},
    RandomColorDegeneration={"factor": [0.2, 0.5], **_RANGE, "seed": 7},
    RandomColorJitter={**_RANGE, "brightness_factor": 0.2, "hue_factor": 0.1, "seed": 7},
    RandomContrast={"factor": 0.3, **_RANGE, "seed": 7},
    RandomCrop={"height": 4, "width": 5, "seed": 7},
    RandomErasing={"scale": [0.1, 0.3], **_RANGE, "seed": 7},
    RandomFlip={"mode": "horizontal", "seed": 7},
    RandomGaussianBlur={"kernel_size": 3, **_RANGE, "seed": 7},
    RandomGrayscale={"factor": 0.5, "seed": 7},
    RandomHue={"factor": 0.3, **_RANGE, "seed": 7},
    RandomInvert={"factor": 0.5, **_RANGE, "seed": 7},
    RandomPerspective={"factor": 1.0, "scale": 0.4, "seed": 7},
    RandomPosterization={"factor": 4, **_RANGE, "seed": 7},
    RandomRotation={"factor": 0.2, "fill_mode": "constant", "seed": 7},
    RandomSaturation={"factor": 0.3, **_RANGE, "seed": 7},
    RandomSharpness={"factor": 0.3, **_RANGE, "seed": 7},
    RandomShear={"x_factor": 0.2, "y_factor": [0.1, 0.3], "seed": 7},
    RandomTranslation={"height_factor": 0.2, "width_factor": [-0.1, 0.2], "seed": 7},
    RandomZoom={"height_factor": 0.2, "seed": 7},
    Resizing={"height": 5, "width": 6, "interpolation": "nearest"},
    Solarization={"threshold_factor": 0.5, **_RANGE, "seed": 7},
) | {
    # Of a batch of unknown size Keras distorts the first image, and puts it in the others' place.
    "RandomElasticTransform": LayerCase(
        {**_RANGE, "seed": 7},
        {"x": InputConfig(shape=[8, 8, 3], dtype="float32", batch_size=EXAMPLES)},
    ),
}

_WAVES = {
    **_each(tensor(64), MelSpectrogram={"fft_length": 16, "sequence_stride": 4, "num_mel_bins": 8}),
    **_each(
        tensor(64, 1),
        STFTSpectrogram={"frame_length": 8, "frame_step": 4, "fft_length": 8, "mode": "magnitude"},
    ),
}

CASES = {
    **_CORE,
    **_MERGING,
    **_CONVOLUTIONS,
    **_POOLING,
    **_REGULARIZATION,
    **_ATTENTION,
    **_RECURRENT,
    **_WRAPPERS,
    **_WORDS,
    **_IMAGES,
    **_WAVES,
}

# A class's second public name: the cases of the class hold for it.
ALIASES = {
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "AvgPool3D": "AveragePooling3D",
    "Convolution1D": "Conv1D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2D": "Conv2D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3D": "Conv3D",
    "Convolution3DTranspose": "Conv3DTranspose",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "MaxPool3D": "MaxPooling3D",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
}


def type_of(name):
    """Returns the class that the case `name` is of: its first word."""
    return name.partition(" ")[0]
