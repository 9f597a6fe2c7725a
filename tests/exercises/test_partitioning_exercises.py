"""The checks of the partitioning exercises: right answers pass, typical wrong ones meet the hint that fits them."""

import networkx
import numpy as np
import pytest

from edgedl_lib.exercises import partitioning


def latency_of(device, server, sizes, rate, *, factor=8, last=0.0, with_server=True):
    costs = [sum(device[:j]) + factor * sizes[j] / rate + with_server * sum(server[j:]) for j in range(len(device))]
    return [*costs, sum(device) + last]


def right_cut(device, server, sizes, rate):
    return int(np.argmin(latency_of(device, server, sizes, rate)))


WRONG_CUTS = {
    "forget the transfer": lambda d, s, b, r: int(np.argmin(latency_of(d, s, b, r, factor=0))),
    "factor of eight": lambda d, s, b, r: int(np.argmin(latency_of(d, s, b, r, factor=1))),
    "add server": lambda d, s, b, r: int(np.argmin(latency_of(d, s, b, r, with_server=False))),
    "sends nothing": lambda d, s, b, r: int(np.argmin(latency_of(d, s, b, r, last=8 * b[-1] / r))),
    "never try the cut that keeps all": lambda d, s, b, r: int(np.argmin(latency_of(d, s, b, r)[:-1])),
    "never try cut 0": lambda d, s, b, r: 1 + int(np.argmin(latency_of(d, s, b, r)[1:])),
    "There is no cut": lambda d, s, b, r: len(d) + 1,
    "whole number": lambda d, s, b, r: None,
    "raised IndexError": lambda d, s, b, r: d[len(d)],
}


def test_the_right_cut_passes_and_says_so():
    assert "Right." in repr(partitioning.check_best_cut(right_cut))


@pytest.mark.parametrize("hint", WRONG_CUTS)
def test_wrong_cuts_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partitioning.check_best_cut(WRONG_CUTS[hint])


def energy_of(device, sizes, rate, processor, radio, *, factor=8):
    computing = processor * np.concatenate([[0], np.cumsum(device)])
    return computing + radio * factor * np.append(sizes, 0) / rate


WRONG_ENERGY = {
    "radio": lambda d, b, r, p, q: int(np.argmin(energy_of(d, b, r, p, 0))),
    "processor": lambda d, b, r, p, q: int(np.argmin(energy_of(d, b, r, 0, q))),
    "factor of eight": lambda d, b, r, p, q: int(np.argmin(energy_of(d, b, r, p, q, factor=1))),
    "sends nothing": lambda d, b, r, p, q: int(np.argmin(energy_of(d, b, r, p, q)[:-1])),
}


def test_the_right_energy_cut_passes():
    def energy_cut(device, sizes, rate, processor, radio):
        return int(np.argmin(energy_of(device, sizes, rate, processor, radio)))

    assert "Right." in repr(partitioning.check_energy_cut(energy_cut))


@pytest.mark.parametrize("hint", WRONG_ENERGY)
def test_wrong_energy_cuts_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partitioning.check_energy_cut(WRONG_ENERGY[hint])


def surgery(*, pinned=True, helpers=True, reverse=True, swapped=False):
    def build(names, edges, device, server, send):
        graph = networkx.DiGraph()
        graph.add_nodes_from(["device", "server"])
        there, here = (device, server) if swapped else (server, device)
        for name in names:
            graph.add_edge(name, "server", capacity=here[name])
            if name != "input":
                graph.add_edge("device", name, capacity=there[name])
        if pinned:
            graph.add_edge("device", "input")
        for tail, head in edges:
            if helpers:
                graph.add_edge(tail, ("sent", tail), capacity=send[tail])
                graph.add_edge(("sent", tail), head)
            else:
                graph.add_edge(tail, head, capacity=send[tail])
            if reverse:
                graph.add_edge(head, tail)
        return graph

    return build


WRONG_GRAPHS = {
    "pin it to the device": surgery(pinned=False),
    "sent once": surgery(helpers=False),
    "back to those it reads": surgery(reverse=False),
    "carries its time on the device": surgery(swapped=True),
    "networkx.DiGraph": lambda *arguments: {},
    "lacks the node": lambda *arguments: networkx.DiGraph(),
    "no cut exists": lambda names, *rest: networkx.DiGraph(
        [("device", name) for name in names] + [(name, "server") for name in names]
    ),
}


def test_the_right_graph_passes():
    assert "Right." in repr(partitioning.check_min_cut_graph(surgery()))


@pytest.mark.parametrize("hint", WRONG_GRAPHS)
def test_wrong_graphs_meet_their_hint(hint):
    with pytest.raises(AssertionError, match=hint):
        partitioning.check_min_cut_graph(WRONG_GRAPHS[hint])


def test_the_learner_cannot_spoil_the_instance():
    def spoiling(device, server, sizes, rate):
        answer = right_cut(device, server, sizes, rate)
        device[:] = 0
        sizes[:] = 0
        return answer

    assert partitioning.check_best_cut(spoiling)
