"""Networks with one hidden layer as plain arrays, many of them at once: gradients by hand, in NumPy.

Workers on a simulated clock take thousands of tiny steps, one at a time or all together.  Any leading axes of the
arrays are workers (and seeds); the formulas are those of one network.
"""

from __future__ import annotations

import numpy as np

from edgedl_lib.training.models import Arrays

NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")  # as in `models.perceptron` with one hidden layer
Layers = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # (..., h, i), (..., h), (..., c, h), (..., c)


def initial_layers(widths: tuple[int, int, int], seed: int) -> Layers:
    """PyTorch's own initialisation, uniform within 1/sqrt(inputs), from a NumPy generator; float32."""
    inputs, hidden, classes = widths
    rng = np.random.default_rng([seed, hidden])
    shapes = (((hidden, inputs), inputs), ((hidden,), inputs), ((classes, hidden), hidden), ((classes,), hidden))
    return tuple(rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(fan**0.5) for shape, fan in shapes)


def from_arrays(arrays: Arrays) -> Layers:
    """The four arrays of a perceptron with one hidden layer, in the order of :data:`NAMES`."""
    if tuple(arrays) != NAMES:
        raise ValueError(f"expected the arrays {NAMES}, got {tuple(arrays)}; give a perceptron with one hidden layer")
    return tuple(arrays.values())


def to_arrays(layers: Layers) -> Arrays:
    """The inverse of :func:`from_arrays`."""
    return dict(zip(NAMES, layers, strict=True))


def repeated(layers: Layers, *shape: int) -> Layers:
    """Copies of one network along new leading axes."""
    return tuple(np.broadcast_to(each, shape + each.shape).copy() for each in layers)


def gradient(layers: Layers, inputs: np.ndarray, targets: np.ndarray, gates: np.ndarray | None = None) -> Layers:
    """Gradient of the mean cross entropy.

    Parameters
    ----------
    layers : four arrays with leading axes (...)
    inputs : ndarray, shape (..., B, i)
    targets : ndarray, shape (..., B, c)
        One-hot.
    gates : ndarray, shape (..., h), optional
        Factor of each hidden neuron: 0 masks it, 1/P rescales it.
    """
    first, first_bias, second, second_bias = layers
    hidden = inputs @ first.swapaxes(-1, -2)  # (..., B, h)
    hidden += first_bias[..., None, :]
    np.maximum(hidden, 0, out=hidden)
    if gates is not None:
        hidden *= gates[..., None, :]
    scores = hidden @ second.swapaxes(-1, -2)  # (..., B, c)
    scores += second_bias[..., None, :]
    error = softmax(scores)
    error -= targets
    error /= inputs.shape[-2]
    back = error @ second  # (..., B, h)
    back *= hidden > 0
    if gates is not None:
        back *= gates[..., None, :]
    return (
        back.swapaxes(-1, -2) @ inputs,
        back.sum(-2),
        error.swapaxes(-1, -2) @ hidden,
        error.sum(-2),
    )


def descend(layers: Layers, slopes: Layers, rate: float) -> Layers:
    """One step of gradient descent."""
    return tuple(each - np.float32(rate) * slope for each, slope in zip(layers, slopes, strict=True))


def logits(layers: Layers, inputs: np.ndarray) -> np.ndarray:
    """Scores of all classes, shape (..., n, c)."""
    first, first_bias, second, second_bias = layers
    hidden = np.maximum(inputs @ first.swapaxes(-1, -2) + first_bias[..., None, :], 0)
    return hidden @ second.swapaxes(-1, -2) + second_bias[..., None, :]


def loss(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross entropy (nats) of one network on labelled samples."""
    scores = logits(layers, inputs)
    peak = scores.max(-1)
    log_sum = peak + np.log(np.exp(scores - peak[:, None]).sum(-1))
    return float((log_sum - scores[np.arange(len(labels)), labels]).mean())


def accuracy(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of samples whose highest score is the right one, shape (...)."""
    return (logits(layers, inputs).argmax(-1) == labels).mean(-1)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    powers /= powers.sum(-1, keepdims=True)
    return powers
