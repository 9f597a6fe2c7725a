"""Gradients of a small perceptron for several nodes at once, without autograd: a leading axis counts the nodes.

The weights may be shared, shape (inputs, outputs), or each node's own, shape (nodes, inputs, outputs).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Weights = list[Tensor]  # matrix, bias, matrix, bias ...


def initial_weights(widths: tuple[int, ...], seed: int) -> Weights:
    """Weights and biases of fully connected layers, uniform within one over the root of the inputs.

    Examples
    --------
    >>> [tuple(each.shape) for each in initial_weights((4, 3, 2), 0)]
    [(4, 3), (3,), (3, 2), (2,)]
    """
    generator = np.random.default_rng(seed)
    weights = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        limit = inputs**-0.5
        for shape in ((inputs, outputs), (outputs,)):
            weights.append(torch.from_numpy(generator.uniform(-limit, limit, shape).astype(np.float32)))
    return weights


def logits(weights: Weights, inputs: Tensor) -> Tensor:
    """Outputs of the network, shape (..., samples, classes)."""
    return _layers(weights, inputs)[-1]


def gradients(weights: Weights, inputs: Tensor, targets: Tensor) -> Weights:
    """Gradient of each node's mean cross entropy, one tensor per weight with the node's axis in front.

    Parameters
    ----------
    inputs : Tensor, shape (nodes, samples, features)
    targets : Tensor, shape (nodes, samples)
        Labels.
    """
    layers = _layers(weights, inputs)
    delta = layers[-1].softmax(-1)
    delta.scatter_add_(-1, targets.unsqueeze(-1), torch.full((*targets.shape, 1), -1.0))
    delta /= targets.shape[-1]  # (nodes, samples, classes)
    found: Weights = []
    for layer in range(len(weights) // 2 - 1, -1, -1):
        found[:0] = [layers[layer].transpose(-1, -2) @ delta, delta.sum(-2)]
        if layer:
            delta = (delta @ weights[2 * layer].transpose(-1, -2)) * (layers[layer] > 0)
    return found


def evaluate(weights: Weights, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Mean cross entropy (nats) and accuracy in percent."""
    outputs = logits(weights, inputs)
    right = (outputs.argmax(-1) == targets).double().mean()
    return float(functional.cross_entropy(outputs, targets)), 100 * float(right)


def _layers(weights: Weights, inputs: Tensor) -> list[Tensor]:
    """Inputs of every layer and the logits."""
    values = [inputs]
    for layer in range(0, len(weights), 2):
        output = values[-1] @ weights[layer] + weights[layer + 1].unsqueeze(-2)
        values.append(output.relu() if layer + 2 < len(weights) else output)
    return values
