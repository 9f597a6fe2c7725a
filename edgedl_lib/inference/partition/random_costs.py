"""Random chains and graphs of layers, to try a partition method on more than the networks that it was made for."""

import numpy as np

from edgedl_lib.inference.partition.chain import ChainCosts
from edgedl_lib.inference.partition.dag_plan import DagCosts


def random_chain_costs(rng: np.random.Generator, layer_count: int) -> ChainCosts:
    """Chain with times uniform in 0..1 s, sizes uniform in 0..1 MB, and powers."""
    names = tuple(f"layer{position}" for position in range(1, layer_count + 1))
    transfer_bytes = np.append(1e6 * rng.random(layer_count), 0.0)
    return ChainCosts(names, rng.random(layer_count), rng.random(layer_count), transfer_bytes, 5.0, 2.0)


def random_dag_costs(rng: np.random.Generator, node_count: int, *, faster_server=False, reach=None) -> DagCosts:
    """Graph of `node_count` nodes, the input among them, in which every layer reads one to three earlier outputs.

    Times are uniform in 0..1 s and sizes in 0..125 kB, so that at 1 Mb/s a transfer takes as long as a layer.

    Parameters
    ----------
    faster_server : make every layer at least as fast on the server
    reach : read only the `reach` latest outputs; by default any
    """
    names = ("input", *(f"layer{position}" for position in range(1, node_count)))
    edges = []
    for head in range(1, node_count):
        first = 0 if reach is None else max(0, head - reach)
        fan_in = min(head - first, int(rng.integers(1, 4)))
        tails = rng.choice(np.arange(first, head), size=fan_in, replace=False)
        edges += [(names[tail], names[head]) for tail in sorted(tails)]
    device, server = rng.random(node_count), rng.random(node_count)
    if faster_server:
        device, server = np.maximum(device, server), np.minimum(device, server)
    device[0] = server[0] = 0.0
    return DagCosts(names, tuple(edges), device, server, 125e3 * rng.random(node_count), 5.0, 2.0)
