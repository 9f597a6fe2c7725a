"""Which layers the edge should hold: the auto-tuner of Li et al. 2018 [49] over a stated cost model.

``T(p) = edge time of layers 1..p at 8 bits + boundary tensor over the link + cloud time of layers p+1..N at 32 bits``.

Times follow from FLOP counts and not from a clock, because fake quantisation runs slower than float32 and would
measure the wrong thing; so every figure derived here follows from the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgedl_lib.inference.quantised_split.prefix import fused_groups
from edgedl_lib.inference.quantised_split.quantise import boundary_bytes
from edgedl_lib.nets.graph import LayerGraph
from edgedl_lib.system.link import Link

FLOAT_BYTES = 4  # of a float32 weight
BIAS_BYTES = 4  # int32 beside 8-bit weights
GRID_BYTES = 16  # scale and zero point of a group's weights and of its output


@dataclass(frozen=True)
class CostModel:
    """What the times are computed from; all three figures are assumptions, stated here and nowhere else.

    Attributes
    ----------
    cloud_rate : float
        FLOP/s of the cloud; 14e9 is this network at 100 images a query on one core of a server CPU, measured once.
    edge_slowdown : float
        How many times slower the edge computes in float32.
    int8_speedup : float
        How many times faster the edge computes with 8-bit integers than in float32.
    batch : int
        Images in one query, as in Neurosurgeon's digit service (Kang et al. 2017 [12]).
    """

    cloud_rate: float = 14e9
    edge_slowdown: float = 10.0
    int8_speedup: float = 2.0
    batch: int = 100

    def edge_rate(self, bits: int) -> float:
        """FLOP/s of the edge at 8 or fewer, or at 32 bits."""
        return self.cloud_rate / self.edge_slowdown * (1.0 if bits == 32 else self.int8_speedup)


@dataclass(frozen=True, eq=False)
class Boundaries:
    """What each of the N + 1 cuts costs, whatever the link; all arrays have shape (N + 1,).

    Attributes
    ----------
    names : tuple of str
        "input", then the last layer on the edge.
    elements : elements of one image's boundary tensor
    edge_flop, cloud_flop : FLOP of one query on either side
    transfer_bytes : bytes of one query's boundary tensor at 8 bits, headers included; 0 for the last cut
    float_bytes : the same at 32 bits
    edge_storage : bytes of the quantised layers on the edge
    float_storage : float
        Bytes of the whole model in float32, normalisation folded.
    group_ends : bool, whether the cut splits no fused group
    """

    names: tuple[str, ...]
    elements: np.ndarray
    edge_flop: np.ndarray
    cloud_flop: np.ndarray
    transfer_bytes: np.ndarray
    float_bytes: np.ndarray
    edge_storage: np.ndarray
    float_storage: float
    group_ends: np.ndarray


def describe_boundaries(graph: LayerGraph, batch: int = 100) -> Boundaries:
    """Costs of every cut of a chain.

    A group that lies whole on one side costs its weighted layer alone, for its norm and activation ride along; cut in
    its middle, the rest of it costs the cloud its own FLOP.
    """
    cuts = range(len(graph) + 1)
    shapes = [(batch, *graph.input_shape), *((batch, *layer.output_shape) for layer in graph)]
    floats = [boundary_bytes(shape, bits=32) for shape in shapes[:-1]]
    return Boundaries(
        names=("input", *graph.layer_names),
        elements=np.array([int(np.prod(shape[1:])) for shape in shapes]),
        edge_flop=batch * np.array([_fused_flop(graph.layers[:cut]) for cut in cuts], dtype=float),
        cloud_flop=batch * np.array([_fused_flop(graph.layers[cut:]) for cut in cuts], dtype=float),
        transfer_bytes=np.array([*(boundary_bytes(shape) for shape in shapes[:-1]), 0]),
        float_bytes=np.array([boundary_bytes(shapes[0]), *floats[1:], 0]),  # the image is 8-bit in any case
        edge_storage=np.array([_quantised_bytes(graph.layers[:cut]) for cut in cuts]),
        float_storage=FLOAT_BYTES * sum(sum(_weights_and_biases(group)) for group in fused_groups(graph.layers)),
        group_ends=np.isin(np.arange(len(graph) + 1), np.cumsum([0, *map(len, fused_groups(graph.layers))])),
    )


def candidate_cuts(boundaries: Boundaries) -> np.ndarray:
    """Cuts that can win (Li et al. 2018 [49]): no fused group is split, and the tensor is smaller than all before it.

    The last cut sends nothing and always stays.  The rule is safe while no group runs faster on the edge than in the
    cloud: a later cut with as much to send is then never the better one.

    Examples
    --------
    >>> from edgedl_lib.inference.quantised_split.network import digits_graph
    >>> boundaries = describe_boundaries(digits_graph())
    >>> [boundaries.names[cut] for cut in candidate_cuts(boundaries)]
    ['input', 'pool2', 'fc2']
    """
    smallest_before = np.minimum.accumulate(np.concatenate([[np.inf], boundaries.elements[:-1]]))
    kept = boundaries.group_ends & (boundaries.elements < smallest_before)
    kept[-1] = True
    return np.flatnonzero(kept)


def split_latency(boundaries: Boundaries, costs: CostModel, rate: float, bits: int = 8) -> np.ndarray:
    """T(p) in seconds of each cut, shape (N + 1,), on a link of `rate` bit/s.

    Parameters
    ----------
    boundaries : Boundaries
    costs : CostModel
    rate : float
    bits : int
        8 for the quantised split, 32 for the float32 one.
    """
    sent = boundaries.float_bytes if bits == 32 else boundaries.transfer_bytes
    transfer = Link("uplink", rate).transfer_time(sent)
    return boundaries.edge_flop / costs.edge_rate(bits) + transfer + boundaries.cloud_flop / costs.cloud_rate


def auto_tune(latency: np.ndarray, accuracy_drop: np.ndarray, candidates: np.ndarray, max_drop: float = 0.01) -> int:
    """The fastest candidate whose accuracy falls by at most `max_drop` (a fraction); the earliest of equals.

    Parameters
    ----------
    latency, accuracy_drop : numpy.ndarray, shape (N + 1,)
        Seconds, and fraction lost on the validation images.
    candidates : numpy.ndarray of int

    Raises
    ------
    ValueError
        If no candidate keeps the accuracy.
    """
    allowed = np.asarray(candidates)[np.asarray(accuracy_drop)[candidates] <= max_drop]
    if allowed.size == 0:
        raise ValueError(f"no candidate loses at most {max_drop} of accuracy; allow a larger drop or more bits")
    return int(allowed[np.argmin(np.asarray(latency)[allowed])])


def _fused_flop(layers: tuple) -> float:
    return sum(group[0].flop for group in fused_groups(layers))


def _quantised_bytes(layers: tuple) -> int:
    sizes = [_weights_and_biases(group) for group in fused_groups(layers)]
    return sum(weights + BIAS_BYTES * biases + GRID_BYTES for weights, biases in sizes if weights)


def _weights_and_biases(group: tuple) -> tuple[int, int]:
    """Weights, and biases after folding (a normalisation becomes one bias for each channel)."""
    layer = group[0]
    normalised = layer.output_shape[0] if len(group) > 1 and group[1].kind == "norm" else 0
    if layer.kind not in ("conv", "dense"):
        return 0, 0
    return layer.weight_count, layer.config["bias_count"] or normalised
