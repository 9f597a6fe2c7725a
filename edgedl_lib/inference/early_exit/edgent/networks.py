"""The network of Edgent's evaluation: AlexNet for 32x32 images with five exits, as five chains.

The paper counts 12, 16, 19, 20 and 22 layers on the way to exits 1 to 5 and prints neither widths nor branches.  The
22 layers with BranchyNet's widths (Teerapittayanon et al. 2016 [160]) and pools that drop a last partial window give
the published model size and sums of the regressions.  For the side branches we assume a pool and the trunk's own
classifier of seven layers (exit 3 with one more normalisation): that is how the counts come out.
"""

from __future__ import annotations

from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

IMAGE_SHAPE = (3, 32, 32)
IMAGE_BYTES = 4 * 3 * 32 * 32  # sent as float32
BLOCKS = ((5, 32, ("pool", "norm")), (5, 64, ("pool", "norm")), (3, 96, ()), (3, 96, ()), (3, 64, ("pool",)))
BRANCH_HEADS = (("pool",), ("pool",), ("pool", "norm"), ("pool",), ())  # before the classifier of exits 1 to 5
EXITS = len(BLOCKS)


def branchy_alexnet_exit(number: int) -> LayerGraph:
    """All layers that run for exit `number`, 1 to 5: a chain.

    >>> [len(branchy_alexnet_exit(number)) for number in range(1, 6)]
    [12, 16, 19, 20, 22]

    Raises
    ------
    ValueError
        If there is no such exit.
    """
    if number not in range(1, EXITS + 1):
        raise ValueError(f"exit {number} does not exist: the network has exits 1 to {EXITS}")
    net = ModelBuilder(f"five-exit AlexNet, exit {number}", IMAGE_SHAPE)
    for position, (kernel, filters, after) in enumerate(BLOCKS[:number], start=1):
        net.conv(f"conv{position}", filters, kernel, padding=kernel // 2)
        net.relu(f"relu{position}")
        _reduce(net, str(position), after)
    _reduce(net, "_exit", BRANCH_HEADS[number - 1])
    for position, units in ((6, 256), (7, 128)):
        net.dense(f"fc{position}", units)
        net.relu(f"relu{position}")
        net.dropout(f"drop{position}")
    net.dense("fc8", 10)
    return net.graph(input_bytes=IMAGE_BYTES)


def branchy_alexnet() -> tuple[LayerGraph, ...]:
    """The five chains, exit 1 first."""
    return tuple(branchy_alexnet_exit(number) for number in range(1, EXITS + 1))


def weight_bytes(graph: LayerGraph) -> int:
    """Float32 bytes of the weights without biases: the size of the model that the loading regression reads."""
    return 4 * sum(layer.weight_count for layer in graph.layers)


def _reduce(net: ModelBuilder, suffix: str, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if kind == "pool":
            net.max_pool(f"pool{suffix}", 3, stride=2, ceil=False)
        else:
            net.lrn(f"norm{suffix}", size=3)
