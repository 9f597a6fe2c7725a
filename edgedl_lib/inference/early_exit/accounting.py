"""Two ways to account for early exit: with the branches, which a sample does pay, and without, as BranchyNet was timed.

The authors' timer runs only while a trunk segment does; branch layers, softmax and entropy lie outside it, yet the
baseline's timer covers its whole network (read from their code, Teerapittayanon et al. 2016 [160]).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgedl_lib.inference.early_exit.cost import break_even_share, expected_cost
from edgedl_lib.inference.early_exit.network import MultiExitNetwork
from edgedl_lib.nets.export import layer_graph
from edgedl_lib.nets.shapes import Shape


@dataclass(frozen=True)
class ExitCosts:
    """Cost of the trunk segments and of the branches of one network, in one unit (MAC, FLOP, seconds).

    >>> lenet = ExitCosts((112_500, 1_027_570), (107_650, 0))
    >>> round(lenet.gain([0.943, 0.057]), 2), round(lenet.published_gain([0.943, 0.057]), 2)
    (4.09, 6.66)

    Attributes
    ----------
    segments, branches : tuple of float, length exits
        The last branch is 0 where the trunk itself ends in the last exit.
    baseline : float, optional
        Cost of the network without early exits; the sum of the segments and the last branch if not given.
    """

    segments: tuple[float, ...]
    branches: tuple[float, ...]
    baseline: float | None = None

    def __post_init__(self) -> None:
        if self.baseline is None:
            object.__setattr__(self, "baseline", sum(self.segments) + self.branches[-1])
        if not self.baseline > 0:
            raise ValueError(f"the baseline costs {self.baseline}; a gain needs a cost above 0")

    def expected(self, shares: Sequence[float]) -> float:
        """Mean cost of a sample, branches included."""
        return expected_cost(shares, self.segments, self.branches)

    def gain(self, shares: Sequence[float]) -> float:
        """How many times cheaper than the baseline, every branch that was evaluated counted: the honest gain."""
        return self.baseline / self.expected(shares)

    def published_gain(self, shares: Sequence[float]) -> float:
        """The gain with trunk segments only: an upper bound, what the paper's timer measured."""
        free = np.zeros(len(self.branches))
        free[-1] = self.branches[-1]
        return self.baseline / expected_cost(shares, self.segments, free)

    @property
    def break_even(self) -> float:
        """Share of exits at which the only branch pays for itself, in [0, ...); above 1 it never does."""
        if len(self.segments) != 2:
            raise ValueError(f"break-even is one number only for one early exit, this network has {len(self.segments)}")
        return break_even_share(self.branches[0], self.baseline - self.segments[0])


def mac_costs(network: MultiExitNetwork, input_shape: Shape) -> ExitCosts:
    """Multiply-accumulates of each segment and branch, counted on the exported layer graph.

    Raises
    ------
    ValueError
        Shapes that do not fit the network.
    """
    segments, branches, shape = [], [], tuple(input_shape)
    for segment, branch in zip(network.segments, network.branches, strict=True):
        graph = layer_graph(segment if isinstance(segment, nn.Sequential) else nn.Sequential(segment), shape)
        segments.append(graph.mac)
        shape = graph.layers[-1].output_shape
        branches.append(0 if isinstance(branch, nn.Identity) else layer_graph(branch, shape).mac)
    return ExitCosts(tuple(segments), tuple(branches))


def compared(network_costs: ExitCosts, shares: Sequence[float]) -> dict[str, float]:
    """Both accountings of one network at the same exit shares: ``honest``, ``trunk`` and ``left``, their ratio."""
    honest, bound = network_costs.gain(shares), network_costs.published_gain(shares)
    return {"honest": honest, "trunk": bound, "left": honest / bound}
