"""CMSIS-NN's network on its board: operations, memory, and the accuracy that 8 bits keep (Lai, Suda, Chandra 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.nets.zoo import model
from edgedl_lib.offloading.platform import fixed_point
from edgedl_lib.offloading.platform.facts import facts
from edgedl_lib.offloading.platform.fixed_point import Convolution, Fixed

KIB = 1024
#: Filters of the paper's network and of the smaller one that its repository ships.
PAPER_FILTERS, SHIPPED_FILTERS = (32, 32, 64), (32, 16, 32)
#: Layers that overwrite their input: no memory of their own.
IN_PLACE = frozenset({"activation", "softmax", "flatten", "dropout", "reshape"})
#: A test image has values up to 16.
DIGITS_LEVELS = 16.0


@dataclass(frozen=True)
class MemoryUse:
    """Bytes of an int8 (or wider) network on a microcontroller: weights, activations at their peak, im2col buffer."""

    weights: int
    activations: int
    im2col: int

    @property
    def total(self) -> int:
        """All three together."""
        return self.weights + self.activations + self.im2col


def memory_use(filters: tuple[int, int, int] = PAPER_FILTERS, bytes_per_value: int = 1) -> MemoryUse:
    """Memory of the CIFAR-10 network by its filters.

    Activations peak where input and output of a layer are largest together; an activation function overwrites its
    input, pooling writes to the other of two buffers.  The im2col buffer holds two columns of 16-bit values.

    Parameters
    ----------
    filters : tuple of int
        Filters of the three convolutions.
    bytes_per_value : int
        1 for q7, 4 for float32.

    Examples
    --------
    >>> memory_use(SHIPPED_FILTERS)
    MemoryUse(weights=33120, activations=40960, im2col=3200)
    """
    graph = model("cmsis_cifar10", filters=filters)
    return MemoryUse(
        weights=bytes_per_value * sum(layer.weight_count for layer in graph.layers),
        activations=bytes_per_value * _peak_elements(graph),
        im2col=_im2col_bytes(graph) * bytes_per_value,
    )


def operations(filters: tuple[int, int, int] = PAPER_FILTERS) -> int:
    """Operations of the network, two per multiply-accumulate."""
    return 2 * model("cmsis_cifar10", filters=filters).mac


def operations_per_cycle() -> float:
    """Operations per clock cycle of the whole network in its published time."""
    published = facts("cmsis_nn", "cmsis_nn")
    return operations() / (published["total_time"] * published["clock"])


def board_share(bytes_per_value: int = 1) -> float:
    """Memory of the paper's network over the board's SRAM."""
    return memory_use(PAPER_FILTERS, bytes_per_value).total / facts("cmsis_nn", "cmsis_nn")["sram"]


def differing_outputs(seed: int = 0) -> int:
    """Values that differ between direct and partial-im2col convolution, over the three layers' shapes."""
    generator = np.random.default_rng(seed)
    differing = 0
    for side, channels, filters in ((32, 3, 32), (16, 32, 16), (8, 16, 32)):
        image = generator.integers(-128, 128, (side, side, channels)).astype(np.int8)
        weights = generator.integers(-128, 128, (filters, 5, 5, channels)).astype(np.int8)
        bias = generator.integers(-128, 128, filters).astype(np.int8)
        layer = Convolution(weights, bias, padding=2, bias_shift=6, shift=11)
        direct, buffered = fixed_point.convolve_direct(image, layer), fixed_point.convolve_im2col(image, layer)
        differing += int(np.sum(direct != buffered))
    return differing


def differing_pooled(seed: int = 0) -> int:
    """Values that differ between pooling in place and pooling into a new array, 3x3 at stride 2 and 2x2 at stride 2."""
    image = np.random.default_rng(seed).integers(-128, 128, (33, 32, 8)).astype(np.int8)
    differing = 0
    for kernel, stride in ((3, 2), (2, 2)):
        expected = fixed_point.max_pool(image, kernel, stride)
        differing += int(np.sum(fixed_point.max_pool_in_place(image.copy(), kernel, stride) != expected))
    return differing


@dataclass(frozen=True)
class DigitsStudy:
    """Test accuracy on digits (percent) in floating point and in q7."""

    float_accuracy: float
    fixed_accuracy: float

    @property
    def drop(self) -> float:
        """Points that 8 bits cost."""
        return self.float_accuracy - self.fixed_accuracy


def digits_study(seed: int = 0, hidden: int = 48) -> DigitsStudy:
    """Train a network of one hidden layer on scikit-learn's digits and run it in q7.

    Parameters
    ----------
    seed : int
        Of the split and of the training.
    hidden : int
        Hidden units.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    pixels, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels / DIGITS_LEVELS, labels, test_size=0.3, random_state=seed
    )
    network = MLPClassifier((hidden,), alpha=1e-3, learning_rate_init=5e-3, max_iter=40, tol=0, random_state=seed)
    with np.errstate(all="ignore"):
        _fit_quietly(network, train_x, train_y)
    layers = list(zip([w.T for w in network.coefs_], network.intercepts_, strict=True))
    real, fixed = forward_real(test_x, layers), forward_fixed(test_x, layers, calibration=train_x)
    return DigitsStudy(*(100 * float(np.mean(scores.argmax(axis=1) == test_y)) for scores in (real, fixed)))


def forward_real(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Scores of a rectified dense network: layers of (weights (outputs, inputs), bias), x (samples, inputs)."""
    return _real_activations(x, layers)[-1]


def forward_fixed(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]], calibration: np.ndarray) -> np.ndarray:
    """The same network in q7; the format of each activation is taken from ``calibration`` samples.

    Returns
    -------
    numpy.ndarray of int8, shape (samples, outputs)
    """
    formats = [fixed_point.fraction_bits(np.abs(values).max()) for values in _real_activations(calibration, layers)]
    current = fixed_point.quantise(x)
    for number, ((weights, bias), bits) in enumerate(zip(layers, formats, strict=True)):
        w, b = fixed_point.quantise(weights), fixed_point.quantise(bias)
        product_bits = current.fraction_bits + w.fraction_bits
        b = b if b.fraction_bits <= product_bits else fixed_point.quantise(bias, product_bits)
        shifts = product_bits - b.fraction_bits, product_bits - bits
        values = fixed_point.dense(current.values, w.values, b.values, *shifts)
        current = Fixed(values if number == len(layers) - 1 else fixed_point.relu(values), bits)
    return current.values


def _real_activations(x: np.ndarray, layers: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    outputs = []
    for number, (weights, bias) in enumerate(layers):
        x = x @ weights.T + bias
        outputs.append(x)
        x = np.maximum(x, 0) if number < len(layers) - 1 else x
    return outputs


def _fit_quietly(network, x: np.ndarray, y: np.ndarray) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forty epochs are enough; the warning says the loss still falls
        network.fit(x, y)


def _peak_elements(graph: LayerGraph) -> int:
    return max(layer.input_elements + layer.output_elements for layer in graph.layers if layer.kind not in IN_PLACE)


def _im2col_bytes(graph: LayerGraph) -> int:
    published = facts("cmsis_nn", "cmsis_nn")
    taps = max(
        layer.input_shapes[0][0] * layer.config["kernel"][0] * layer.config["kernel"][1]
        for layer in graph.layers
        if layer.kind == "conv"
    )
    return int(published["im2col_columns"] * published["im2col_bytes"] * taps)
