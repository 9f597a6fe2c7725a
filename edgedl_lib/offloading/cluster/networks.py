"""The networks of the cluster's own runs: small enough that ten-fold slower devices still answer in a lecture."""

from __future__ import annotations

from edgedl_lib.inference.split.network import graph_by_name
from edgedl_lib.nets.builder import ModelBuilder
from edgedl_lib.nets.graph import LayerGraph

TILE_NETWORK = "tile-net"


def tile_net() -> LayerGraph:
    """Five fused stages on 128x128 pixels, of the kind that DeepThings [156] cuts into tiles.

    Its last map has few channels, because every tile's result crosses the link as float32.

    >>> tile_net().layers[-1].output_shape
    (8, 32, 32)
    """
    net = ModelBuilder(TILE_NETWORK, (3, 128, 128))
    for number, filters in ((1, 16), (2, 32)):
        net.conv(f"conv{number}", filters, kernel=3, padding=1)
        net.relu(f"relu{number}")
        net.max_pool(f"pool{number}", 2, stride=2)
    net.conv("conv3", 8, kernel=3, padding=1)
    net.relu("relu3")
    return net.graph()


def cluster_graph(name: str) -> LayerGraph:
    """`TILE_NETWORK`, or a network that `inference.split.graph_by_name` knows.

    Raises
    ------
    UnknownName
        A ``KeyError`` that lists the names.
    """
    return tile_net() if name == TILE_NETWORK else graph_by_name(name)
