"""Each model of conf/model/ written by hand in Keras's functional API, for eager execution."""

import string
from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers, losses

from models.layers.position_embedding import PositionEmbedding
from models.layers.sampling import Sampling


@dataclass(frozen=True)
class Twin:
    """A model, and what is trained of it.

    Attributes:
        model: Its layers are named as those of the YAML; its outputs are a mapping by name.
        losses: Output to the label it is compared with, the loss and its weight.
        data: The data of its command.
        steps: How many steps of training are compared.
        overrides: What its command sets besides.
    """

    model: keras.Model
    losses: dict[str, tuple[str, Callable, float]]
    data: str = "digits"
    steps: int = 3
    overrides: tuple[str, ...] = ()


def image_input():
    return keras.Input((8, 8, 1), name="image")


def classifier(image, logits, **options):
    cross_entropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Model({"image": image}, {"logits": logits})
    return Twin(model, {"logits": ("digit", cross_entropy, 1.0)}, **options)


def build_mlp():
    image = image_input()
    x = layers.Flatten()(image)
    x = layers.Dense(128, activation="relu", name="dense1")(x)
    x = layers.Dense(64, activation="relu", name="dense2")(x)
    return classifier(image, layers.Dense(10, name="logits")(x))


def build_cnn():
    image = image_input()
    x = image
    for index, filters in (("1", 32), ("2", 64)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{index}")(x)
        x = layers.BatchNormalization(name=f"norm{index}")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.3, name="drop")(layers.Flatten()(x))
    return classifier(image, layers.Dense(10, name="logits")(x))


def residual(x, filters, name, strides=1):
    def convolve(x, part, kernel_size=3, strides=1):
        return layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding="same" if kernel_size == 3 else "valid",
            use_bias=False,
            name=f"{name}.{part}",
        )(x)

    y = convolve(x, "conv1", strides=strides)
    y = keras.activations.relu(layers.BatchNormalization(name=f"{name}.norm1")(y))
    y = layers.BatchNormalization(name=f"{name}.norm2")(convolve(y, "conv2"))
    shortcut = x if strides == 1 else convolve(x, "shortcut", kernel_size=1, strides=strides)
    return keras.activations.relu(y + shortcut)


def build_resnet():
    image = image_input()
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv")(image)
    x = keras.activations.relu(layers.BatchNormalization(name="norm")(x))
    for index in range(3):
        x = residual(x, 16, f"stage1.{index}")
    x = residual(x, 32, "halve2", strides=2)
    for index in range(2):
        x = residual(x, 32, f"stage2.{index}")
    x = residual(x, 64, "halve3", strides=2)
    for index in range(2):
        x = residual(x, 64, f"stage3.{index}")
    x = keras.ops.mean(x, axis=(1, 2))
    return classifier(image, layers.Dense(10, name="logits")(x))


def build_lstm():
    image = image_input()
    rows = keras.ops.squeeze(image, axis=-1)
    x = layers.Bidirectional(layers.LSTM(64), name="lstm")(rows)
    x = layers.Dropout(0.3, name="drop")(x)
    return classifier(image, layers.Dense(10, name="logits")(x))


def build_gru():
    image = image_input()
    columns = keras.ops.transpose(keras.ops.squeeze(image, axis=-1), (0, 2, 1))
    mask = keras.ops.any(columns != 0, axis=-1)
    x = layers.GRU(64, name="gru")(columns, mask=mask)
    return classifier(image, layers.Dense(10, name="logits")(x))


def attend(x, heads, name):
    return layers.MultiHeadAttention(heads, 16, name=f"{name}.attention")(x, x)


def normalize(x, name):
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def build_transformer():
    image = image_input()
    x = layers.Dense(64, name="embed")(keras.ops.squeeze(image, axis=-1))
    x = PositionEmbedding(name="position")(x)
    for name in ("encoder.0", "encoder.1"):
        attended = layers.Dropout(0.1, name=f"{name}.drop1")(attend(x, 4, name))
        x = normalize(attended + x, f"{name}.norm1")
        wide = layers.Dense(128, activation="relu", name=f"{name}.wide")(x)
        narrow = layers.Dense(64, name=f"{name}.narrow")(wide)
        x = normalize(layers.Dropout(0.1, name=f"{name}.drop2")(narrow) + x, f"{name}.norm2")
    x = keras.ops.mean(x, axis=1)
    return classifier(image, layers.Dense(10, name="logits")(x))


