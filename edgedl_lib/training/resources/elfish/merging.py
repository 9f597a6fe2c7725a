"""One model out of whole and partial ones: each neuron is averaged over those who trained it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgedl_lib.training.resources.perceptron import Layers


def merge(layers: Layers, models: Layers, masks: np.ndarray, weights: Sequence[float]) -> Layers:
    """The new global model.

    Parameters
    ----------
    layers : Layers
        The global model; what nobody trained keeps its value.
    models : Layers with a leading axis of K devices
    masks : ndarray of bool, shape (K, h)
    weights : sequence of K numbers
        a_k, the devices' samples.
    """
    shares = np.asarray(weights, dtype=np.float64)
    own = masks * shares[:, None]  # (K, h)
    total = own.sum(0)  # (h,)
    own = np.divide(own, total, out=np.zeros_like(own), where=total > 0)
    first, first_bias, second, second_bias = models
    rest = (total == 0).astype(np.float64)  # neurons that nobody trained
    merged = (
        np.einsum("kh,khi->hi", own, first) + rest[:, None] * layers[0],
        np.einsum("kh,kh->h", own, first_bias) + rest * layers[1],
        np.einsum("kh,kch->ch", own, second) + rest * layers[2],
        np.einsum("k,kc->c", shares / shares.sum(), second_bias),
    )
    return tuple(each.astype(np.float32) for each in merged)
