"""The published ratios from layer shapes alone: parameters, multiply-adds, and bytes as they are really encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgedl_lib.training.codecs import Codec, encode_arrays


@dataclass(frozen=True)
class LayerShape:
    """A dense or convolutional layer.

    Attributes
    ----------
    outputs, inputs : int
        Units or channels.
    kernel : int
        Side of a square kernel; 1 for a dense layer.
    positions : int
        Places at which the kernel is applied; 1 for a dense layer.
    per_input : int
        Values that a dense layer sees of each channel before it (after flattening); 1 otherwise.
    """

    outputs: int
    inputs: int
    kernel: int = 1
    positions: int = 1
    per_input: int = 1

    @property
    def weights(self) -> int:
        """Entries of the weight tensor."""
        return self.outputs * self.inputs * self.per_input * self.kernel**2

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.outputs

    @property
    def multiply_adds(self) -> int:
        """Per image."""
        return self.weights * self.positions


# McMahan et al. 2017 [198]: 5x5 kernels, same padding, two poolings; the network of [205] for MNIST
MNIST_CNN = (
    LayerShape(32, 1, 5, 28**2),
    LayerShape(64, 32, 5, 14**2),
    LayerShape(512, 64, per_input=49),
    LayerShape(10, 512),
)
# Springenberg et al. 2015, "All-CNN-C", which [203] and [205] call Model C; CIFAR-10 images of 32x32
MODEL_C = (
    LayerShape(96, 3, 3, 32**2),
    LayerShape(96, 96, 3, 32**2),
    LayerShape(96, 96, 3, 16**2),
    LayerShape(192, 96, 3, 16**2),
    LayerShape(192, 192, 3, 16**2),
    LayerShape(192, 192, 3, 8**2),
    LayerShape(192, 192, 3, 8**2),
    LayerShape(192, 192, 1, 8**2),
    LayerShape(10, 192, 1, 8**2),
)
INNER = slice(1, 8)  # the seven layers of Model C that [203] compresses


def kept(layers: Sequence[LayerShape], keep: float, inputs_too: bool = True) -> tuple[LayerShape, ...]:
    """Shapes of the sub-model: a share of every hidden layer's units, and of the next layer's inputs.

    With `inputs_too` false only units are dropped, as if each layer still read all of the layer before it.
    """
    smaller, before = [], layers[0].inputs
    for layer in layers:
        outputs = layer.outputs if layer is layers[-1] else max(1, round(keep * layer.outputs))
        inputs = before if inputs_too else layer.inputs
        smaller.append(LayerShape(outputs, inputs, layer.kernel, layer.positions, layer.per_input))
        before = outputs
    return tuple(smaller)


def total(layers: Sequence[LayerShape], what: str) -> int:
    """Sum of `weights`, `parameters` or `multiply_adds` over the layers."""
    return sum(getattr(layer, what) for layer in layers)


def encoded_bytes(layers: Sequence[LayerShape], codec: Codec, biases: bool = True) -> int:
    """Bytes of a payload with these shapes; the codec's size must not depend on the values."""
    arrays = {}
    for number, layer in enumerate(layers):
        arrays[f"{number}.weight"] = np.zeros(layer.weights, dtype=np.float32)
        if biases:
            arrays[f"{number}.bias"] = np.zeros(layer.outputs, dtype=np.float32)
    return encode_arrays(codec, arrays, np.random.default_rng(0)).size_bytes


@dataclass(frozen=True)
class Ratios:
    """Full over sub-model: bytes down and up, multiply-adds."""

    down: float
    up: float
    compute: float


def ratios(
    layers: Sequence[LayerShape], keep: float, download: Codec, upload: Codec, inputs_too: bool = True
) -> Ratios:
    """What Federated Dropout and lossy links save together, against 32-bit floats of the whole network."""
    part = kept(layers, keep, inputs_too)
    dense = 4 * total(layers, "parameters")
    return Ratios(
        dense / encoded_bytes(part, download),
        dense / encoded_bytes(part, upload),
        total(layers, "multiply_adds") / total(part, "multiply_adds"),
    )


def lstm_parameters(words: int = 10_017, embedding: int = 96, state: int = 256, tied: bool = True) -> int:
    """Parameters of the next-word network of [203]: embedding, one LSTM, projection back, output.

    With tied weights the output reads the embedding again and has no weights of its own.
    """
    lstm = 4 * state * (embedding + state + 1)
    projection = embedding * (state + 1)
    return words * embedding * (1 if tied else 2) + lstm + projection


def inner_ratio(codec: Codec) -> float:
    """Bytes of the seven inner layers of Model C as 32-bit floats over encoded."""
    inner = MODEL_C[INNER]
    return 4 * total(inner, "weights") / encoded_bytes(inner, codec, biases=False)


def derived_bits_ratio(bits: int, size_ratio: float) -> float:
    """32-bit floats over `bits`, times the ratio of sizes: what remains if headers cost nothing."""
    return 32 / bits * size_ratio