def build_vit():
    image = image_input()
    x = layers.Conv2D(48, 2, strides=2, name="patches")(image)
    x = PositionEmbedding(name="position")(keras.ops.reshape(x, (-1, 16, 48)))
    for name in ("encoder.0", "encoder.1", "encoder.2"):
        x = x + attend(normalize(x, f"{name}.norm1"), 3, name)
        y = normalize(x, f"{name}.norm2")
        y = layers.Dense(96, activation="gelu", name=f"{name}.wide")(y)
        y = layers.Dropout(0.1, name=f"{name}.drop")(y)
        x = x + layers.Dense(48, name=f"{name}.narrow")(y)
    x = keras.ops.mean(normalize(x, "norm"), axis=1)
    return classifier(image, layers.Dense(10, name="logits")(x))


def build_autoencoder():
    image = image_input()
    halve = {"kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
    x = layers.Conv2D(16, name="encode1", **halve)(image)
    x = layers.Conv2D(4, name="encode2", **halve)(x)
    x = layers.Conv2DTranspose(16, name="decode1", **halve)(x)
    x = layers.Conv2DTranspose(16, name="decode2", **halve)(x)
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="image_again")(x)
    model = keras.Model({"image": image}, {"image_again": x})
    return Twin(model, {"image_again": ("image", losses.MeanSquaredError(), 1.0)})


def build_vae():
    image = image_input()
    x = layers.Dense(128, activation="relu", name="encode")(layers.Flatten()(image))
    mean = layers.Dense(8, name="mean")(x)
    log_variance = layers.Dense(8, name="log_variance")(x)
    x = Sampling(divergence_weight=1 / 64, name="sample")(mean, log_variance)
    x = layers.Dense(128, activation="relu", name="decode")(x)
    x = layers.Dense(64, activation="sigmoid", name="pixels")(x)
    model = keras.Model({"image": image}, {"image_again": keras.ops.reshape(x, (-1, 8, 8, 1))})
    return Twin(model, {"image_again": ("image", losses.BinaryCrossentropy(), 1.0)})


def build_wide_deep():
    worst, mean = keras.Input((10,), name="worst"), keras.Input((10,), name="mean")
    wide = layers.BatchNormalization(momentum=0.9, name="wide_norm")(worst)
    wide = layers.Dense(1, use_bias=False, name="wide")(wide)
    deep = layers.BatchNormalization(momentum=0.9, name="deep_norm")(mean)
    deep = layers.Dense(32, activation="relu", name="deep1")(deep)
    deep = layers.Dense(16, activation="relu", name="deep2")(deep)
    logit = wide + layers.Dense(1, name="deep")(deep)
    model = keras.Model({"worst": worst, "mean": mean}, {"logit": logit})
    cross_entropy = losses.BinaryCrossentropy(from_logits=True)
    return Twin(model, {"logit": ("benign", cross_entropy, 1.0)}, data="breast_cancer")


def stack_tabular(columns):
    numbers = keras.Input((columns,), name="numbers")
    x = layers.BatchNormalization(momentum=0.9, name="norm")(numbers)
    x = layers.Dense(64, activation="relu", name="dense1")(x)
    return numbers, layers.Dense(32, activation="relu", name="dense2")(x)


def build_tabular():
    numbers, x = stack_tabular(13)
    cross_entropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    model = keras.Model({"numbers": numbers}, {"logits": layers.Dense(3, name="logits")(x)})
    return Twin(model, {"logits": ("cultivar", cross_entropy, 1.0)}, data="wine")


def build_regression():
    numbers, x = stack_tabular(10)
    model = keras.Model({"numbers": numbers}, {"value": layers.Dense(1, name="value")(x)})
    return Twin(model, {"value": ("progression", losses.MeanSquaredError(), 1.0)}, data="diabetes")


def build_multitask():
    image = image_input()
    x = image
    for index, filters in (("1", 16), ("2", 32)):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{index}")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(64, activation="relu", name="trunk")(layers.Flatten()(x))
    outputs = {
        "digit": layers.Dense(10, name="digit")(x),
        "parity": layers.Dense(1, name="parity")(x),
    }
    return Twin(
        keras.Model({"image": image}, outputs),
        {
            "digit": ("digit", losses.SparseCategoricalCrossentropy(from_logits=True), 1.0),
            "parity": ("parity", losses.BinaryCrossentropy(from_logits=True), 0.5),
        },
    )


