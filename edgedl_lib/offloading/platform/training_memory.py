"""Memory that training needs, by formula: parameters, gradients, optimiser slots, and stored activations.

Training on mobile devices is limited by memory first (Chen, Biookaghazadeh, Zhao 2018 [168]); hence small mentee
networks instead of VGG (Venkatesan and Li 2016 [170]).
"""

from __future__ import annotations

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

FLOAT_BYTES = 4
#: Layers whose output is a view of their input, or is dropped at no cost: nothing is stored for the backward pass.
VIEWS = frozenset({"flatten", "reshape", "dropout"})


def state_bytes(parameters: int, optimiser_slots: int = 1) -> int:
    """Bytes of float32 parameters, gradients and optimiser slots (one slot: momentum; two: Adam).

    Examples
    --------
    >>> state_bytes(138_357_544) / 1e9  # VGG-16
    1.660290528
    """
    if parameters < 0 or optimiser_slots < 0:
        raise ValueError(f"parameters and slots must be zero or more, not {parameters} and {optimiser_slots}")
    return FLOAT_BYTES * parameters * (2 + optimiser_slots)


def activation_bytes(graph: LayerGraph, batch: int = 1) -> int:
    """Bytes of the float32 outputs that the backward pass needs: every layer's, except of views of the input."""
    if batch < 1:
        raise ValueError(f"batch must be at least 1, not {batch}")
    return FLOAT_BYTES * batch * sum(layer.output_elements for layer in graph.layers if layer.kind not in VIEWS)


def training_bytes(graph: LayerGraph, batch: int = 1, optimiser_slots: int = 1) -> int:
    """Memory of training: ``4 (P (2 + o) + b sum a)`` bytes.

    Parameters
    ----------
    graph : LayerGraph
        P parameters, layers with `a` output elements a sample.
    batch : int
        b.
    optimiser_slots : int
        o.
    """
    return state_bytes(graph.parameter_count, optimiser_slots) + activation_bytes(graph, batch)


def mentee() -> LayerGraph:
    """A VGG-like network of 0.6 M parameters for 32x32 images, small enough to train on a phone.

    Examples
    --------
    >>> mentee().parameter_count < 1_000_000
    True
    """
    net = ModelBuilder("mentee", (3, 32, 32))
    for number, width in enumerate((32, 64, 128), start=1):
        net.conv(f"conv{number}", width, kernel=3, padding=1)
        net.relu(f"relu{number}")
        net.max_pool(f"pool{number}", kernel=2)
    net.dense("fc1", 256)
    net.relu("relu4")
    net.dense("fc2", 10)
    net.softmax("prob")
    return net.graph()


def speedup_of_cut(percent: float) -> float:
    """Speed-up that a time shorter by ``percent`` means.

    Examples
    --------
    >>> round(speedup_of_cut(44.8), 2)
    1.81
    """
    if not 0 <= percent < 100:
        raise ValueError(f"a cut must lie in [0, 100) percent, not {percent}")
    return 1 / (1 - percent / 100)
