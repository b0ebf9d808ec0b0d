"""The models of conf/model written in PyTorch, with the weights of Keras.

PyTorch keeps channels before rows and columns. Its batch normalization moves the variance by the
unbiased one of a batch, Keras by the biased one: training is the same, a later inference is not.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

Weights = Mapping[str, np.ndarray]

_HEADS = 4


def build_model(name: str, weights: Weights) -> nn.Module:
    """Returns the twin of the model `name`: (batch, 1, rows, columns) to (batch, classes)."""
    return {
        "mlp": _mlp,
        "cnn": _cnn,
        "resnet": _resnet,
        "lstm": _lstm,
        "transformer": _transformer,
    }[name](weights)


def _mlp(weights: Weights) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        _dense(weights, "dense1"),
        nn.ReLU(),
        _dense(weights, "dense2"),
        nn.ReLU(),
        _dense(weights, "logits"),
    )


def _cnn(weights: Weights) -> nn.Module:
    # Flatten gives (channels, rows, columns) here and (rows, columns, channels) in Keras.
    kernel = weights["logits/kernel"]
    channels_first = kernel.reshape(2, 2, -1, kernel.shape[-1]).transpose(2, 0, 1, 3)
    reordered = {**weights, "logits/kernel": channels_first.reshape(kernel.shape)}
    return nn.Sequential(
        _conv(weights, "conv1"),
        nn.ReLU(),
        _norm(weights, "norm1"),
        nn.MaxPool2d(2),
        _conv(weights, "conv2"),
        nn.ReLU(),
        _norm(weights, "norm2"),
        nn.MaxPool2d(2),
        nn.Flatten(),
        _dense(reordered, "logits"),
    )


def _resnet(weights: Weights) -> nn.Module:
    return nn.Sequential(
        _conv(weights, "conv"),
        _norm(weights, "norm"),
        nn.ReLU(),
        *(_Block(weights, f"stage1.{index}") for index in range(3)),
        _Block(weights, "halve2", strides=2),
        *(_Block(weights, f"stage2.{index}") for index in range(2)),
        _Block(weights, "halve3", strides=2),
        *(_Block(weights, f"stage3.{index}") for index in range(2)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        _dense(weights, "logits"),
    )


class _Block(nn.Module):
    """A residual block; with strides of 2 its shortcut is a convolution."""

    def __init__(self, weights: Weights, name: str, strides: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv(weights, f"{name}.conv1", strides),
            _norm(weights, f"{name}.norm1"),
            nn.ReLU(),
            _conv(weights, f"{name}.conv2"),
            _norm(weights, f"{name}.norm2"),
        )
        is_halved = strides > 1
        self.shortcut = _conv(weights, f"{name}.shortcut", strides) if is_halved else nn.Identity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(features) + self.shortcut(features))


def _lstm(weights: Weights) -> nn.Module:
    return nn.Sequential(_Rows(), _Bidirectional(weights, "lstm"), _dense(weights, "logits"))


class _Rows(nn.Module):
    """(batch, 1, rows, columns) to (batch, rows, columns)."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.squeeze(1)


