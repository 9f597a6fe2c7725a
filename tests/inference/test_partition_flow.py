"""The minimum cut with real capacities, against NetworkX's slow exact one."""

import networkx
import numpy as np
import pytest

from edgedl_lib.inference.partition.flow import minimum_cut


def random_capacity(rng, size, spread):
    """Capacities over `spread` orders of magnitude, some infinite, source 0 and sink last."""
    capacity = 10.0 ** rng.uniform(-spread, 0, (size, size)) * (rng.random((size, size)) < 0.4)
    capacity[1:-1, 1:-1][rng.random((size - 2, size - 2)) < 0.1] = np.inf
    capacity[:, 0] = capacity[-1] = 0
    np.fill_diagonal(capacity, 0)
    return capacity


def exact_value(capacity):
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(capacity)))
    for tail, head in zip(*np.nonzero(capacity), strict=True):
        finite = {"capacity": capacity[tail, head]} if np.isfinite(capacity[tail, head]) else {}
        graph.add_edge(tail, head, **finite)
    return networkx.minimum_cut_value(graph, 0, len(capacity) - 1)


@pytest.mark.parametrize("spread", [1, 4, 8])
def test_value_equals_networkx_on_random_graphs(spread):
    rng = np.random.default_rng(spread)
    for _ in range(60):
        capacity = random_capacity(rng, int(rng.integers(3, 15)), spread)
        cut = minimum_cut(capacity, 0, len(capacity) - 1)
        assert cut.value == pytest.approx(exact_value(capacity), rel=1e-9, abs=1e-15)
        assert cut.source_side[0] and not cut.source_side[-1]


def test_small_differences_between_large_capacities_decide():
    """One unit in 1e11 lies far below what one int32 pass can tell apart."""
    for wide, narrow in ((1.0, 1.0 - 1e-11), (1.0 - 1e-11, 1.0)):
        capacity = np.array([[0, wide, 0], [0, 0, narrow], [0, 0, 0]])
        assert minimum_cut(capacity, 0, 2).source_side.tolist() == [True, wide > narrow, False]


def test_among_equal_cuts_the_smallest_source_side():
    capacity = np.array([[0, 0.3, 0, 0], [0, 0, 0.1 + 0.2, 0], [0, 0, 0, 0.3], [0, 0, 0, 0]])
    assert minimum_cut(capacity, 0, 3).source_side.tolist() == [True, False, False, False]


def test_nothing_flows_where_nothing_can():
    cut = minimum_cut(np.zeros((3, 3)), 0, 2)
    assert cut.value == 0 and cut.source_side.tolist() == [True, False, False]


def test_sink_behind_infinite_arcs_is_refused():
    with pytest.raises(ValueError, match="the arcs into the sink have capacity inf: give finite"):
        minimum_cut(np.array([[0, np.inf], [0, 0]]), 0, 1)