def build_mobilenet():
    image = image_input()
    x = layers.UpSampling2D(4, interpolation="bilinear")(image)
    x = keras.applications.MobileNet(
        (32, 32, 1), alpha=0.25, include_top=False, pooling="avg", weights=None
    )(x)
    # In eager Keras alone, a change of its weights by 1e-7 changes the third loss by 7 %: batch
    # normalization over 32 values, one an image.
    return classifier(image, layers.Dense(10, name="logits")(x), steps=1)


def build_subclassed():
    values = keras.Input((2, 3), name="values")
    x = layers.Dense(4, activation="relu", name="hidden")(values)
    x = layers.Dropout(0.5, name="drop")(x)
    model = keras.Model({"values": values}, {"model": layers.Dense(2, name="last")(x)})
    return Twin(model, {}, data="random")


def build_text():
    """Its vocabulary is still to be adapted."""
    text = keras.Input((), dtype="string", name="text")
    x = layers.TextVectorization(1000, output_sequence_length=50)(text)
    x = layers.Embedding(1000, 16, mask_zero=True, name="embed")(x)
    x = layers.Dropout(0.2, name="drop")(layers.GlobalAveragePooling1D()(x))
    model = keras.Model({"text": text}, {"logits": layers.Dense(2, name="logits")(x)})
    cross_entropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    tokens = "{type: TextVectorization, max_tokens: 1000, output_sequence_length: 50}"
    return Twin(
        model,
        {"logits": ("mood", cross_entropy, 1.0)},
        data="table",
        overrides=(
            "data.file=tests/samples/moods.csv",
            "data.targets=[mood]",
            f"data.preprocess.text={{tokens: {tokens}}}",
        ),
    )


def cross_entropy(inputs, x, label, classes, **options):
    x = layers.Dense(classes, name="logits")(x)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    return Twin(keras.Model(inputs, {"logits": x}), {"logits": (label, loss, 1.0)}, **options)


def build_sequence():
    series = keras.Input((32, 1), name="series")
    x = layers.GRU(32, name="gru")(series)
    return cross_entropy({"series": series}, x, "class", 3, data="sequences")


def build_forecast():
    series = keras.Input((24, 3), name="series")
    x = layers.Dense(1, name="value")(layers.LSTM(32, name="lstm")(series))
    return Twin(
        keras.Model({"series": series}, {"value": x}),
        {"value": ("level", losses.MeanSquaredError(), 1.0)},
        data="series",
        overrides=("data.file=tests/samples/waves.csv", "data.targets=[level]"),
    )


def build_letters():
    text = keras.Input((), dtype="string", name="text")
    letters = layers.TextVectorization(
        standardize="lower",
        split="character",
        output_sequence_length=128,
        vocabulary=list(" .,-" + string.ascii_lowercase + string.digits),
        name="letters",
    )
    x = layers.Embedding(42, 16, name="embed")(letters(text))
    x = layers.Conv1D(64, 5, activation="relu", name="conv")(x)
    x = layers.Dropout(0.3, name="drop")(layers.GlobalMaxPooling1D()(x))
    file = "data.file=tests/samples/irises"
    return cross_entropy({"text": text}, x, "class", 3, data="text", overrides=(file,))


def build_tokens():
    tokens = keras.Input((256,), dtype="int32", name="tokens")
    x = layers.Embedding(10000, 32, mask_zero=True, name="embed")(tokens)
    x = layers.GlobalAveragePooling1D()(x)
    return cross_entropy({"tokens": tokens}, x, "sentiment", 2, data="imdb", steps=1)


TWINS = {
    "autoencoder": build_autoencoder,
    "cnn": build_cnn,
    "forecast": build_forecast,
    "gru": build_gru,
    "letters": build_letters,
    "lstm": build_lstm,
    "mlp": build_mlp,
    "mobilenet": build_mobilenet,
    "multitask": build_multitask,
    "regression": build_regression,
    "resnet": build_resnet,
    "sequence": build_sequence,
    "subclassed": build_subclassed,
    "tabular": build_tabular,
    "text": build_text,
    "tokens": build_tokens,
    "transformer": build_transformer,
    "vae": build_vae,
    "vit": build_vit,
    "wide_deep": build_wide_deep,
}