class _Bidirectional(nn.Module):
    """(batch, rows, columns) to the last states of both directions, (batch, 2 * units)."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        columns, units = weights[f"{name}/forward_lstm/lstm_cell/kernel"].shape
        self.lstm = nn.LSTM(columns, units // 4, batch_first=True, bidirectional=True)
        for direction, suffix in (("forward", "l0"), ("backward", "l0_reverse")):
            cell = f"{name}/{direction}_lstm/lstm_cell"
            _set(getattr(self.lstm, f"weight_ih_{suffix}"), weights[f"{cell}/kernel"].T)
            _set(getattr(self.lstm, f"weight_hh_{suffix}"), weights[f"{cell}/recurrent_kernel"].T)
            _set(getattr(self.lstm, f"bias_ih_{suffix}"), weights[f"{cell}/bias"])
            # Keras has one bias; trained twice it would learn twice as fast.
            second = getattr(self.lstm, f"bias_hh_{suffix}")
            nn.init.zeros_(second)
            second.requires_grad_(False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        _, (states, _) = self.lstm(rows)
        return torch.cat((states[0], states[1]), dim=1)


def _transformer(weights: Weights) -> nn.Module:
    return nn.Sequential(
        _Rows(),
        _dense(weights, "embed"),
        _Position(weights, "position"),
        _Encoder(weights, "encoder.0"),
        _Encoder(weights, "encoder.1"),
        _Mean(),
        _dense(weights, "logits"),
    )


class _Position(nn.Module):
    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.tensor(weights[f"{name}/positions"]))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens + self.positions


class _Encoder(nn.Module):
    """Attention and two dense layers, each with a residual and then normalized."""

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.attention = _attention(weights, f"{name}.attention")
        self.norm1 = _layer_norm(weights, f"{name}.norm1")
        self.wide = _dense(weights, f"{name}.wide")
        self.narrow = _dense(weights, f"{name}.narrow")
        self.norm2 = _layer_norm(weights, f"{name}.norm2")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        hidden = self.norm1(attended + tokens)
        return self.norm2(self.narrow(torch.relu(self.wide(hidden))) + hidden)


class _Mean(nn.Module):
    """(batch, tokens, channels) to the mean of the tokens."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.mean(dim=1)


def _attention(weights: Weights, name: str) -> nn.MultiheadAttention:
    channels = weights[f"{name}/query/kernel"].shape[0]
    layer = nn.MultiheadAttention(channels, _HEADS, batch_first=True)
    parts = ("query", "key", "value")
    kernels = [weights[f"{name}/{part}/kernel"].reshape(channels, -1).T for part in parts]
    biases = [weights[f"{name}/{part}/bias"].reshape(-1) for part in parts]
    output = weights[f"{name}/attention_output/kernel"].reshape(-1, channels)
    _set(layer.in_proj_weight, np.concatenate(kernels))
    _set(layer.in_proj_bias, np.concatenate(biases))
    _set(layer.out_proj.weight, output.T)
    _set(layer.out_proj.bias, weights[f"{name}/attention_output/bias"])
    return layer


def _dense(weights: Weights, name: str) -> nn.Linear:
    kernel = weights[f"{name}/kernel"]
    layer = nn.Linear(*kernel.shape)
    _set(layer.weight, kernel.T)
    _set(layer.bias, weights[f"{name}/bias"])
    return layer


def _conv(weights: Weights, name: str, strides: int = 1) -> nn.Module:
    """Returns a convolution padded as Keras's ``same`` pads an image of an even size."""
    kernel, bias = weights[f"{name}/kernel"], weights.get(f"{name}/bias")
    size, _, inputs, outputs = kernel.shape
    padding = size // 2 if strides == 1 else 0
    layer = nn.Conv2d(inputs, outputs, size, strides, padding, bias=bias is not None)
    _set(layer.weight, kernel.transpose(3, 2, 0, 1))
    if bias is not None:
        _set(layer.bias, bias)
    if strides == 1 or size == 1:
        return layer
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer)


def _norm(weights: Weights, name: str) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(len(weights[f"{name}/gamma"]), eps=1e-3, momentum=0.01)
    _set(layer.weight, weights[f"{name}/gamma"])
    _set(layer.bias, weights[f"{name}/beta"])
    _set(layer.running_mean, weights[f"{name}/moving_mean"])
    _set(layer.running_var, weights[f"{name}/moving_variance"])
    return layer


def _layer_norm(weights: Weights, name: str) -> nn.LayerNorm:
    layer = nn.LayerNorm(len(weights[f"{name}/gamma"]), eps=1e-6)
    _set(layer.weight, weights[f"{name}/gamma"])
    _set(layer.bias, weights[f"{name}/beta"])
    return layer


def _set(tensor: torch.Tensor | None, array: np.ndarray) -> None:
    if tensor is None or tensor.shape != array.shape:
        raise ValueError(f"expected a tensor of shape {array.shape}; it is {tensor}.")
    with torch.no_grad():
        tensor.copy_(torch.tensor(array))
